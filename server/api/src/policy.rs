//! The policy in force, and those before it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Mistake,
    operation::{Changed, Method::*, Operation, in_tailnet},
};

/// The policy in force, as it was written. The answer's header `ETag` is [`Policy::etag`] in quotes.
pub const GET: Operation<(), Policy> = Operation::read("policy", Get, in_tailnet!("/policy"));
/// Puts a policy in force. One with mistakes is refused with their places; one that gives somebody more than before is
/// refused with the rules that do so, unless the edit accepts it; and so is one that was made from another policy than
/// the one in force, when [`Edit::if_match`] or the header `If-Match` says from which.
pub const SET: Operation<Edit, Changed<Policy>> = Operation::write("policy", Put, in_tailnet!("/policy"));
/// Reads a policy and says what is wrong with it.
pub const CHECK: Operation<Text, Verdict> = Operation::read("policy", Post, in_tailnet!("/policy/check"));
/// The policies that were in force, newest first.
pub const HISTORY: Operation<Page, History> = Operation::read("policy", Get, in_tailnet!("/policy/version"));
/// One of them, with its text.
pub const VERSION: Operation<(), Past> =
    Operation::read("policy", Get, in_tailnet!("/policy/version/{version}"));

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// HuJSON; empty when none was ever set, which denies everything.
    pub policy: String,
    /// When it came into force.
    pub updated: Option<Timestamp>,
    /// Its number, from 1.
    #[serde(default)]
    pub version: Option<u64>,
    /// Names the text: another text has another one.
    #[serde(default)]
    pub etag: String,
}

/// A text to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// HuJSON.
    pub policy: String,
}

/// A text to put in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PolicyEdit")]
pub struct Edit {
    /// HuJSON.
    pub policy: String,
    /// Why, for those who read the history; at most 500 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether somebody may gain something by it.
    #[serde(default)]
    pub accept_widening: bool,
    /// The [`Policy::etag`] of the policy that was edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<String>,
}

/// Whether a text is a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PolicyVerdict")]
pub struct Verdict {
    /// Whether it is one.
    pub valid: bool,
    /// Why not.
    pub errors: Vec<Mistake>,
}

/// Which of the policies that were in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// So many at most; [`Page::LIMIT`] when absent, [`Page::MOST`] at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Only those before this number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

impl Page {
    /// How many versions are answered when no limit is given.
    pub const LIMIT: u64 = 50;
    /// How many versions one answer holds at most.
    pub const MOST: u64 = 1_000;
}

/// A policy that was put in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// Counts up by one, from 1.
    pub version: u64,
    /// When it came into force.
    pub at: Timestamp,
    /// Who put it there: `socket:uid=0`, `apikey:3`.
    pub author: String,
    /// From where: an address, or `local`.
    pub source: String,
    /// Why; may be empty.
    pub message: String,
    /// Length of its text.
    pub bytes: u64,
    /// Its entry of the log.
    pub seq: u64,
}

/// Several of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// Newest first.
    pub versions: Vec<Version>,
}

/// One of them, with its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Past {
    /// Which, and who put it in force.
    #[serde(flatten)]
    pub version: Version,
    /// HuJSON.
    pub policy: String,
}

impl Edit {
    /// This text, with nothing said about it.
    pub fn of(policy: impl Into<String>) -> Self {
        Self { policy: policy.into(), ..Self::default() }
    }
    /// The same, whoever gains by it.
    pub fn accepting(self) -> Self {
        Self { accept_widening: true, ..self }
    }
}
