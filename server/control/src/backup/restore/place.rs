//! One set of files in the place of another. Killed at any step, it leaves a folder on which no server starts, or a whole one; what was
//! there is kept either way.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, chown},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{super::DATABASE, BackupError, Held, lockfile, scratch};

/// Puts what is in `from` into the data folder, the database last; what was there goes to `before-WHAT-TIME` inside it.
pub(in super::super) fn place(
    held: &Held,
    from: &Path,
    what: &str,
    now: Timestamp,
) -> Result<Option<PathBuf>, BackupError> {
    let folder = &held.folder;
    let work = || -> io::Result<Option<PathBuf>> {
        let aside = keep(folder, what, now)?;
        owned_like(folder, from)?;
        clear(folder)?;
        let mut names = names(from)?;
        names.sort_by_key(|name| name == DATABASE);
        for name in names {
            fs::rename(from.join(&name), folder.join(&name))?;
        }
        File::open(folder)?.sync_all()?;
        Ok(aside)
    };
    work().map_err(BackupError::io(folder.display().to_string()))
}

/// Everything that is there gets a second name in a folder of its own.
fn keep(folder: &Path, what: &str, now: Timestamp) -> io::Result<Option<PathBuf>> {
    let names = names(folder)?;
    if names.is_empty() {
        return Ok(None);
    }
    let aside = folder.join(format!("before-{what}-{}", now.strftime("%Y%m%dT%H%M%S%3fZ")));
    DirBuilder::new().mode(0o700).create(&aside)?;
    for name in &names {
        second_name(&folder.join(name), &aside.join(name))?;
    }
    owned_like(folder, &aside)?;
    File::open(&aside)?.sync_all()?;
    Ok(Some(aside))
}

/// Files are linked, so that they are in both places or in the new one; sockets are of no use later.
fn second_name(from: &Path, to: &Path) -> io::Result<()> {
    let kind = from.symlink_metadata()?.file_type();
    if kind.is_dir() {
        DirBuilder::new().mode(0o700).create(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            second_name(&from.join(&name), &to.join(&name))?;
        }
        return Ok(());
    }
    if kind.is_file() || kind.is_symlink() { fs::hard_link(from, to) } else { Ok(()) }
}

/// Takes the first names away: the mark of a first start and the database before everything else, for without them no server
/// starts on keys; a key is there until another one takes its name.
fn clear(folder: &Path) -> io::Result<()> {
    for name in ["first-start", DATABASE, "mesh.db-wal", "mesh.db-shm"] {
        match fs::remove_file(folder.join(name)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        File::open(folder)?.sync_all()?;
    }
    for name in names(folder)? {
        let path = folder.join(&name);
        if path.symlink_metadata()?.is_dir() {
            fs::remove_dir_all(&path)?;
        } else if !crate::keyring::names().any(|key| key == name) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// What belongs to the server there: not the lock, not work in progress, not what was kept before.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != lockfile::NAME && !scratch::is_one(&name) && !name.starts_with("before-") {
            names.push(name);
        }
    }
    Ok(names)
}

/// The server may run as somebody else than who restores.
fn owned_like(folder: &Path, path: &Path) -> io::Result<()> {
    let (owner, own) = (folder.metadata()?, path.symlink_metadata()?);
    if (owner.uid(), owner.gid()) == (own.uid(), own.gid()) || !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let mut waiting = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        if path.symlink_metadata()?.is_dir() {
            for entry in fs::read_dir(&path)? {
                waiting.push(entry?.path());
            }
            chown(&path, Some(owner.uid()), Some(owner.gid()))?;
        } else if path.symlink_metadata()?.is_file() {
            chown(&path, Some(owner.uid()), Some(owner.gid()))?;
        }
    }
    Ok(())
}
