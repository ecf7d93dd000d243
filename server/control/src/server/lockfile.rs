//! One server to a data folder.

use std::{fs::File, os::unix::fs::OpenOptionsExt, path::Path};

use super::Fault;

/// Held while the server runs; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct LockFile(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl LockFile {
    pub(super) fn take(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join("server.lock");
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(Fault::io(path.display().to_string()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(_) => Err(Fault::Locked { folder: folder.to_owned() }),
        }
    }
}
