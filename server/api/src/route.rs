//! Routes: who offers them, who may, who serves.

use ident::NodeId;
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
    /// Whether the device is online.
    pub online: bool,
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
