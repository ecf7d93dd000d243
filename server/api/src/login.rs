//! Devices that came without a key and wait to be let in.

use std::net::IpAddr;

use ident::{MachineKey, NodeKey};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    node::One,
    operation::{Changed, Method::*, Operation, in_tailnet},
};

/// All that wait, the oldest first.
pub const LIST: Operation<(), Logins> = Operation::read("node", Get, in_tailnet!("/login"));
/// Lets a device in. The code is that of the URL which the device shows, or the whole URL.
pub const APPROVE: Operation<Approve, Changed<One>> =
    Operation::write("node", Post, in_tailnet!("/login/{code}/approve"));

/// Refuses a device. It is told so, and not waited for until its time is over.
pub const DENY: Operation<(), Changed<Denied>> =
    Operation::write("node", Post, in_tailnet!("/login/{code}/deny"));

/// A device that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Login {
    /// What the login is called.
    pub code: String,
    /// The page that the device shows.
    pub url: String,
    /// What the device calls itself.
    pub hostname: String,
    /// Operating system, as the device says.
    pub os: String,
    /// Version of its client, as the device says.
    pub client_version: String,
    /// The machine, proved.
    pub machine_key: MachineKey,
    /// The key that would be let in.
    pub node_key: NodeKey,
    /// Where it comes from.
    pub source: IpAddr,
    /// Tags that it asks for.
    pub requested_tags: Vec<String>,
    /// Whether it asks to be forgotten when it goes away.
    pub ephemeral: bool,
    /// Name of the node that it was under its key before.
    pub was: Option<String>,
    /// When it came.
    pub asked: Timestamp,
    /// How long it is waited for.
    pub expires: Timestamp,
}

/// Devices that wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Logins {
    /// The oldest first.
    pub logins: Vec<Login>,
}

/// A device that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LoginDenied")]
pub struct Denied {
    /// As it waited.
    pub login: Login,
}

/// Whose device it is from now on; neither of the two: whose it was under its key before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "LoginApprove")]
pub struct Approve {
    /// This person's, by login or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// That of the role's tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}
