//! A file that holds secrets: read whole, replaced whole or not at all.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};
use secrets::document::LONGEST;
use zeroize::Zeroizing;

use super::words::{failure, unreadable};
use crate::talk::Failure;

/// The longest file with keys or a password.
const LONGEST_KEY: u64 = 1 << 20;

/// A file that nobody else of this program changes at the same time.
pub struct Place {
    /// As it was named.
    named: PathBuf,
    /// Where it really is: links are followed, and stay links.
    real: PathBuf,
    /// The bytes that were read.
    pub bytes: Vec<u8>,
    _folder: Flock<File>,
}

/// The bytes of a file that is not too long.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let io = |e: io::Error| unreadable(path, &e);
    let file = File::open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    if !meta.is_file() {
        return Err(Failure::failed(format!("{} is no plain file", path.display())).code("not_a_file"));
    }
    let mut bytes = Vec::with_capacity(meta.len().min(LONGEST as u64) as usize);
    file.take(LONGEST as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() > LONGEST {
        return Err(failure(path, &secrets::document::Error::TooLarge.into()));
    }
    Ok(bytes)
}

/// The bytes of whatever a name leads to, pipes of the shell included: keys and passwords come so.
pub fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let io = |e: io::Error| unreadable(path, &e);
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path).map_err(io)?.take(LONGEST_KEY + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > LONGEST_KEY {
        let detail = format!("{} is longer than {LONGEST_KEY} bytes", path.display());
        return Err(Failure::failed(detail).code("too_large"));
    }
    Ok(bytes)
}

impl Place {
    /// Waits until nobody else works in the folder, then reads.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let io = |e: io::Error| unreadable(path, &e);
        let real = fs::canonicalize(path).map_err(io)?;
        let folder = File::open(real.parent().unwrap_or(Path::new("/"))).map_err(io)?;
        let folder = Flock::lock(folder, FlockArg::LockExclusive).map_err(|(_, e)| io(e.into()))?;
        let bytes = read(&real)?;
        Ok(Self { named: path.to_owned(), real, bytes, _folder: folder })
    }
    /// Puts these bytes there: same mode, same owner, on the disk before the name leads to them.
    pub fn replace(&mut self, bytes: Vec<u8>) -> Result<(), Failure> {
        if read(&self.real)? != self.bytes {
            return Err(Failure::failed(format!("{} changed while it was worked on", self.named.display()))
                .code("changed_meanwhile")
                .hint("nothing was written: run it again"));
        }
        let new = self.beside();
        self.write(&new, &bytes).map_err(|e| {
            let _ = fs::remove_file(&new);
            unreadable(&self.named, &e)
        })?;
        self.bytes = bytes;
        Ok(())
    }

    fn write(&self, new: &Path, bytes: &[u8]) -> io::Result<()> {
        let meta = fs::metadata(&self.real)?;
        let _ = fs::remove_file(new);
        let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(new)?;
        file.write_all(bytes)?;
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (meta.uid(), meta.gid()) {
            fchown(&file, Some(meta.uid()), Some(meta.gid()))?;
        }
        file.set_permissions(Permissions::from_mode(meta.mode() & 0o7777))?;
        file.sync_all()?;
        if fs::read(new)? != bytes {
            return Err(io::Error::other("the disk gave back something else than was written"));
        }
        fs::rename(new, &self.real)?;
        File::open(self.real.parent().unwrap_or(Path::new("/")))?.sync_all()
    }

    /// One name per file: what a killed run left there is taken away by the next.
    fn beside(&self) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(self.real.file_name().unwrap_or_default());
        name.push(".meshctl-new");
        self.real.with_file_name(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_and_links_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.yml"), folder.path().join("link.yml"));
        fs::write(&real, "a: 1\n").unwrap();
        fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("real.yml", &link).unwrap();
        let mut place = Place::open(&link).unwrap();
        place.replace(b"a: 2\n".to_vec()).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "a: 2\n");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_changed_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yml");
        fs::write(&path, "a: 1\n").unwrap();
        let mut place = Place::open(&path).unwrap();
        fs::write(&path, "a: 3\n").unwrap();
        assert!(place.replace(b"a: 2\n".to_vec()).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a: 3\n");
    }

    #[test]
    fn folders_and_absent_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap_err().code, "not_a_file");
        assert_eq!(read(&folder.path().join("x")).unwrap_err().code, "no_such_file");
    }
}
