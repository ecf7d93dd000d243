//! Credentials of this interface.

use std::fmt;

use prost::Message;
use serde::{Deserialize, Serialize};

use super::{Nothing, Rpc, Stamp, lenient, read, server::Ask, write};
use crate::Method::*;

/// All credentials that were made, by id, without their secrets.
pub const LIST: Rpc<Ask, ApiKeys> = read("ListApiKeys", "apikey", Get, "/api/v1/apikey");
/// Makes a credential; the only time its secret is told.
pub const CREATE: Rpc<Create, Created> = write("CreateApiKey", "apikey", Post, "/api/v1/apikey");
/// Voids a credential at once.
pub const EXPIRE: Rpc<Which, Nothing> = write("ExpireApiKey", "apikey", Post, "/api/v1/apikey/expire");
/// Voids a credential at once.
pub const DELETE: Rpc<Which, Nothing> = write("DeleteApiKey", "apikey", Delete, "/api/v1/apikey/{prefix}");

/// A credential without its secret.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// As a string in JSON.
    #[prost(uint64, tag = "1")]
    #[serde(serialize_with = "super::stamp::as_text")]
    pub id: u64,
    /// What its text begins with: `mk-api-2-***`.
    #[prost(string, tag = "2")]
    pub prefix: String,
    /// From then on it opens nothing; when it was voided, if it was.
    #[prost(message, optional, tag = "3")]
    pub expiration: Option<Stamp>,
    /// When it was made.
    #[prost(message, optional, tag = "4")]
    pub created_at: Option<Stamp>,
    /// The last call that it opened.
    #[prost(message, optional, tag = "5")]
    pub last_seen: Option<Stamp>,
}

/// Several credentials.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeys {
    /// In order of id.
    #[prost(message, repeated, tag = "1")]
    pub api_keys: Vec<ApiKey>,
}

/// A credential to make.
#[derive(Clone, Copy, PartialEq, Message, Deserialize)]
#[serde(default)]
pub struct Create {
    /// In 90 days when absent.
    #[prost(message, optional, tag = "1")]
    pub expiration: Option<Stamp>,
}

/// A credential that was made.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
#[prost(skip_debug)]
pub struct Created {
    /// Its whole text.
    #[prost(string, tag = "1")]
    pub api_key: String,
}

impl fmt::Debug for Created {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Created")
    }
}

/// Which credential: by one of the two.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
#[prost(skip_debug)]
pub struct Which {
    /// What its text begins with, masked or not.
    #[prost(string, tag = "1")]
    pub prefix: String,
    /// Its id.
    #[prost(uint64, tag = "2")]
    #[serde(deserialize_with = "lenient::id")]
    pub id: u64,
}

impl fmt::Debug for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "API key {}", self.id)
    }
}
