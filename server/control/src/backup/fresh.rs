//! An empty server in the place of another: a database with nothing in it, and the keys that clients know or new ones.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{
    BackupError, DATABASE, proof,
    restore::{Held, place},
    scratch::Scratch,
};
use crate::{
    keyring::{self, Keyring},
    store::Store,
};

/// What became of the one that was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emptied {
    /// Where it is kept; none when nothing was there.
    pub aside: Option<PathBuf>,
    /// The name of the new database.
    pub database: String,
}

/// Makes a database with nothing in it and puts it in place. With `new_keys` the server is another one to everybody who knew it; otherwise
/// its keys stay, and devices reach it and are told to register again.
pub fn empty(held: &Held, new_keys: bool, now: Timestamp) -> Result<Emptied, BackupError> {
    let scratch = Scratch::inside(held.folder()).map_err(BackupError::io("a folder for the new database"))?;
    let place_of = scratch.path().join("data");
    DirBuilder::new()
        .mode(0o700)
        .create(&place_of)
        .map_err(BackupError::io("a folder for the new database"))?;
    let kept = ["derp-cert.pem", "derp-key.pem"].into_iter();
    let kept = kept.chain(keyring::names()).chain(keyring::names_of_some());
    for name in kept.filter(|name| !new_keys && held.folder().join(name).is_file()) {
        proof::copy(&held.folder().join(name), &place_of.join(name))?;
    }
    keep_acme(held, &place_of).map_err(BackupError::io("account and certificate of the authority"))?;
    Keyring::create(&place_of)?;
    let store = Store::open(&place_of.join(DATABASE))?;
    Keyring::open(&place_of, &store, true)?;
    let database = store.identity()?;
    drop(store);
    let aside = place(held, &place_of, "reset", now)?;
    Ok(Emptied { aside, database })
}

/// Account and certificate belong to the server's name and to no database: an authority gives out only so many.
fn keep_acme(held: &Held, place: &Path) -> io::Result<()> {
    let (from, to) = (held.folder().join("acme"), place.join("acme"));
    if !from.is_dir() {
        return Ok(());
    }
    DirBuilder::new().mode(0o700).create(&to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
