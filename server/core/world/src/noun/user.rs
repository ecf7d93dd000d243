//! A person.

use ident::UserId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A person who may be responsible for keys and own devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Never used again.
    pub id: UserId,
    /// Unique in the tailnet: `alice` or `alice@example.com`.
    pub login: String,
    /// What people read.
    pub display_name: String,
    /// When the user was made.
    pub created: Timestamp,
}
