//! A machine's or server's static private key.

use std::{fmt, sync::Arc};

use aws_lc_rs::agreement::{self, X25519};
use ident::{MachineKey, Secret};

/// Why bytes are no private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an X25519 private key")]
pub struct PrivateKeyError;

/// An X25519 private key, parsed once and cheap to clone. The bytes are wiped when the last clone goes.
#[derive(Clone)]
pub struct PrivateKey(Arc<Parts>);

struct Parts {
    raw: Secret<[u8; 32]>,
    parsed: agreement::PrivateKey,
    public: MachineKey,
}

impl PrivateKey {
    /// The key with these bytes, which any 32 may be.
    pub fn new(raw: [u8; 32]) -> Result<Self, PrivateKeyError> {
        let raw = Secret::new(raw);
        let parsed =
            agreement::PrivateKey::from_private_key(&X25519, raw.expose()).map_err(|_| PrivateKeyError)?;
        let public = parsed.compute_public_key().map_err(|_| PrivateKeyError)?;
        let public = <[u8; 32]>::try_from(public.as_ref()).map_err(|_| PrivateKeyError)?;
        let public = MachineKey::from_bytes(public).map_err(|_| PrivateKeyError)?;
        Ok(Self(Arc::new(Parts { raw, parsed, public })))
    }

    /// What the other side knows of it.
    pub fn public_key(&self) -> MachineKey {
        self.0.public
    }

    pub(crate) fn public_bytes(&self) -> &[u8; 32] {
        self.0.public.as_bytes()
    }

    pub(crate) fn raw(&self) -> &[u8; 32] {
        self.0.raw.expose()
    }

    /// The shared secret, or `None` for a point of low order, whose secret would be zero.
    pub(crate) fn agree(&self, public: &[u8]) -> Option<Secret<[u8; 32]>> {
        let theirs = agreement::UnparsedPublicKey::new(&X25519, public);
        let shared: [u8; 32] =
            agreement::agree(&self.0.parsed, theirs, (), |secret| secret.try_into().map_err(|_| ())).ok()?;
        (shared != [0; 32]).then(|| Secret::new(shared))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(of {:?})", self.0.public)
    }
}
