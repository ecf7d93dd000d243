//! What tells one state of a file from another, without reading it.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, SystemTime},
};

/// Two writes within one tick of the file system's clock leave the same time.
const SETTLED: Duration = Duration::from_secs(2);

/// The state of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    place: (u64, u64, u64),
    times: (i64, i64, i64, i64),
    modified: Option<SystemTime>,
}

impl Mark {
    /// Of the file, or of what a link leads to; none when there is nothing.
    pub fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().as_ref().map(Self::from)
    }

    /// Whether another write would leave another mark.
    pub fn is_settled(&self) -> bool {
        let age = self.modified.and_then(|at| SystemTime::now().duration_since(at).ok());
        age.is_none_or(|age| age >= SETTLED)
    }
}

impl From<&Metadata> for Mark {
    fn from(found: &Metadata) -> Self {
        Self {
            place: (found.dev(), found.ino(), found.size()),
            times: (found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()),
            modified: found.modified().ok(),
        }
    }
}
