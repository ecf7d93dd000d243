//! The server's Noise key, which clients know it by, and its rotation.

use ident::{MachineKey, NodeId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operation::{Changed, Method::*, Operation, in_tailnet};

/// The key that clients are told, and while two are accepted, which device uses which.
pub const SHOW: Operation<(), ServerKey> = Operation::read("server", Get, in_tailnet!("/server/key"));
/// Makes another key. Clients that start from here on are told it; the one before is accepted too, until it is retired.
pub const ROTATE: Operation<(), Changed<ServerKey>> =
    Operation::write("server", Post, in_tailnet!("/server/key/rotate"));
/// Accepts the key before no more. Refused while a device may still use it, unless it is forced; its channels end then.
pub const RETIRE: Operation<Retire, Changed<ServerKey>> =
    Operation::write("server", Post, in_tailnet!("/server/key/retire"));

/// Whether devices are left behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServerKeyRetire")]
pub struct Retire {
    /// Also while devices use it: they are cut off until their client is started again.
    #[serde(default)]
    pub force: bool,
}

/// The server's Noise key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerKey {
    /// The public half that clients are told.
    pub key: MachineKey,
    /// The key before it, while that is accepted too; null when it is not.
    pub previous: Option<Previous>,
}

/// A key that is accepted beside the one after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ServerKeyBefore")]
pub struct Previous {
    /// Its public half.
    pub key: MachineKey,
    /// When the one after it was made.
    pub since: Timestamp,
    /// Devices that use it.
    pub using: u64,
    /// Devices that were not seen since.
    pub unseen: u64,
    /// Every device: those that use it, then those that were not seen, then those with the new key.
    pub devices: Vec<Device>,
}

impl Previous {
    /// Devices that may still need it.
    pub fn in_the_way(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| device.uses != Uses::New)
    }
}

/// Which of two keys a device uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ServerKeyDevice")]
pub struct Device {
    /// Its id.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// Whether it is connected.
    pub online: bool,
    /// The key that it was last served with.
    pub uses: Uses,
    /// When it was seen with that key first; null when it was not seen since the rotation.
    pub since: Option<Timestamp>,
}

/// A key, from the side of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ServerKeyUse")]
pub enum Uses {
    /// The one before.
    Old,
    /// Nobody knows: it was not seen since the rotation.
    Unseen,
    /// The one that clients are told.
    New,
}
