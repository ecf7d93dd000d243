//! The server itself.

use std::net::SocketAddr;

use ident::MachineKey;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operation::{Changed, Method::*, Operation, in_tailnet};

/// How the server is, seen from a tailnet.
pub const STATUS: Operation<(), Status> = Operation::read("server", Get, in_tailnet!("/server"));
/// Has the configuration read again and applied as a whole, or not at all.
pub const RELOAD: Operation<(), Changed<Reloaded>> =
    Operation::write("server", Post, in_tailnet!("/server/reload"));

/// What connected devices are told, and which of them took it up.
pub const NOTICE: Operation<(), Notice> = Operation::read("server", Get, in_tailnet!("/server/notice"));
/// Tells every connected device a line that its client shows as a warning, until another one takes its place or the server is started
/// again; without a text, that it no longer holds. Waits up to two seconds for the devices to take it up.
pub const SET_NOTICE: Operation<SetNotice, Changed<Notice>> =
    Operation::write("server", Put, in_tailnet!("/server/notice"));

/// A line for devices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetNotice {
    /// At most 500 bytes; absent takes back what was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What devices were told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// The line; null when there is none.
    pub text: Option<String>,
    /// Devices whose connection took it up, by name.
    pub told: Vec<String>,
    /// The others.
    pub not_told: Vec<String>,
    /// Devices whose agent showed that it has arrived on the machine.
    #[serde(default)]
    pub acknowledged: Vec<Acknowledged>,
    /// Devices that are online, whose agent reports and has not shown it yet.
    #[serde(default)]
    pub awaited: Vec<String>,
}

/// A device that a notice has reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acknowledged {
    /// Its name.
    pub node: String,
    /// When its agent showed it.
    pub at: Timestamp,
}

/// What a reload found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reloaded {
    /// Keys of the configuration that have other values than before; `tls` also when other certificates are in the files,
    /// `derp_maps` also when other relays are in the maps.
    pub applied: Vec<String>,
}

/// How the server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Version of meshctl that runs there.
    pub version: String,
    /// What clients are told: `tailscale up --login-server=` this.
    pub server_url: String,
    /// Its public Noise key.
    pub public_key: MachineKey,
    /// The one before it, while that is accepted too.
    #[serde(default)]
    pub previous_key: Option<MachineKey>,
    /// Which database it runs on: drawn when it was made, the same after a restart and after a restore.
    #[serde(default)]
    pub database: String,
    /// MagicDNS suffix.
    pub domain: String,
    /// When this process started.
    pub started: Timestamp,
    /// Where it keeps what must last: `sqlite`.
    pub store: String,
    /// Where this host finds `/metrics` and `/health`; null where they are not served.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub monitor: Option<SocketAddr>,
    /// What is there.
    pub counts: Counts,
    /// Whether keys without tags are made and taken, as headscale does it: `keys.allow_untagged`.
    #[serde(default)]
    pub allow_untagged_keys: bool,
    /// Whether a policy was ever set; without one everything is denied.
    pub policy_set: bool,
    /// What an operator should know, a sentence each: how a policy that could not be read was replaced, which of the
    /// policy's own tests fail, what is wrong with the watched file of DNS records, what DNS leads clients away from.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Its own relay; null when switched off.
    pub relay: Option<Relay>,
    /// Whether the stored policy cannot be read; `warnings` says what is in force in its place.
    #[serde(default)]
    pub policy_unreadable: bool,
    /// Records that a start could not read and set aside, the newest first, at most [`SetAside::MOST`].
    #[serde(default)]
    pub set_aside: Vec<SetAside>,
    /// How many there are in all.
    #[serde(default)]
    pub set_aside_total: u64,
}

/// A record that a start could not read. It is kept, and what it alone held can be given again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetAside {
    /// Its number among those set aside.
    pub id: u64,
    /// When it was found.
    pub found: Timestamp,
    /// `node`, `user`, `role`, `key`, `apikey` or `policy`.
    pub noun: String,
    /// Its name, or else its id, where these can be read.
    pub name: String,
}

impl SetAside {
    /// So many are told.
    pub const MOST: usize = 100;

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self.noun.as_str() {
            "node" => "let the device register again with a key, or restore a backup",
            "user" => "create the person again with `meshctl user create`, or restore a backup",
            "policy" => "see whether the one in force is right: `meshctl policy history` has those before it",
            "role" => "set the role again with `meshctl role set`, or restore a backup",
            _ => "make a new one and revoke what used it, or restore a backup",
        }
    }
}

/// What is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Devices.
    pub nodes: u64,
    /// Devices online.
    pub online: u64,
    /// People.
    pub users: u64,
    /// Roles.
    pub roles: u64,
    /// Pre-auth keys that would let a device in.
    pub keys: u64,
    /// Entries of the log.
    pub events: u64,
}

/// The relay inside the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Relay {
    /// DERP region.
    pub region: u16,
    /// Host name that clients are told.
    pub host: String,
    /// TCP port of DERP.
    pub derp_port: u16,
    /// UDP port of STUN; null when switched off.
    pub stun_port: Option<u16>,
    /// The certificate that clients are told to expect, `sha256-raw:` and the SHA-256 of its DER in hex; null where one
    /// of an authority is to be trusted.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Devices connected to it.
    pub connected: u64,
    /// What it has passed on since it started.
    #[serde(default)]
    pub traffic: RelayTraffic,
}

/// Packets that came to a relay, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RelayTraffic {
    /// Handed to the connection of their addressee.
    pub packets: u64,
    /// Bytes in those.
    pub bytes: u64,
    /// Dropped because the addressee takes less than is sent to it.
    pub dropped_queue_full: u64,
    /// Dropped because the addressee is not connected.
    pub dropped_not_here: u64,
    /// Dropped because the addressee left before they were written.
    pub dropped_left: u64,
}
