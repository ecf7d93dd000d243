//! The policy in force.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Mistake,
    operation::{Changed, Method::*, Operation, in_tailnet},
};

/// The policy in force, as it was written.
pub const GET: Operation<(), Policy> = Operation::read("policy", Get, in_tailnet!("/policy"));
/// Puts a policy in force; one with mistakes is refused with their places.
pub const SET: Operation<Text, Changed<Policy>> = Operation::write("policy", Put, in_tailnet!("/policy"));
/// Reads a policy and says what is wrong with it.
pub const CHECK: Operation<Text, Verdict> = Operation::read("policy", Post, in_tailnet!("/policy/check"));

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// HuJSON; empty when none was ever set, which denies everything.
    pub policy: String,
    /// When it came into force.
    pub updated: Option<Timestamp>,
}

/// A text to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// HuJSON.
    pub policy: String,
}

/// Whether a text is a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether it is one.
    pub valid: bool,
    /// Why not.
    pub errors: Vec<Mistake>,
}
