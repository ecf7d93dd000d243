//! The log: everything that was changed, in order, each entry chained to the one before.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::operation::{Method::*, Operation, in_tailnet};

/// Entries of the log, newest last.
pub const LIST: Operation<Query, Events> = Operation::read("event", Get, in_tailnet!("/event"));
/// Entries as they come, as server-sent events: `id` is the number, `data` an [`Event`], comments keep it alive. The header
/// `Last-Event-ID` says the same as `after`.
pub const FOLLOW: Operation<Since, Event> = Operation::stream("event", in_tailnet!("/event/follow"));
/// Reads the whole log and looks for the first entry that does not fit the chain.
pub const VERIFY: Operation<(), Verdict> = Operation::read("event", Get, in_tailnet!("/event/verify"));

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Counts up by one, from 1.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// Who did it: `socket:uid=0`, `apikey:3`, `node:5`, `system`; `offline:uid=0` while the server was stopped.
    pub actor: String,
    /// From where: an address, or `local`.
    pub source: String,
    /// What happened.
    pub kind: String,
    /// To what: `node:5`, `user:1`, `key:3`, `apikey:2`, `role:server`, `policy`, `call:node`.
    pub subject: String,
    /// The event itself.
    pub event: Value,
}

/// Several entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Events {
    /// In order of number.
    pub events: Vec<Event>,
}

/// Which entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Query {
    /// So many at most; [`Query::LIMIT`] when absent, [`Query::MOST`] at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The first ones behind this one instead of the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Only of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only about this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Only by this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

impl Query {
    /// How many entries are answered when no limit is given.
    pub const LIMIT: u64 = 100;
    /// How many entries one answer holds at most.
    pub const MOST: u64 = 10_000;
}

/// From where to follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Since {
    /// Entries behind this one come first; when absent, only new ones come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// What the chain says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "EventVerdict")]
pub struct Verdict {
    /// Whether every entry fits.
    pub intact: bool,
    /// How many entries were looked at.
    pub checked: u64,
    /// The newest entry.
    pub head: Option<Head>,
    /// The first entry that does not fit.
    pub first_bad: Option<Bad>,
}

/// The end of the chain; kept elsewhere, it shows later whether the log was rewritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Head {
    /// Its number.
    pub seq: u64,
    /// Its hash, in hex.
    pub hash: String,
}

/// An entry that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bad {
    /// Its number.
    pub seq: u64,
    /// What does not fit.
    pub reason: String,
}
