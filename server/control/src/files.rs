//! Files and folders that others must not be able to replace, keys that they must not read, and how many may be open.

mod limit;

use std::{
    fs::{DirBuilder, Metadata},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

pub use limit::raise as raise_limit;

const OTHERS_WRITE: u32 = 0o022;
const STRANGERS_READ: u32 = 0o004;

/// Why a file or folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// The system said no.
    #[error("{path}: {cause}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// Others may put something else in its place.
    #[error("{path} {why}", path = path.display())]
    Unsafe {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do next.
        hint: String,
    },
}

impl FileFault {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { .. } => None,
            Self::Unsafe { hint, .. } => Some(hint.clone()),
        }
    }
}

/// The data folder, made if there is none: only its owner may write to it.
pub fn own_folder(path: &Path) -> Result<(), FileFault> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed(path))?;
    folder(path)
}

fn folder(path: &Path) -> Result<(), FileFault> {
    let meta = path.metadata().map_err(failed(path))?;
    if !meta.is_dir() {
        return Err(refuse(path, "is no folder", "choose another `data_dir`"));
    }
    writable_by_its_owner_only(path, &meta)
}

/// A private key, or a link to one. That strangers may read it is worth a warning: where it stands, the operator chose.
/// One that is missing is left to who reads it.
pub fn key(path: &Path) -> Result<(), FileFault> {
    let meta = match path.metadata() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        meta => meta.map_err(failed(path))?,
    };
    if !meta.is_file() {
        return Err(refuse(path, "is no regular file", "put the key there as a file"));
    }
    if meta.mode() & STRANGERS_READ != 0 {
        tracing::warn!(path = %path.display(), "everybody on this host can read the private key; chmod 600 it");
    }
    writable_by_its_owner_only(path, &meta)
}

/// The same in one line of words.
pub fn key_is_safe(path: &Path) -> Result<(), String> {
    key(path).map_err(|fault| match fault.hint() {
        Some(hint) => format!("{fault} ({hint})"),
        None => fault.to_string(),
    })
}

fn writable_by_its_owner_only(path: &Path, meta: &Metadata) -> Result<(), FileFault> {
    if meta.mode() & OTHERS_WRITE == 0 {
        return Ok(());
    }
    let why = format!("can be written by others (mode {:o})", meta.mode() & 0o7777);
    Err(refuse(path, &why, &format!("look who did, then chmod go-w {}", path.display())))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> FileFault {
    let path = path.to_owned();
    move |cause| FileFault::Io { path, cause }
}

fn refuse(path: &Path, why: &str, hint: &str) -> FileFault {
    FileFault::Unsafe { path: path.to_owned(), why: why.into(), hint: hint.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt, symlink},
    };

    #[test]
    fn only_the_owner_may_write() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key.pem");
        fs::write(&file, "key").unwrap();
        for (mode, good) in [(0o700, true), (0o755, true), (0o770, false), (0o702, false), (0o1777, false)] {
            fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(folder(dir.path()).is_ok(), good, "{mode:o}");
        }
        for (mode, good) in [(0o600, true), (0o644, true), (0o660, false), (0o606, false)] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            assert_eq!(key(&file).is_ok(), good, "{mode:o}");
        }
        assert!(folder(&file).unwrap_err().hint().is_some());
    }

    #[test]
    fn a_key_is_a_file_or_a_link_to_one() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("key.pem"), dir.path().join("link.pem"));
        fs::write(&file, "key").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        symlink(&file, &link).unwrap();
        assert!(key(&link).is_ok());
        assert!(key(dir.path()).is_err() && key(&file.join("below")).is_err());
        assert!(key(&dir.path().join("none")).is_ok());
    }
}
