//! The policy in force.

use prost::Message;
use serde::{Deserialize, Serialize};

use super::{Nothing, Rpc, Stamp, read, server::Ask, write};
use crate::Method::*;

/// The policy in force, as it was written.
pub const GET: Rpc<Ask, Policy> = read("GetPolicy", "policy", Get, "/api/v1/policy");
/// Puts a policy in force.
pub const SET: Rpc<Text, Policy> = write("SetPolicy", "policy", Put, "/api/v1/policy");
/// Refuses what is no policy.
pub const CHECK: Rpc<Text, Nothing> = read("CheckPolicy", "policy", Post, "/api/v1/policy/check");

/// A policy.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// HuJSON; empty when none was ever set, which denies everything.
    #[prost(string, tag = "1")]
    pub policy: String,
    /// When it came into force; never null, for tools take that as a policy that cannot be set here.
    #[prost(message, optional, tag = "2")]
    pub updated_at: Option<Stamp>,
}

/// A text to read.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub struct Text {
    /// HuJSON.
    #[prost(string, tag = "1")]
    pub policy: String,
}
