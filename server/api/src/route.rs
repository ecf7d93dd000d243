//! Routes: who offers them, who may, who serves.

use ident::{NodeId, Tag};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operation::{Changed, Method::*, Operation, in_tailnet};

/// Every route that a device offers or may serve, by prefix and device.
pub const LIST: Operation<(), Routes> = Operation::read("route", Get, in_tailnet!("/route"));
/// Lets a device serve routes that it offers, beside those that it may serve already.
pub const APPROVE: Operation<Choice, Changed<Routes>> =
    Operation::write("route", Post, in_tailnet!("/route/approve"));
/// Takes routes away from a device.
pub const REVOKE: Operation<Choice, Changed<Routes>> =
    Operation::write("route", Post, in_tailnet!("/route/revoke"));

/// A prefix at a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// The prefix; `0.0.0.0/0` and `::/0` make an exit node.
    #[schemars(with = "String")]
    pub prefix: IpNet,
    /// The device's id.
    pub node_id: NodeId,
    /// The device's name.
    pub node: String,
    /// Whether the device offers it.
    pub advertised: bool,
    /// Whether the device may serve it.
    pub approved: bool,
    /// Whether the mesh is sent through this device; exit nodes are chosen by each client instead.
    pub primary: bool,
    /// Tags by which a rule of the policy sends its sources through this device.
    pub serves_tags: Vec<Tag>,
    /// Whether the device is online.
    pub online: bool,
    /// Whether routes can be trusted to it: it has left no question unanswered and has not just lost its connection.
    pub responsive: bool,
    /// What comes of all this.
    pub state: State,
}

/// What a device does for a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RouteState")]
pub enum State {
    /// It may serve what it does not offer.
    NotOffered,
    /// It offers what it may not serve.
    NotApproved,
    /// It is not online, or its key has expired.
    Offline,
    /// An exit node that clients can choose.
    Exit,
    /// The mesh, or those whom a rule sends by its tags, reach the prefix through it.
    Serving,
    /// It takes over when those that serve cannot.
    Standby,
    /// It does not answer or has just lost its connection, so others go first.
    Silent,
}

/// Several routes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Routes {
    /// In order of prefix, then of device.
    pub routes: Vec<Route>,
}

/// Routes of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Id, name or full name.
    pub node: String,
    /// At least one.
    #[schemars(with = "Vec<String>")]
    pub prefixes: Vec<IpNet>,
}
