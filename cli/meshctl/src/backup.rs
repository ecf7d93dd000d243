//! `meshctl backup`: everything that a server is, in one encrypted file, and back.

mod create;
mod file;
mod keys;
mod list;
mod receipt;
mod restore;
mod stopped;
mod verify;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use control::backup::BackupError;
use readiness::check::files::Backup;

use crate::talk::{Answer, Context, Failure};

pub use create::save;
pub use keys::{ForWhom, Opener};
pub use stopped::{Stopped, kept};

#[derive(Subcommand)]
pub enum Verb {
    /// Make one, of a running server or of a stopped one
    Create(create::Args),
    /// Decrypt one and open what is in it, as a start would
    Verify(verify::Args),
    /// Show those in a folder
    List(list::Args),
    /// Put one in the place of a stopped server
    Restore(restore::Args),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::Create(args) => create::run(context, args).await,
            Verb::Verify(args) => verify::run(context, args),
            Verb::List(args) => list::run(context, args),
            Verb::Restore(args) => restore::run(context, args),
        }
    }
}

/// The backups of a folder by their receipts, the oldest first; the newest that was verified is read whole.
pub fn receipts(folder: &Path) -> Result<Vec<Backup>, Failure> {
    let known = receipt::in_folder(folder)?.into_iter().filter_map(|(path, receipt)| Some((path, receipt?)));
    let known: Vec<_> = known.collect();
    let tried = known.iter().rposition(|(_, receipt)| receipt.verified.is_some());
    let backup = |(n, (path, receipt)): (usize, (PathBuf, receipt::Receipt))| Backup {
        is_the_same: match tried == Some(n) {
            true => file::measure(&path).ok().map(|whole| whole.sha256 == receipt.sha256),
            false => None,
        },
        file: path.display().to_string(),
        made: receipt.made,
        database: receipt.proof.database,
        verified: receipt.verified,
    };
    Ok(known.into_iter().enumerate().map(backup).collect())
}

/// In the words of the command line.
pub fn failure(e: &BackupError) -> Failure {
    let code = match e {
        BackupError::Locked(_) => "in_use",
        BackupError::NotEmpty(_) => "not_empty",
        BackupError::Damaged(_) => "damaged",
        BackupError::NoArchive(_) => "no_backup",
        BackupError::Newer { .. } => "newer",
        BackupError::NoRecipient | BackupError::Recipient(_) => "bad_recipient",
        BackupError::Keyring(_) => "wrong_keys",
        BackupError::NoDatabase(_) => "no_database",
        BackupError::Io { .. } | BackupError::Store(_) => "failed",
    };
    let failure = match e {
        BackupError::NoRecipient | BackupError::Recipient(_) => Failure::usage(e.to_string()),
        _ => Failure::failed(e.to_string()),
    };
    match e.hint() {
        Some(hint) => failure.hint(hint).code(code),
        None => failure.code(code),
    }
}
