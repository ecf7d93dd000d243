//! What agents on devices say of their machines.
//!
//! A report is no operation of the admin interface: no API key opens it. An agent has its client fetch an identity token
//! whose audience is the report's own digest, so that the token proves this report and nothing else.

use ident::{MachineKey, NodeId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operation::{Method::*, Operation, in_tailnet};

/// The last report of every device whose agent ever reported.
pub const LIST: Operation<(), Agents> = Operation::read("node", Get, in_tailnet!("/agent"));
/// Where agents POST a [`Report`] with their token as bearer; the answer is a [`Taken`].
pub const REPORT_PATH: &str = "/api/agent/v1/report";
/// Where anybody reads which mesh this is: a [`Mesh`].
pub const MESH_PATH: &str = "/api/agent/v1/mesh";
/// The longest report, in bytes.
pub const LONGEST: usize = 16 << 10;
/// What the audience of a token for a report begins with; the SHA-256 of the report's bytes in hex follows.
pub const AUDIENCE: &str = "meshctl-agent:";
/// An agent that is silent for so many of its own intervals is missed.
pub const MISSED_AFTER: u32 = 3;

/// How a check on a device ended, from the least to the most that is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "AgentState")]
pub enum State {
    /// There is nothing of the kind there.
    Skip,
    /// It is so, and was seen.
    Pass,
    /// It works, and somebody should know something.
    Warn,
    /// It could not be determined. Never a pass.
    Unknown,
    /// It is not so.
    Fail,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AgentCheck")]
pub struct Check {
    /// `tunnel`, `dns.mesh`: at most 40 lower-case letters, digits, dots and hyphens.
    pub id: String,
    /// How it ended.
    pub state: State,
    /// One line, at most 400 bytes.
    pub detail: String,
    /// A line to paste that mends it, at most 400 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// What an agent says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AgentReport")]
pub struct Report {
    /// Version of meshctl on the device.
    pub version: String,
    /// The device's clock.
    pub at: Timestamp,
    /// When the next one is due, in seconds.
    pub every_seconds: u32,
    /// At most 32.
    pub checks: Vec<Check>,
    /// What the device's client shows as warnings, at most 16 lines of 600 bytes: a notice that is among them has arrived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health: Vec<String>,
    /// What the agent holds or has done with an instruction for a recovery, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<String>,
    /// Resident memory of the agent, in KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_kib: Option<u64>,
}

impl Report {
    /// The worst of its checks; without any, nothing is known.
    pub fn state(&self) -> State {
        self.checks.iter().map(|check| check.state).max().unwrap_or(State::Unknown)
    }
}

/// What an agent is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The device that it proved to be.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// The notice in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// Whether this report, or an earlier one, showed that it has arrived.
    #[serde(default)]
    pub acknowledged: bool,
}

/// Which mesh a server serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mesh {
    /// The name of its database: after a reset it is another one.
    pub database: String,
    /// Its public Noise key.
    pub public_key: MachineKey,
}

/// A report that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AgentSeen")]
pub struct Seen {
    /// When it came in, by the server's clock.
    pub received: Timestamp,
    /// The worst of its checks.
    pub state: State,
    /// Whether the next one is long overdue.
    pub missed: bool,
    /// When it was shown that the notice in force has arrived; null when there is none, or it has not.
    pub acknowledged: Option<Timestamp>,
    /// What it says.
    pub report: Report,
}

/// A device with an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Agent {
    /// The device.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// Whether the device is online.
    pub online: bool,
    /// Its last report.
    #[serde(flatten)]
    pub seen: Seen,
}

/// Several devices with agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Agents {
    /// In order of id.
    pub agents: Vec<Agent>,
}
