//! Pre-auth keys.

use std::fmt;

use prost::Message;
use serde::{Deserialize, Serialize};

use super::{Nothing, Rpc, Stamp, lenient, read, user::User, write};
use crate::Method::*;

/// All keys that were made, by id, without their secrets.
pub const LIST: Rpc<List, PreAuthKeys> = read("ListPreAuthKeys", "key", Get, "/api/v1/preauthkey");
/// Makes a key; the only time its secret is told.
pub const CREATE: Rpc<Create, Created> = write("CreatePreAuthKey", "key", Post, "/api/v1/preauthkey");
/// Voids a key.
pub const EXPIRE: Rpc<Which, Nothing> = write("ExpirePreAuthKey", "key", Post, "/api/v1/preauthkey/expire");
/// Voids a key.
pub const DELETE: Rpc<Which, Nothing> = write("DeletePreAuthKey", "key", Delete, "/api/v1/preauthkey");

/// A key.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
#[prost(skip_debug)]
pub struct PreAuthKey {
    /// Who is responsible for it.
    #[prost(message, optional, tag = "1")]
    pub user: Option<User>,
    /// As a string in JSON.
    #[prost(uint64, tag = "2")]
    #[serde(serialize_with = "super::stamp::as_text")]
    pub id: u64,
    /// `mk-auth-3-***`; whole where it was just made.
    #[prost(string, tag = "3")]
    pub key: String,
    /// Whether it may let several devices in.
    #[prost(bool, tag = "4")]
    pub reusable: bool,
    /// Whether its devices are forgotten when they go away.
    #[prost(bool, tag = "5")]
    pub ephemeral: bool,
    /// Whether it let a device in.
    #[prost(bool, tag = "6")]
    pub used: bool,
    /// From then on it lets nothing in; when it was voided, if it was.
    #[prost(message, optional, tag = "7")]
    pub expiration: Option<Stamp>,
    /// When it was made.
    #[prost(message, optional, tag = "8")]
    pub created_at: Option<Stamp>,
    /// What its devices are.
    #[prost(string, repeated, tag = "9")]
    pub acl_tags: Vec<String>,
}

impl fmt::Debug for PreAuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreAuthKey {}", self.id)
    }
}

/// Whose keys.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub struct List {
    /// The person's id, as tools of before 0.28 name one; 0 for everybody's.
    #[prost(uint64, tag = "1")]
    #[serde(deserialize_with = "lenient::id")]
    pub user: u64,
}

/// Several keys.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreAuthKeys {
    /// In order of id.
    #[prost(message, repeated, tag = "1")]
    pub pre_auth_keys: Vec<PreAuthKey>,
}

/// A key to make.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Create {
    /// Id of the person responsible; 0 for nobody.
    #[prost(uint64, tag = "1")]
    #[serde(deserialize_with = "lenient::id")]
    pub user: u64,
    /// Whether it may let several devices in.
    #[prost(bool, tag = "2")]
    #[serde(deserialize_with = "lenient::flag")]
    pub reusable: bool,
    /// Whether its devices are forgotten when they go away.
    #[prost(bool, tag = "3")]
    #[serde(deserialize_with = "lenient::flag")]
    pub ephemeral: bool,
    /// What the role says when absent.
    #[prost(message, optional, tag = "4")]
    pub expiration: Option<Stamp>,
    /// Exactly the tags of a role.
    #[prost(string, repeated, tag = "5")]
    #[serde(deserialize_with = "lenient::texts")]
    pub acl_tags: Vec<String>,
}

/// A key that was made, and what its devices will be able to do.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// With its whole text.
    #[prost(message, optional, tag = "1")]
    pub pre_auth_key: Option<PreAuthKey>,
    /// What the policy in force gives its devices; ours alone, headscale's tools pass over it.
    #[prost(message, optional, tag = "1001")]
    pub access: Option<Access>,
}

/// What the policy in force gives to devices with certain tags.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Where they may open connections to.
    #[prost(message, repeated, tag = "1")]
    pub may_reach: Vec<Opening>,
    /// From where connections to them may be opened.
    #[prost(message, repeated, tag = "2")]
    pub reached_by: Vec<Opening>,
    /// Routes that are approved as soon as they offer them.
    #[prost(string, repeated, tag = "3")]
    pub approves: Vec<String>,
}

/// One rule, seen from one side.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct Opening {
    /// The other side.
    #[prost(string, tag = "1")]
    pub peer: String,
    /// `*` for all.
    #[prost(string, tag = "2")]
    pub ports: String,
    /// `*` for all.
    #[prost(string, tag = "3")]
    pub proto: String,
}

/// Which key.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
#[prost(skip_debug)]
pub struct Which {
    /// 0 when `key` says it.
    #[prost(uint64, tag = "1")]
    #[serde(deserialize_with = "lenient::id")]
    pub id: u64,
    /// Its text, whole or masked, as tools of before 0.28 name one; then `id` is not looked at.
    #[prost(string, tag = "2")]
    pub key: String,
}

impl fmt::Debug for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.id)
    }
}
