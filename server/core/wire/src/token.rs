//! Identity tokens: a client asks for a text that proves to others which node it is.

use ident::NodeKey;
use serde::{Deserialize, Serialize};

use crate::{CapVer, decode::Request, field::key};

/// Body of `POST /machine/id-token`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TokenRequest {
    #[serde(rename = "CapVersion")]
    pub version: CapVer,
    /// The node that asks.
    #[serde(with = "key")]
    pub node_key: Option<NodeKey>,
    /// For whom the token is.
    pub audience: String,
}

impl Request for TokenRequest {}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenResponse {
    /// A JSON Web Token.
    pub id_token: String,
}
