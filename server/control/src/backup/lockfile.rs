//! One server to a data folder.

use std::{
    fs::{File, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    thread::sleep,
    time::Duration,
};

/// The name of the file in the data folder.
pub const NAME: &str = "server.lock";

/// A server that is just ending, and a program that another thread of it is just starting, hold it a moment longer.
const TRIES: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(25);

/// Held while the server runs; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct LockFile(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl LockFile {
    /// The lock, or `None` when another process holds it and keeps it for half a second.
    pub fn take(folder: &Path) -> io::Result<Option<Self>> {
        let path = folder.join(NAME);
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self(file))),
                Err(TryLockError::WouldBlock) => sleep(BETWEEN),
                Err(TryLockError::Error(e)) => return Err(e),
            }
        }
        Ok(None)
    }
}
