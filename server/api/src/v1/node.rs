//! Devices.

use prost::Message;
use serde::{Deserialize, Serialize, Serializer};

use super::{Nothing, Rpc, Stamp, lenient, preauthkey::PreAuthKey, read, user::User, write};
use crate::Method::*;

/// Devices, by id; all, or those of a person.
pub const LIST: Rpc<List, Nodes> = read("ListNodes", "node", Get, "/api/v1/node");
/// One device.
pub const GET: Rpc<Which, One> = read("GetNode", "node", Get, "/api/v1/node/{node_id}");
/// Forgets a device.
pub const DELETE: Rpc<Which, Nothing> = write("DeleteNode", "node", Delete, "/api/v1/node/{node_id}");
/// Says until when a device's key is accepted: until now, until a moment, or for good.
pub const EXPIRE: Rpc<Expire, One> = write("ExpireNode", "node", Post, "/api/v1/node/{node_id}/expire");
/// Gives a device a name.
pub const RENAME: Rpc<Rename, One> =
    write("RenameNode", "node", Post, "/api/v1/node/{node_id}/rename/{new_name}");
/// Gives a device exactly these tags.
pub const TAGS: Rpc<Tags, One> = write("SetTags", "node", Post, "/api/v1/node/{node_id}/tags");
/// Lets a device serve exactly these routes.
pub const ROUTES: Rpc<Routes, One> =
    write("SetApprovedRoutes", "node", Post, "/api/v1/node/{node_id}/approve_routes");
/// Makes a device a person's own, as tools of before 0.28 ask for it.
pub const MOVE: Rpc<Move, One> = write("MoveNode", "node", Post, "/api/v1/node/{node_id}/user");
/// Gives addresses to devices that have none; here all have theirs.
pub const BACKFILL: Rpc<Backfill, Changes> =
    write("BackfillNodeIPs", "node", Post, "/api/v1/node/backfillips");

/// A device.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// As a string in JSON.
    #[prost(uint64, tag = "1")]
    #[serde(serialize_with = "super::stamp::as_text")]
    pub id: u64,
    /// `mkey:…`
    #[prost(string, tag = "2")]
    pub machine_key: String,
    /// `nodekey:…`
    #[prost(string, tag = "3")]
    pub node_key: String,
    /// `discokey:…`, or empty before its first report.
    #[prost(string, tag = "4")]
    pub disco_key: String,
    /// IPv4, then IPv6.
    #[prost(string, repeated, tag = "5")]
    pub ip_addresses: Vec<String>,
    /// The host name that the device tells.
    #[prost(string, tag = "6")]
    pub name: String,
    /// Whose it is; null for a tagged device.
    #[prost(message, optional, tag = "7")]
    pub user: Option<User>,
    /// When it was last connected: now, while it is.
    #[prost(message, optional, tag = "8")]
    pub last_seen: Option<Stamp>,
    /// When its key stops being accepted; null for never.
    #[prost(message, optional, tag = "10")]
    pub expiry: Option<Stamp>,
    /// What it joined with.
    #[prost(message, optional, tag = "11")]
    pub pre_auth_key: Option<PreAuthKey>,
    /// When it first joined.
    #[prost(message, optional, tag = "12")]
    pub created_at: Option<Stamp>,
    /// How it joined.
    #[prost(enumeration = "RegisterMethod", tag = "13")]
    #[serde(serialize_with = "method_name")]
    pub register_method: i32,
    /// The same as `tags`, for tools of before 0.28.
    #[prost(string, repeated, tag = "18")]
    pub forced_tags: Vec<String>,
    /// Empty.
    #[prost(string, repeated, tag = "19")]
    pub invalid_tags: Vec<String>,
    /// Empty: all tags are among the forced ones.
    #[prost(string, repeated, tag = "20")]
    pub valid_tags: Vec<String>,
    /// The name in the mesh.
    #[prost(string, tag = "21")]
    pub given_name: String,
    /// Whether its peers see it online.
    #[prost(bool, tag = "22")]
    pub online: bool,
    /// Routes that it may serve, by an operator's word or the policy's.
    #[prost(string, repeated, tag = "23")]
    pub approved_routes: Vec<String>,
    /// Routes that it offers.
    #[prost(string, repeated, tag = "24")]
    pub available_routes: Vec<String>,
    /// Routes that the mesh is sent through it, and those of an exit node.
    #[prost(string, repeated, tag = "25")]
    pub subnet_routes: Vec<String>,
    /// What it is.
    #[prost(string, repeated, tag = "26")]
    pub tags: Vec<String>,
}

