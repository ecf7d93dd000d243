//! Devices and logins that wait for somebody's yes.

use prost::Message;
use serde::Deserialize;

use super::{Nothing, Rpc, lenient, node::One, write};
use crate::Method::*;

/// Lets a device in that waits, for a person.
pub const REGISTER: Rpc<Register, One> = write("AuthRegister", "node", Post, "/api/v1/auth/register");
/// The same, as tools of before 0.29 say it.
pub const REGISTER_NODE: Rpc<RegisterNode, One> =
    write("RegisterNode", "node", Post, "/api/v1/node/register");
/// Says yes to a login by SSH, or to a device that comes back.
pub const APPROVE: Rpc<Which, Nothing> = write("AuthApprove", "node", Post, "/api/v1/auth/approve");
/// Says no to a login by SSH, or to a device.
pub const REJECT: Rpc<Which, Nothing> = write("AuthReject", "node", Post, "/api/v1/auth/reject");
/// Has a device wait that nobody has, for those who try their tools.
pub const DEBUG: Rpc<Debug, One> = write("DebugCreateNode", "node", Post, "/api/v1/debug/node");

/// Which device, and for whom.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Register {
    /// Login or id of the person.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "lenient::word")]
    pub user: String,
    /// The code that the device shows, with or without `hskey-authreq-`, or its whole URL.
    #[prost(string, tag = "2")]
    pub auth_id: String,
}

/// Which device, and for whom.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub struct RegisterNode {
    /// Login or id of the person.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "lenient::word")]
    pub user: String,
    /// The code that the device shows, with or without `hskey-authreq-`, or its whole URL.
    #[prost(string, tag = "2")]
    pub key: String,
}

/// Which login, or which device.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Which {
    /// Its code, with or without `hskey-authreq-`, or the whole URL.
    #[prost(string, tag = "1")]
    pub auth_id: String,
}

/// A device to invent.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub struct Debug {
    /// Login or id of the person whose it is to be; they are only looked for.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "lenient::word")]
    pub user: String,
    /// The code under which it waits, with or without `hskey-authreq-`: 24 letters, digits, `-` and `_`.
    #[prost(string, tag = "2")]
    pub key: String,
    /// What it calls itself.
    #[prost(string, tag = "3")]
    pub name: String,
    /// Routes that it offers.
    #[prost(string, repeated, tag = "4")]
    #[serde(deserialize_with = "lenient::texts")]
    pub routes: Vec<String>,
}
