//! Devices.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use ident::{AuthKeyId, MachineKey, NodeId, NodeKey, Tag};
use ipnet::IpNet;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operation::{Changed, Method::*, Operation, in_tailnet};

/// All devices, by id.
pub const LIST: Operation<(), Nodes> = Operation::read("node", Get, in_tailnet!("/node"));
/// One device, by id, name or full name; digits alone are an id.
pub const SHOW: Operation<(), One> = Operation::read("node", Get, in_tailnet!("/node/{node}"));
/// Gives a device a name that its own host name no longer changes.
pub const RENAME: Operation<Rename, Changed<One>> =
    Operation::write("node", Post, in_tailnet!("/node/{node}/rename"));
/// Gives a device exactly these tags.
pub const TAG: Operation<Tags, Changed<One>> =
    Operation::write("node", Post, in_tailnet!("/node/{node}/tag"));
/// Stops accepting the device's key at once; it must join again.
pub const EXPIRE: Operation<(), Changed<One>> =
    Operation::write("node", Post, in_tailnet!("/node/{node}/expire"));
/// Asks the device's client whether it is there, in the stream that it holds, and waits a few seconds for its answer.
pub const PING: Operation<(), Pong> = Operation::read("node", Post, in_tailnet!("/node/{node}/ping"));
/// Says how long the device's key is accepted.
pub const SET_EXPIRY: Operation<Expiry, Changed<One>> =
    Operation::write("node", Post, in_tailnet!("/node/{node}/expiry"));
/// Makes a device a person's, without tags.
pub const MOVE: Operation<Move, Changed<One>> =
    Operation::write("node", Post, in_tailnet!("/node/{node}/move"));
/// Forgets a device: its id and addresses are gone.
pub const DELETE: Operation<(), Changed<One>> = Operation::write("node", Delete, in_tailnet!("/node/{node}"));

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// Never used again.
    pub id: NodeId,
    /// MagicDNS label, unique in the tailnet.
    pub name: String,
    /// The label with the tailnet's domain.
    pub fqdn: String,
    /// Whether its peers see it online.
    pub online: bool,
    /// When it was last connected; null while it is and when it never was.
    pub last_seen: Option<Timestamp>,
    /// What it is; empty for a person's own device.
    pub tags: Vec<Tag>,
    /// Login of the person responsible.
    pub user: Option<String>,
    /// Address in the mesh.
    pub ipv4: Ipv4Addr,
    /// Address in the mesh.
    pub ipv6: Ipv6Addr,
    /// When it first joined.
    pub created: Timestamp,
    /// When its key stops being accepted; null for never.
    pub expires: Option<Timestamp>,
    /// Whether its key has stopped being accepted.
    pub expired: bool,
    /// Whether it has logged out: it keeps id and addresses, and nobody sees it.
    pub logged_out: bool,
    /// Whether it is forgotten when it goes away.
    pub ephemeral: bool,
    /// Operating system, as the device says.
    pub os: String,
    /// Version of its client, as the device says.
    pub client_version: String,
    /// What it offers to route.
    #[schemars(with = "Vec<String>")]
    pub advertised_routes: Vec<IpNet>,
    /// What it may route if it offers it.
    #[schemars(with = "Vec<String>")]
    pub approved_routes: Vec<IpNet>,
    /// What it routes for the mesh: offered, approved and chosen.
    #[schemars(with = "Vec<String>")]
    pub primary_routes: Vec<IpNet>,
    /// UDP addresses where it may be reached directly.
    #[schemars(with = "Vec<String>")]
    pub endpoints: Vec<SocketAddr>,
    /// Home relay region; 0 when unknown.
    pub home_derp: u16,
    /// The machine.
    pub machine_key: MachineKey,
    /// Its WireGuard key.
    pub node_key: NodeKey,
    /// The pre-auth key it joined with.
    pub key_id: Option<AuthKeyId>,
}

/// Several devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Nodes {
    /// In order of id.
    pub nodes: Vec<Node>,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "NodeOne")]
pub struct One {
    /// The device.
    pub node: Node,
    /// What the agent on it said last; null when none ever reported.
    #[serde(default)]
    pub agent: Option<crate::agent::Seen>,
}

/// A device's client has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pong {
    /// The device's id.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// From the question to the answer, at the server.
    pub microseconds: u64,
}

/// The name to have from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NodeRename")]
pub struct Rename {
    /// A DNS label.
    pub name: String,
}

/// How long a key is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NodeExpiry")]
pub struct Expiry {
    /// From now on; null for ever, and every key that the device comes back with.
    pub seconds: Option<u64>,
}

/// Whose it is from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NodeMove")]
pub struct Move {
    /// Login or id.
    pub user: String,
}

/// The tags to have from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tags {
    /// At least one.
    pub tags: Vec<Tag>,
}