/// How a device joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum RegisterMethod {
    /// Nobody knows.
    Unspecified = 0,
    /// With a pre-auth key.
    AuthKey = 1,
    /// Somebody approved it.
    Cli = 2,
    /// By a sign-in.
    Oidc = 3,
}

fn method_name<S: Serializer>(method: &i32, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(match RegisterMethod::try_from(*method) {
        Ok(RegisterMethod::AuthKey) => "REGISTER_METHOD_AUTH_KEY",
        Ok(RegisterMethod::Cli) => "REGISTER_METHOD_CLI",
        Ok(RegisterMethod::Oidc) => "REGISTER_METHOD_OIDC",
        Ok(RegisterMethod::Unspecified) | Err(_) => "REGISTER_METHOD_UNSPECIFIED",
    })
}

/// Which devices.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub struct List {
    /// The person's name or id; empty for everybody's.
    #[prost(string, tag = "1")]
    pub user: String,
    /// Only those behind this id; ours alone.
    #[prost(uint64, tag = "1001")]
    #[serde(deserialize_with = "lenient::id")]
    pub after: u64,
    /// So many at most, all when 0; ours alone.
    #[prost(uint64, tag = "1002")]
    #[serde(deserialize_with = "lenient::id")]
    pub limit: u64,
}

/// Several devices.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct Nodes {
    /// In order of id.
    #[prost(message, repeated, tag = "1")]
    pub nodes: Vec<Node>,
}

/// One device.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct One {
    /// Always there.
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
}

/// Which device.
#[derive(Clone, Copy, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Which {
    /// Its id.
    #[prost(uint64, tag = "1")]
    #[serde(deserialize_with = "lenient::needed")]
    pub node_id: u64,
}

/// Until when a device's key is accepted.
#[derive(Clone, Copy, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Expire {
    /// Which device.
    #[prost(uint64, tag = "1")]
    #[serde(deserialize_with = "lenient::needed")]
    pub node_id: u64,
    /// Now when absent.
    #[prost(message, optional, tag = "2")]
    #[serde(default)]
    pub expiry: Option<Stamp>,
    /// For good.
    #[prost(bool, tag = "3")]
    #[serde(default, deserialize_with = "lenient::flag")]
    pub disable_expiry: bool,
}

/// A new name for a device.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rename {
    /// Which device.
    #[prost(uint64, tag = "1")]
    #[serde(deserialize_with = "lenient::needed")]
    pub node_id: u64,
    /// The name in the mesh from now on.
    #[prost(string, tag = "2")]
    pub new_name: String,
}

/// What a device is to be.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tags {
    /// Which device.
    #[prost(uint64, tag = "1")]
    #[serde(deserialize_with = "lenient::needed")]
    pub node_id: u64,
    /// At least one.
    #[prost(string, repeated, tag = "2")]
    #[serde(default, deserialize_with = "lenient::texts")]
    pub tags: Vec<String>,
}

/// What a device may serve.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Routes {
    /// Which device.
    #[prost(uint64, tag = "1")]
    #[serde(deserialize_with = "lenient::needed")]
    pub node_id: u64,
    /// All that it may serve.
    #[prost(string, repeated, tag = "2")]
    #[serde(default, deserialize_with = "lenient::texts")]
    pub routes: Vec<String>,
}

/// Whose a device is to be.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Move {
    /// Which device.
    #[prost(uint64, tag = "1")]
    #[serde(deserialize_with = "lenient::needed")]
    pub node_id: u64,
    /// Id of the person, as gRPC says it; 0 where `user` says it.
    #[prost(uint64, tag = "2")]
    #[serde(skip)]
    pub user_id: u64,
    /// Login or id of the person, as JSON says it.
    #[prost(string, tag = "1002")]
    #[serde(default, deserialize_with = "lenient::word")]
    pub user: String,
}

/// A question that wants to be meant.
#[derive(Clone, Copy, PartialEq, Message, Deserialize)]
#[serde(default)]
pub struct Backfill {
    /// Whether it is meant.
    #[prost(bool, tag = "1")]
    #[serde(deserialize_with = "lenient::flag")]
    pub confirmed: bool,
}

/// What was changed.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct Changes {
    /// A sentence each.
    #[prost(string, repeated, tag = "1")]
    pub changes: Vec<String>,
}
