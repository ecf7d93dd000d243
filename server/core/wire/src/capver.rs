//! Capability versions: the one number by which a client says what it understands.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The `Version` of a request. Zero when the client named none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CapVer(pub u32);

impl CapVer {
    /// Release 1.80 of January 2025; older clients are turned away.
    pub const MIN_SUPPORTED: Self = Self(113);
    /// The newest version whose meaning this server knows.
    pub const OURS: Self = Self(145);

    /// Whether a client of this version may register.
    pub fn is_supported(self) -> bool {
        self >= Self::MIN_SUPPORTED
    }
}

impl fmt::Display for CapVer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
