//! Credentials of this API.

use ident::{ApiKeyId, Scopes};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    key::{Plaintext, Verify},
    operation::{Changed, Method::*, Operation, in_tailnet},
};

/// All credentials that were made, by id, without their secrets.
pub const LIST: Operation<(), ApiKeys> = Operation::read("apikey", Get, in_tailnet!("/apikey"));
/// Makes a credential; the only time its secret is told.
pub const CREATE: Operation<Create, Changed<Created>> =
    Operation::write("apikey", Post, in_tailnet!("/apikey"));
/// Says whether a credential would open anything now; that does not count as a use of it.
pub const VERIFY: Operation<Verify, Verdict> = Operation::read("apikey", Post, in_tailnet!("/apikey/verify"));
/// Voids a credential at once.
pub const REVOKE: Operation<(), Changed<One>> =
    Operation::write("apikey", Post, in_tailnet!("/apikey/{apikey}/revoke"));

/// Lifetime when none is asked for: 90 days.
pub const DEFAULT_EXPIRY_SECONDS: u64 = 90 * 24 * 3600;

/// A credential without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiKey {
    /// Never used again.
    pub id: ApiKeyId,
    /// Its text with the secret left out: `mk-api-2-…`.
    pub masked: String,
    /// For people.
    pub description: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created: Timestamp,
    /// From then on it opens nothing.
    pub expires: Timestamp,
    /// The last call that it opened; lags by some seconds.
    pub last_used: Option<Timestamp>,
    /// Since when it is void.
    pub revoked: Option<Timestamp>,
}

/// Several credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiKeys {
    /// In order of id.
    pub apikeys: Vec<ApiKey>,
}

/// One credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ApiKeyOne")]
pub struct One {
    /// The credential.
    pub apikey: ApiKey,
}

/// A credential to make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ApiKeyCreate")]
pub struct Create {
    /// For people.
    #[serde(default)]
    pub description: String,
    /// What it may do, at most what its maker may; just that when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Scopes>,
    /// Lifetime from now; [`DEFAULT_EXPIRY_SECONDS`] when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_seconds: Option<u64>,
}

/// A credential that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ApiKeyCreated")]
pub struct Created {
    /// The credential; null when it was only checked whether it could be made.
    pub apikey: Option<ApiKey>,
    /// Its whole text, told this once; null when it was only checked.
    pub secret: Option<Plaintext>,
}

/// Whether a credential would open anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ApiKeyVerdict")]
pub struct Verdict {
    /// Whether it would.
    pub works: bool,
    /// Why it would not.
    pub reason: Option<String>,
    /// The credential, if the secret is one of ours.
    pub apikey: Option<ApiKey>,
}
