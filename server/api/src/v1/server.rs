//! The server itself.

use prost::Message;
use serde::{Deserialize, Serialize};

use super::{Rpc, read};
use crate::Method::*;

/// Whether the database answers.
pub const HEALTH: Rpc<Ask, Health> = read("Health", "server", Get, "/api/v1/health");

/// Nothing to say.
#[derive(Clone, Copy, PartialEq, Message, Deserialize)]
pub struct Ask {}

/// How the server is.
#[derive(Clone, Copy, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Whether the database answers.
    #[prost(bool, tag = "1")]
    pub database_connectivity: bool,
}

/// What `/version` answers; nobody needs a credential for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// The interface that is spoken, and whose it is: `v0.30.0+meshctl.0.1.0`.
    pub version: String,
    /// Empty: a build is named by its version.
    pub commit: String,
    /// Empty.
    pub build_time: String,
    /// Always false.
    pub dirty: bool,
}

impl Version {
    /// The interface of which this is one.
    pub const SPOKEN: &str = "v0.30.0";

    /// Of this version of meshctl.
    pub fn of(meshctl: &str) -> Self {
        let version = format!("{}+meshctl.{meshctl}", Self::SPOKEN);
        Self { version, commit: String::new(), build_time: String::new(), dirty: false }
    }
}
