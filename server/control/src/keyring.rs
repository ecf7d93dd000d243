//! The server's own secrets: Noise key, relay key, and the pepper under which credentials are hashed.
//!
//! They live as 0600 files beside the database, never in it; the database keeps their fingerprints, so that a key
//! from another server, or a lost one, is noticed before anything is served.

mod file;
mod mint;
mod noise;
mod uses;

use std::path::{Path, PathBuf};

use aws_lc_rs::{digest, hmac};
use ident::Secret;
use world::Verifier;

use crate::store::{Store, StoreError, server_key};
pub use mint::{Presented, mint, present};
pub use noise::{Accepting, NoiseKeys, Prepared, ServerKey};
pub use uses::{Uses, write_uses};

/// Why the keys and the database do not go together.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The database is there and the key is not.
    #[error("{path} is missing, but the database {database} was made with it")]
    KeyMissing {
        /// The key's file.
        path: PathBuf,
        /// The database's file.
        database: PathBuf,
    },
    /// The key is there and the database is not.
    #[error("{path} is there, but the database {database} that belongs to it is missing")]
    DatabaseMissing {
        /// The key's file.
        path: PathBuf,
        /// The database's file.
        database: PathBuf,
    },
    /// Both are there and were not made together.
    #[error("{path} is not the key that the database was made with")]
    WrongKey {
        /// The key's file.
        path: PathBuf,
    },
    /// The file is not usable as a key.
    #[error("{path}: {why}")]
    BadFile {
        /// The key's file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The database could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl KeyringError {
    /// What to restore.
    pub fn hint(&self) -> &'static str {
        match self {
            KeyringError::KeyMissing { .. } => {
                "restore the key file from the same backup as the database; a new key would strand every client"
            }
            KeyringError::DatabaseMissing { .. } => {
                "restore the database from the same backup as the key, or move the key files away to start an empty server"
            }
            KeyringError::WrongKey { .. } => "restore key files and database from the same backup",
            KeyringError::BadFile { .. } => {
                "restore the file from a backup; it must be a regular file of mode 0600"
            }
            KeyringError::Store(_) => "see the message of the database",
        }
    }
}

/// The server's secrets in memory.
#[derive(Debug)]
pub struct Keyring {
    /// Static private keys of the Noise handshakes.
    pub noise: NoiseKeys,
    /// Private key of the relay.
    pub derp: Secret<[u8; 32]>,
    pepper: hmac::Key,
    tokens: hmac::Key,
}

/// The version of the only pepper there is.
const PEPPER: u32 = 1;

/// File name, text prefix and name in the database of each secret.
const FILES: [(&str, &str, &str); 3] = [
    (noise::FILE, noise::PREFIX, server_key::CURRENT),
    ("derp.key", "derpkey:", "derp_key"),
    ("pepper-1.key", "pepper:", "pepper_1"),
];

/// The names of the key files that every data folder has.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _, _)| *name)
}

/// The names of key files that some data folders have.
pub fn names_of_some() -> impl Iterator<Item = &'static str> {
    [noise::BEFORE].into_iter()
}

/// There from before the first key is written until the database knows them all: keys that a killed first start left
/// behind have served nobody and may be completed.
const BEGUN: &str = "first-start";

/// Looks whether keys and database are both there or both not; to be asked before the database is opened.
/// `Ok(true)` when this is a first start, or goes on with one that was interrupted.
pub fn first_start(data_dir: &Path, database: &Path) -> Result<bool, KeyringError> {
    if data_dir.join(BEGUN).exists() {
        return Ok(true);
    }
    let has_database = database.exists();
    for (name, _, _) in FILES {
        let path = data_dir.join(name);
        let database = database.to_owned();
        match (path.symlink_metadata().is_ok(), has_database) {
            (false, true) => return Err(KeyringError::KeyMissing { path, database }),
            (true, false) => return Err(KeyringError::DatabaseMissing { path, database }),
            (true, true) | (false, false) => {}
        }
    }
    Ok(!has_database)
}

impl Keyring {
    /// Reads the keys and compares them with what the database remembers of them. Only in a first start may it remember
    /// nothing yet: an empty database beside older keys is a lost one.
    pub fn open(data_dir: &Path, store: &Store, first_start: bool) -> Result<Self, KeyringError> {
        let noise = NoiseKeys::open(data_dir, store, first_start)?;
        let mut keys = Vec::new();
        for (name, prefix, meta) in &FILES[1..] {
            let path = data_dir.join(name);
            let key = file::read(&path, prefix)?;
            let fingerprint = fingerprint(meta, key.expose());
            match store.meta(meta)? {
                Some(known) if known != fingerprint => return Err(KeyringError::WrongKey { path }),
                Some(_) => {}
                None if !first_start => return Err(KeyringError::WrongKey { path }),
                None => store.set_meta(meta, &fingerprint)?,
            }
            keys.push(key);
        }
        file::remove(&data_dir.join(BEGUN))?;
        let [derp, pepper] = <[_; 2]>::try_from(keys).unwrap_or_else(|_| std::process::abort());
        let pepper = hmac::Key::new(hmac::HMAC_SHA256, pepper.expose());
        let tokens = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&pepper, TOKENS).as_ref());
        Ok(Self { noise, derp, pepper, tokens })
    }

    /// Makes the keys of a first start, before the database exists; those that an interrupted one left are kept.
    pub fn create(data_dir: &Path) -> Result<(), KeyringError> {
        file::mark(&data_dir.join(BEGUN))?;
        for (name, prefix, _) in FILES {
            let path = data_dir.join(name);
            if path.symlink_metadata().is_err() {
                file::create(&path, prefix, &random())?;
            }
        }
        Ok(())
    }

    /// What the database may know of a credential's secret.
    pub fn verifier(&self, secret: &Secret<String>) -> Verifier {
        let tag = hmac::sign(&self.pepper, secret.expose().as_bytes());
        let mut digest = [0u8; 32];
        digest.copy_from_slice(tag.as_ref());
        Verifier { pepper: PEPPER, digest }
    }

    /// What stands under an identity token, so that this server knows it again.
    pub fn sign_token(&self, text: &str) -> [u8; 32] {
        let mut tag = [0u8; 32];
        tag.copy_from_slice(hmac::sign(&self.tokens, text.as_bytes()).as_ref());
        tag
    }

    /// Whether this server has signed the text, found out in the same time whatever is wrong.
    pub fn has_signed_token(&self, text: &str, tag: &[u8]) -> bool {
        hmac::verify(&self.tokens, text.as_bytes(), tag).is_ok()
    }
}

/// Sets the key of identity tokens apart from everything else that the pepper is for.
const TOKENS: &[u8] = b"meshctl identity tokens 1";

/// The key of a relay that stands alone, in a file of mode 0600; made at the first start. The data folder's lock must be held.
pub fn relay_key(path: &Path) -> Result<Secret<[u8; 32]>, KeyringError> {
    let (_, prefix, _) = FILES[1];
    if path.symlink_metadata().is_err() {
        file::create(path, prefix, &random())?;
    }
    file::read(path, prefix)
}

/// 256 bits from the operating system's generator. Without one there is no safe way to go on.
pub fn random() -> Secret<[u8; 32]> {
    let mut bytes = [0u8; 32];
    if getrandom::fill(&mut bytes).is_err() {
        std::process::abort();
    }
    Secret::new(bytes)
}

fn fingerprint(name: &str, key: &[u8; 32]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"meshctl fingerprint ");
    context.update(name.as_bytes());
    context.update(key);
    hex::encode(context.finish())
}
