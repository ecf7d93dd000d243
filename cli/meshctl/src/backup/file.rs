//! An archive on its way to the disk: there whole, private and for good, or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{Context, SHA256};

use crate::talk::Failure;

/// What every age file begins with.
const AGE: &[u8] = b"age-encryption.org/v1\n";

/// Written under another name until it is whole.
pub struct Partial {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
    digest: Context,
    bytes: u64,
    head: Vec<u8>,
}

/// A whole one.
pub struct Whole {
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, in hex.
    pub sha256: String,
}

impl Partial {
    /// Makes room where nothing may be.
    pub fn prepare(path: &Path) -> Result<Self, Failure> {
        if path.symlink_metadata().is_ok() {
            return Err(Failure::failed(format!("{} is there already", path.display()))
                .hint("a backup is never written over: name another file"));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let temporary = path.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
        let file = file.map_err(|e| unwritable(path, &e))?;
        let digest = Context::new(&SHA256);
        Ok(Self { path: path.to_owned(), temporary, file, digest, bytes: 0, head: Vec::new() })
    }

    /// Puts it in place for good.
    pub fn commit(self) -> Result<Whole, Failure> {
        if !self.head.starts_with(AGE) {
            return Err(Failure::failed("what came is no age file").code("foreign_answer"));
        }
        let place = || {
            self.file.sync_all()?;
            fs::hard_link(&self.temporary, &self.path)?;
            let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(folder)?.sync_all()
        };
        place().map_err(|e| unwritable(&self.path, &e))?;
        Ok(Whole { bytes: self.bytes, sha256: hex(self.digest.clone().finish().as_ref()) })
    }
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        let missing = AGE.len().saturating_sub(self.head.len()).min(written);
        self.head.extend_from_slice(&bytes[..missing]);
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Length and SHA-256 of a file.
pub fn measure(path: &Path) -> Result<Whole, Failure> {
    let read = || -> io::Result<Whole> {
        let (mut file, mut digest) = (File::open(path)?, Context::new(&SHA256));
        let (mut bytes, mut chunk) = (0, vec![0; 64 << 10]);
        loop {
            let read = io::Read::read(&mut file, &mut chunk)?;
            if read == 0 {
                return Ok(Whole { bytes, sha256: hex(digest.finish().as_ref()) });
            }
            bytes += read as u64;
            digest.update(&chunk[..read]);
        }
    };
    read().map_err(|e| Failure::failed(format!("cannot read {}: {e}", path.display())))
}

pub fn unwritable(path: &Path, e: &io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {e}", path.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
