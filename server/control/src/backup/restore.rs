//! The way back: unpacked and tried inside the data folder, under the server's lock, and only then put in place.

use std::{
    fs::{self, DirBuilder},
    io::Read,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use api::backup::{Manifest, Proof};
use jiff::Timestamp;
use world::DurableEvent;

use super::{
    BESIDE, BackupError, DATA, DATABASE, Ledger, Recipients,
    archive::extract,
    lockfile::{self, LockFile},
    proof::{self, Opened, opened},
    scratch::{self, Scratch},
};
use crate::{
    keyring,
    store::{Entry, Store},
};

mod place;

pub(super) use place::place;

/// A data folder that no server uses, and none can use until this is dropped.
#[derive(Debug)]
pub struct Held {
    folder: PathBuf,
    _lock: LockFile,
}

impl Held {
    /// Takes the lock of a folder; it is made when it is missing.
    pub fn take(folder: &Path) -> Result<Self, BackupError> {
        let at = || folder.display().to_string();
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(BackupError::io(at()))?;
        let lock = LockFile::take(folder).map_err(BackupError::io(at()))?;
        let lock = lock.ok_or_else(|| BackupError::Locked(folder.to_owned()))?;
        Scratch::sweep(folder).map_err(BackupError::io(at()))?;
        Ok(Self { folder: folder.to_owned(), _lock: lock })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether nothing would be lost if something else were put there.
    pub fn is_empty(&self) -> Result<bool, BackupError> {
        let failed = || BackupError::io(self.folder.display().to_string());
        for entry in fs::read_dir(&self.folder).map_err(failed())? {
            let name = entry.map_err(failed())?.file_name();
            let name = name.to_string_lossy();
            if name != lockfile::NAME && !scratch::is_one(&name) && !name.starts_with("before-") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What the server that is there had handed out; `None` when there is none, or when that cannot be read.
    pub fn ledger(&self, now: Timestamp) -> Option<Ledger> {
        self.found().ok().map(|found| Ledger::of(&found.world, now))
    }

    /// Which server is there.
    pub fn proof(&self) -> Result<Proof, BackupError> {
        self.found().map(|found| found.proof)
    }

    /// Notes in the log of the server that is there that a backup of it is about to be made, for these.
    pub fn note_backup(&self, recipients: &Recipients, now: Timestamp) -> Result<(), BackupError> {
        let database = self.folder.join(DATABASE);
        if !database.is_file() {
            return Err(BackupError::NoDatabase(self.folder.clone()));
        }
        let event = DurableEvent::BackupMade { recipients: recipients.names() };
        let actor = format!("offline:uid={}", nix::unistd::getuid());
        Ok(Store::note(&database, &Entry { event: &event, actor: &actor, source: "local", at: now })?)
    }

    fn found(&self) -> Result<Opened, BackupError> {
        let database = self.folder.join(DATABASE);
        if !database.is_file() {
            return Err(BackupError::NoDatabase(self.folder.clone()));
        }
        let scratch = Scratch::inside(&self.folder).map_err(BackupError::io("a folder to look into"))?;
        let data = scratch.path().join(DATA);
        DirBuilder::new().mode(0o700).create(&data).map_err(BackupError::io("a folder to look into"))?;
        Store::copy(&database, &scratch.path().join(DATABASE))?;
        let optional = keyring::names_of_some().filter(|name| self.folder.join(name).is_file());
        for name in keyring::names().chain(optional) {
            proof::copy(&self.folder.join(name), &data.join(name))?;
        }
        opened(scratch.path())
    }
}

/// An archive that was unpacked and opened.
#[derive(Debug)]
pub struct Staged {
    scratch: Scratch,
    manifest: Manifest,
    proof: Proof,
    ledger: Ledger,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where what was there is kept; none when nothing was.
    pub aside: Option<PathBuf>,
    /// Files for people: the configuration and the policy as they were.
    pub beside: Vec<PathBuf>,
}

impl Staged {
    /// Unpacks a decrypted archive into a folder of its own inside the data folder, and opens what came out.
    pub fn unpack(held: &Held, reader: impl Read, now: Timestamp) -> Result<Self, BackupError> {
        let scratch =
            Scratch::inside(&held.folder).map_err(BackupError::io(held.folder.display().to_string()))?;
        let manifest = extract(reader, scratch.path())?;
        let Opened { proof, world, .. } = opened(scratch.path())?;
        Ok(Self { ledger: Ledger::of(&world, now), scratch, manifest, proof })
    }

    /// What the archive says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What it is found to be.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// What it had handed out.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Puts it in place. What was there is moved into `before-restore-…`; with nothing there, nothing is.
    pub fn put(self, held: &Held, now: Timestamp) -> Result<Restored, BackupError> {
        let from = self.scratch.path();
        let kept = from.join(DATA).join("restored");
        let mut beside = Vec::new();
        if from.join(BESIDE).is_dir() {
            let _ = fs::remove_dir_all(&kept);
            fs::rename(from.join(BESIDE), &kept).map_err(BackupError::io("files beside the database"))?;
            for entry in fs::read_dir(&kept).map_err(BackupError::io("files beside the database"))?.flatten()
            {
                beside.push(held.folder.join("restored").join(entry.file_name()));
            }
            beside.sort();
        }
        fs::rename(from.join(DATABASE), from.join(DATA).join(DATABASE))
            .map_err(BackupError::io("the database"))?;
        let aside = place(held, &from.join(DATA), "restore", now)?;
        Ok(Restored { aside, beside })
    }
}
