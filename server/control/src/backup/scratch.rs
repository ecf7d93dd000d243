//! A folder for work in progress, private and on the same disk as what it is for.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::keyring::random;

const PREFIX: &str = ".meshctl-scratch-";

/// Gone with everything in it once it is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new folder inside `parent`.
    pub fn inside(parent: &Path) -> io::Result<Self> {
        let name = hex::encode(&random().expose()[..8]);
        let path = parent.join(format!("{PREFIX}{name}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes what a process that was killed left in `parent`. Nobody else may be at work there.
    pub(super) fn sweep(parent: &Path) -> io::Result<()> {
        for entry in fs::read_dir(parent)? {
            let entry = entry?;
            if is_one(&entry.file_name().to_string_lossy()) && entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Whether a file of this name is work in progress.
pub(super) fn is_one(name: &str) -> bool {
    name.starts_with(PREFIX)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
