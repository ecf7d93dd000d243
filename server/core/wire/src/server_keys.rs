//! The answer to `GET /key`.

use ident::MachineKey;
use serde::{Deserialize, Serialize};

/// The server's public keys: the Noise key, and the zero key in the place of the one before Noise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerKeys {
    legacy_public_key: String,
    /// The static key of the server's side of the Noise handshake.
    pub public_key: MachineKey,
}

impl ServerKeys {
    /// The answer that announces this Noise key.
    pub fn new(public_key: MachineKey) -> Self {
        Self { legacy_public_key: format!("{}{}", MachineKey::PREFIX, "0".repeat(64)), public_key }
    }
}
