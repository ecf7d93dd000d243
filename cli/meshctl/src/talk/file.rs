//! Files that go in and out: texts up to a limit, secrets that nobody else reads.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process,
};

use ident::Secret;
use zeroize::Zeroize;

use super::Failure;

const LONGEST_TEXT: u64 = 8 << 20;
const LONGEST_SECRET: u64 = 4 << 10;

/// The text of a file, `-` for standard input.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    read_text_within(path, LONGEST_TEXT)
}

/// As [`read_text`], with a limit in bytes of its own. What is no text is refused with the place.
pub fn read_text_within(path: &Path, limit: u64) -> Result<String, Failure> {
    String::from_utf8(read(path, limit)?).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = good.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&good[start..]).chars().count() + 1;
        Failure::failed(format!("{}:{line}:{column}: this is not UTF-8 text", path.display()))
            .hint("save the file as UTF-8")
    })
}

/// The secret in a file, `-` for standard input: one line, its line feed left out.
pub fn read_secret(path: &Path) -> Result<Secret<String>, Failure> {
    let mut bytes = read(path, LONGEST_SECRET)?;
    let text = std::str::from_utf8(&bytes).map(|t| t.trim().to_owned());
    bytes.zeroize();
    match text {
        Ok(text) if text.is_empty() => Err(Failure::failed(format!("{} is empty", path.display()))),
        Ok(text) if text.contains(['\n', '\r']) => {
            Err(Failure::failed(format!("{} holds more than one line", path.display())))
        }
        Ok(text) => Ok(Secret::new(text)),
        Err(_) => Err(Failure::failed(format!("{} is not UTF-8 text", path.display()))),
    }
}

/// A file that is about to hold a secret, readable by the owner alone: there whole or not at all.
///
/// Everything that can fail is tried before the secret is made, so that none is lost on its way to the disk.
pub struct SecretFile {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl SecretFile {
    /// Makes room beside the place. What is there may be a plain file, which will be replaced, and nothing else.
    pub fn prepare(path: &Path) -> Result<Self, Failure> {
        match fs::symlink_metadata(path) {
            Ok(meta) if !meta.is_file() => {
                return Err(Failure::failed(format!("{} is there and is no plain file", path.display()))
                    .hint("secrets are not written through links or into devices: name another file"));
            }
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(unwritable(path, &e)),
        }
        let temporary = beside(path)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
        let file = file.map_err(|e| unwritable(path, &e))?;
        let prepared = Self { path: path.to_owned(), temporary, file };
        prepared.file.set_permissions(Permissions::from_mode(0o600)).map_err(|e| unwritable(path, &e))?;
        Ok(prepared)
    }
    /// Puts the secret and a line feed there, for good.
    pub fn commit(mut self, secret: &str) -> Result<(), Failure> {
        let secret = Secret::new(format!("{secret}\n"));
        let mut write = || {
            self.file.write_all(secret.expose().as_bytes())?;
            self.file.sync_all()?;
            fs::rename(&self.temporary, &self.path)?;
            File::open(folder(&self.path))?.sync_all()
        };
        write().map_err(|e| unwritable(&self.path, &e))
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.temporary);
    }
}

fn unwritable(path: &Path, e: &io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {e}", path.display()))
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let failed = |e: io::Error| Failure::failed(format!("cannot read {}: {e}", path.display()));
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > limit {
        return Err(Failure::failed(format!("{} is longer than {limit} bytes", path.display())));
    }
    Ok(bytes)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(path: &Path) -> Result<PathBuf, Failure> {
    let name =
        path.file_name().ok_or_else(|| Failure::usage(format!("{} is no file name", path.display())))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.new", process::id()));
    Ok(folder(path).join(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_owners_alone_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        fs::write(&path, "old, and readable by all").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        SecretFile::prepare(&path).unwrap().commit("mk-auth-1-x").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "mk-auth-1-x\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_secret(&path).unwrap().expose(), "mk-auth-1-x");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_secret_that_never_came_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(SecretFile::prepare(&folder.path().join("a.key")).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(SecretFile::prepare(&link).is_err());
        assert!(SecretFile::prepare(folder.path()).is_err());
        assert!(SecretFile::prepare(&folder.path().join("no/such/folder")).is_err());
        assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
    }

    #[test]
    fn what_is_no_single_line_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        for bad in [&b""[..], b"\n", b"a\nb\n", b"\xff\xfe", &[b'x'; 5000]] {
            fs::write(&path, bad).unwrap();
            assert!(read_secret(&path).is_err());
        }
        assert!(read_secret(&folder.path().join("absent")).is_err());
    }
}
