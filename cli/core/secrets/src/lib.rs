//! Secrets at rest: Ansible Vault, SOPS with age, plain age; one value changed and every other byte left alone; and
//! the journal of a rotation that never leaves a consumer without a working credential.
//!
//! Enters: bytes, keys, fresh random bytes, the moment as text. Leaves: bytes, values, judgements. Must not know: where
//! files are, what a network is, who asks. (`age` draws its own file keys: the one exception to purity.)

pub mod age;
pub mod document;
mod file;
pub mod journal;
pub mod sops;
pub mod vault;

pub use file::{Entry, Error, Format, Keys, Rekey, Sealing, get, list, rekey, set, verify};

/// Where fresh random bytes come from: the operating system in the binary, a counter in a test.
pub type Fresh<'a> = &'a mut dyn FnMut() -> [u8; 32];
