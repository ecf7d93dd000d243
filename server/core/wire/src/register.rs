//! Registration: who a client says it is, and what becomes of it.

use ident::{NodeKey, Secret};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeStruct};

use crate::{
    CapVer, Hostinfo,
    decode::Request,
    encode::{EncodeError, encode},
    field::{absent, base64, key, time},
};

/// Body of `POST /machine/register`. It has no `Serialize`, because it may hold an auth key.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RegisterRequest {
    pub version: CapVer,
    /// The key to register; in a rotation the new one.
    #[serde(with = "key")]
    pub node_key: Option<NodeKey>,
    #[serde(with = "key")]
    pub old_node_key: Option<NodeKey>,
    pub auth: Option<RegisterAuth>,
    /// In the past: log out. In the future: expire earlier than usual.
    #[serde(deserialize_with = "time::deserialize")]
    pub expiry: Option<Timestamp>,
    /// The AuthURL of an earlier answer, whose flow this request waits for.
    pub followup: String,
    pub hostinfo: Option<Hostinfo>,
    /// Delete the node when it goes away.
    pub ephemeral: bool,
    /// Which tailnet the client expects.
    pub tailnet: String,
}

impl Request for RegisterRequest {}

impl RegisterRequest {
    /// The body as a client sends it, with the auth key in clear.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        encode(&Sent(self))
    }
}

/// What the client shows as its right to come in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RegisterAuth {
    /// As the user gave it; `None` when it is empty.
    #[serde(deserialize_with = "secret")]
    pub auth_key: Option<Secret<String>>,
}

fn secret<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Secret<String>>, D::Error> {
    let text = Option::<String>::deserialize(d)?;
    Ok(text.filter(|t| !t.is_empty()).map(Secret::new))
}

struct Sent<'a>(&'a RegisterRequest);

impl Serialize for Sent<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Auth<'a> {
            auth_key: &'a str,
        }
        let r = self.0;
        let auth_key = r.auth.as_ref().and_then(|a| a.auth_key.as_ref());
        let mut out = s.serialize_struct("RegisterRequest", 9)?;
        out.serialize_field("Version", &r.version)?;
        out.serialize_field("NodeKey", &r.node_key)?;
        if let Some(old) = &r.old_node_key {
            out.serialize_field("OldNodeKey", old)?;
        }
        if let Some(auth_key) = auth_key {
            out.serialize_field("Auth", &Auth { auth_key: auth_key.expose() })?;
        }
        if let Some(expiry) = &r.expiry {
            out.serialize_field("Expiry", expiry)?;
        }
        out.serialize_field("Followup", &r.followup)?;
        if let Some(hostinfo) = &r.hostinfo {
            out.serialize_field("Hostinfo", hostinfo)?;
        }
        out.serialize_field("Ephemeral", &r.ephemeral)?;
        out.serialize_field("Tailnet", &r.tailnet)?;
        out.end()
    }
}

/// The answer. Every key is always sent, except an empty signature: the strictest client misses them otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RegisterResponse {
    pub user: User,
    pub login: Login,
    /// Make a fresh node key and register again.
    pub node_key_expired: bool,
    /// False without an AuthURL: waiting for an administrator.
    pub machine_authorized: bool,
    #[serde(rename = "AuthURL")]
    pub auth_url: String,
    #[serde(with = "base64", skip_serializing_if = "absent")]
    pub node_key_signature: Vec<u8>,
    /// Shown to the user as it is; if there is one, all else is ignored.
    pub error: String,
}

impl RegisterResponse {
    /// The node is in.
    pub fn ok(user: User, login: Login) -> Self {
        Self { user, login, machine_authorized: true, ..Self::default() }
    }
    /// The node stays out, and this is why.
    pub fn error(text: &str) -> Self {
        Self { error: text.to_owned(), ..Self::default() }
    }
    /// The node's key is past its time, or it has just logged out.
    pub fn expired(user: User, login: Login) -> Self {
        Self { user, login, node_key_expired: true, ..Self::default() }
    }
    /// A person has to open this page first.
    pub fn visit(auth_url: &str) -> Self {
        Self { auth_url: auth_url.to_owned(), ..Self::default() }
    }
}

/// The owner in an answer to a registration. Id 0 where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct User {
    #[serde(rename = "ID")]
    pub id: u64,
    pub display_name: String,
    #[serde(rename = "ProfilePicURL", skip_serializing_if = "absent")]
    pub profile_pic_url: String,
    #[serde(deserialize_with = "time::deserialize", skip_serializing_if = "absent")]
    pub created: Option<Timestamp>,
}

/// The account behind the owner. Id 0 where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Login {
    #[serde(rename = "ID")]
    pub id: u64,
    pub provider: String,
    pub login_name: String,
    pub display_name: String,
    #[serde(rename = "ProfilePicURL", skip_serializing_if = "absent")]
    pub profile_pic_url: String,
}
