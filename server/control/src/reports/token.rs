//! Identity tokens: JSON Web Tokens that this server alone signs and checks, each for one report and five minutes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use ident::{NodeId, NodeKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use world::Node;

use crate::keyring::Keyring;

/// The only head there is: whatever a token says of its algorithm is not looked at.
const HEAD: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const SECONDS: i64 = 300;
const LONGEST: usize = 2 << 10;

/// Whose word a text is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    iss: String,
    /// The node.
    pub sub: NodeId,
    /// The key that it had then.
    pub node_key: NodeKey,
    /// What the token is for.
    pub aud: String,
    /// The database that the node is in.
    database: String,
    iat: i64,
    exp: i64,
}

impl Token {
    /// For this node, from now on.
    pub fn of(node: &Node, audience: &str, server_url: &str, database: &str) -> Self {
        let iat = Timestamp::now().as_second();
        let (aud, iss, database) = (audience.to_owned(), server_url.to_owned(), database.to_owned());
        Self { iss, sub: node.id, node_key: node.node_key, aud, database, iat, exp: iat + SECONDS }
    }

    /// As it travels.
    pub fn signed(&self, keyring: &Keyring) -> String {
        let claims = serde_json::to_string(self).unwrap_or_default();
        let text = format!("{}.{}", BASE64.encode(HEAD), BASE64.encode(claims));
        let tag = BASE64.encode(keyring.sign_token(&text));
        format!("{text}.{tag}")
    }

    /// What a text proves now; nothing when this server has not signed it or its time is over.
    pub fn read(text: &str, keyring: &Keyring) -> Option<Self> {
        let (signed, tag) = text.rsplit_once('.').filter(|_| text.len() <= LONGEST)?;
        if !keyring.has_signed_token(signed, &BASE64.decode(tag).ok()?) {
            return None;
        }
        let claims = BASE64.decode(signed.split_once('.')?.1).ok()?;
        let token: Self = serde_json::from_slice(&claims).ok()?;
        let now = Timestamp::now().as_second();
        (token.iat <= now + 1 && now < token.exp).then_some(token)
    }
}
