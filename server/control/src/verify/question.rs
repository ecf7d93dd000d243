//! What a relay asks, and what it is answered. Source: official relays with `--verify-client-url`.

use serde::{Deserialize, Serialize};

/// Members that are not named here are of no interest.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Question {
    /// The client's node key.
    pub node_public: String,
    /// The address that it came from; empty when nobody knows.
    #[serde(default)]
    pub source: String,
}

/// Anything else is no answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Answer {
    /// Whether the client may use the relay.
    pub allow: bool,
}
