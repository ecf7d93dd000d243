//! Key files: one line of prefix and hex, mode 0600, written whole or not at all.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use ident::Secret;
use zeroize::Zeroizing;

use super::KeyringError;

pub(super) fn read(path: &Path, prefix: &str) -> Result<Secret<[u8; 32]>, KeyringError> {
    let bad = |why: String| bad(path, why);
    let meta = path.symlink_metadata().map_err(|e| bad(e.to_string()))?;
    if !meta.is_file() {
        return Err(bad("not a regular file".into()));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(bad(format!("mode {:o} lets others read it", meta.mode() & 0o777)));
    }
    let mut text = Zeroizing::new(String::new());
    let file = File::open(path).map_err(|e| bad(e.to_string()))?;
    file.take(4096).read_to_string(&mut text).map_err(|e| bad(e.to_string()))?;
    let digits =
        text.trim_end().strip_prefix(prefix).ok_or_else(|| bad(format!("does not begin with {prefix}")))?;
    let mut key = [0u8; 32];
    hex::decode_to_slice(digits, &mut key).map_err(|_| bad("not 64 hex digits".into()))?;
    if key == [0; 32] {
        return Err(bad("the key is zero".into()));
    }
    Ok(Secret::new(key))
}

/// The same, where there need not be one.
pub(super) fn read_if_there(path: &Path, prefix: &str) -> Result<Option<Secret<[u8; 32]>>, KeyringError> {
    if path.symlink_metadata().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
        return Ok(None);
    }
    read(path, prefix).map(Some)
}

pub(super) fn create(path: &Path, prefix: &str, key: &Secret<[u8; 32]>) -> Result<(), KeyringError> {
    let text = Zeroizing::new(format!("{prefix}{}\n", hex::encode(key.expose())));
    write_private(path, text.as_bytes()).map_err(|e| bad(path, e))
}

/// An empty file that outlives a power cut.
pub(super) fn mark(path: &Path) -> Result<(), KeyringError> {
    write_private(path, b"").map_err(|e| bad(path, e))
}

/// Takes a mark or a key away, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), KeyringError> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(bad(path, e)),
        Err(_) => Ok(()),
        Ok(()) => sync_folder(path).map_err(|e| bad(path, e)),
    }
}

/// Puts a key in the place of another.
pub(super) fn put(from: &Path, to: &Path) -> Result<(), KeyringError> {
    std::fs::rename(from, to).and_then(|()| sync_folder(to)).map_err(|e| bad(to, e))
}

fn bad(path: &Path, why: impl ToString) -> KeyringError {
    KeyringError::BadFile { path: path.to_owned(), why: why.to_string() }
}

/// Temporary file in the same folder, fsync, rename, fsync of the folder.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    let _ = std::fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
