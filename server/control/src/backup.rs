//! Backups: everything that a server is in one age file, its test restore, and its way back.
//!
//! An archive is a tar archive inside an age file, so that `age -d FILE | tar x` opens it too: `manifest.json` first, then
//! `mesh.db`, the files of the data folder below `data/`, and below `beside/` what is for people to read: the configuration and
//! the policy.

mod archive;
mod fresh;
mod ledger;
pub mod lockfile;
mod proof;
mod restore;
mod scratch;
mod seal;
mod snapshot;

use std::{io, path::PathBuf};

use crate::{keyring::KeyringError, store::StoreError};

pub use archive::extract;
pub use fresh::{Emptied, empty};
pub use ledger::{Issued, Ledger, Returned};
pub use proof::prove;
pub use restore::{Held, Restored, Staged};
pub use scratch::Scratch;
pub use seal::Recipients;
pub use snapshot::{Snapshot, Sources};

/// The database in an archive and in a data folder.
pub const DATABASE: &str = "mesh.db";
/// Files of the data folder stand below it in an archive.
const DATA: &str = "data";
/// What is for people stands below it.
const BESIDE: &str = "beside";

/// Why there is no backup, or no way back from one.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file said no.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        cause: io::Error,
    },
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Database and keys do not go together.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Another process uses the data folder.
    #[error("{0} is in use by a running server")]
    Locked(PathBuf),
    /// Nobody could open it.
    #[error("no recipient is given")]
    NoRecipient,
    /// Not a public key.
    #[error("`{0}` is no recipient that is known here")]
    Recipient(String),
    /// It is no archive of a server.
    #[error("it is no backup of a meshctl server: {0}")]
    NoArchive(String),
    /// It was one.
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    /// Made by a newer release.
    #[error("the backup has form {found}, this release reads up to {known}")]
    Newer {
        /// In the archive.
        found: u32,
        /// Here.
        known: u32,
    },
    /// Something would be lost.
    #[error("{0} is not empty")]
    NotEmpty(PathBuf),
    /// There is no server there.
    #[error("there is no database in {0}")]
    NoDatabase(PathBuf),
}

impl BackupError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            BackupError::Keyring(e) => e.hint().to_owned(),
            BackupError::Locked(_) => "stop the server first: systemctl stop meshctl".to_owned(),
            BackupError::NoRecipient | BackupError::Recipient(_) => {
                "`age-keygen -o backup.key` makes a pair and prints the recipient, age1…; keep the file elsewhere".to_owned()
            }
            BackupError::NotEmpty(_) => {
                "--force moves what is there aside, into a folder inside it; nothing is deleted".to_owned()
            }
            BackupError::Newer { .. } => "use the release that made it, or a newer one".to_owned(),
            BackupError::Damaged(_) => "take another backup: `meshctl backup list` shows them".to_owned(),
            BackupError::NoDatabase(_) => "--data-dir names the folder that the server was started with".to_owned(),
            _ => return None,
        })
    }

    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> BackupError {
        let what = what.into();
        move |cause| BackupError::Io { what, cause }
    }
}
