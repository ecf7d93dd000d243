//! What is wrong, in the words of all ages: RFC 7807 as headscale 0.30 answers, `code` and `message` as before.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A refusal or a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time, and what to do next.
    pub detail: String,
    /// The places, where something that was sent is at fault.
    pub errors: Vec<Place>,
    /// The code of gRPC.
    pub code: i32,
    /// The same as `detail`.
    pub message: String,
    /// Always empty.
    pub details: Vec<Value>,
}

/// Something that was sent and is at fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// What is wrong.
    pub message: String,
    /// Where: `path.nodeId`, `query.user`, `body.aclTags`.
    pub location: String,
    /// What was there.
    pub value: Value,
}
