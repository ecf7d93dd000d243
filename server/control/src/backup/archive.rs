//! The tar archive: written from a folder, unpacked into one. What is unpacked is what the manifest says, byte for byte.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use api::backup::{File, Manifest};
use aws_lc_rs::digest::{Context, SHA256};

use super::{BESIDE, BackupError, DATA, DATABASE, snapshot};

const MANIFEST: &str = "manifest.json";
const LONGEST_MANIFEST: u64 = 4 << 20;
const MOST_FILES: usize = 10_000;

/// Whether a path stays where it is unpacked: relative, plain names.
pub(super) fn is_name(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '/');
    let segment = |s: &str| !s.is_empty() && s != "." && s != ".." && s.chars().all(plain);
    path.len() <= 200 && path.split('/').all(segment)
}

/// Whether a backup holds such a file: what a start would take for something else is never put beside a database.
fn belongs(name: &str) -> bool {
    match name.split_once('/') {
        None => name == DATABASE,
        Some((BESIDE, _)) => true,
        Some((DATA, below)) => !snapshot::is_passing(Path::new(below)),
        Some(_) => false,
    }
}

/// Writes what the manifest names, from `folder`.
pub(super) fn write<W: Write>(folder: &Path, manifest: &Manifest, out: W) -> Result<W, BackupError> {
    let write = || -> io::Result<W> {
        let mut archive = tar::Builder::new(out);
        let text = serde_json::to_vec_pretty(manifest)?;
        let time = u64::try_from(manifest.made.as_second()).unwrap_or_default();
        archive.append_data(&mut header(text.len() as u64, time), MANIFEST, text.as_slice())?;
        for file in &manifest.files {
            let content = fs::File::open(folder.join(&file.name))?;
            archive.append_data(&mut header(file.bytes, time), &file.name, content.take(file.bytes))?;
        }
        archive.into_inner()
    };
    write().map_err(BackupError::io("writing the archive"))
}

fn header(bytes: u64, time: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(time);
    header
}

/// Unpacks an archive that was decrypted into an empty folder, readable by its owner alone. Nothing is kept unread.
pub fn extract(reader: impl Read, folder: &Path) -> Result<Manifest, BackupError> {
    let mut archive = tar::Archive::new(reader);
    let mut entries = archive.entries().map_err(unreadable)?;
    let mut next = || entries.next().transpose().map_err(unreadable);
    let first = next()?.ok_or_else(|| BackupError::NoArchive("it is empty".to_owned()))?;
    let manifest = manifest(first)?;
    for file in &manifest.files {
        let entry = next()?.ok_or_else(|| BackupError::Damaged(format!("{} is missing", file.name)))?;
        unpack(entry, file, folder)?;
    }
    match next()? {
        Some(_) => Err(BackupError::Damaged("there is more in it than it says".to_owned())),
        None => rest(archive.into_inner()).map(|()| manifest),
    }
}

type Entry<'a, R> = tar::Entry<'a, R>;

fn manifest<R: Read>(mut entry: Entry<'_, R>) -> Result<Manifest, BackupError> {
    if entry.path_bytes().as_ref() != MANIFEST.as_bytes() {
        return Err(BackupError::NoArchive(format!("it does not begin with {MANIFEST}")));
    }
    let mut text = Vec::new();
    Read::take(&mut entry, LONGEST_MANIFEST).read_to_end(&mut text).map_err(unreadable)?;
    let foreign = |e: serde_json::Error| BackupError::NoArchive(format!("{MANIFEST}: {e}"));
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(foreign)?;
    let found = value["format"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
    if found > Manifest::FORMAT {
        return Err(BackupError::Newer { found, known: Manifest::FORMAT });
    }
    let manifest: Manifest = serde_json::from_value(value).map_err(foreign)?;
    let named: std::collections::BTreeSet<_> = manifest.files.iter().map(|f| &f.name).collect();
    let lawful =
        named.len() == manifest.files.len() && named.iter().all(|name| is_name(name) && belongs(name));
    if !lawful || named.len() > MOST_FILES {
        return Err(BackupError::Damaged("it names files that no backup has".to_owned()));
    }
    Ok(manifest)
}

fn unpack<R: Read>(mut entry: Entry<'_, R>, file: &File, folder: &Path) -> Result<(), BackupError> {
    let same = entry.path_bytes().as_ref() == file.name.as_bytes() && entry.size() == file.bytes;
    if !same || !entry.header().entry_type().is_file() {
        return Err(BackupError::Damaged(format!("{} is not where it should be", file.name)));
    }
    let path = folder.join(&file.name);
    let parent = path.parent().unwrap_or(folder);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
    let open = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut out = made.and_then(|()| open()).map_err(BackupError::io(path.display().to_string()))?;
    let (mut digest, mut chunk, mut bytes) = (Context::new(&SHA256), vec![0; 64 << 10], 0);
    loop {
        let read = entry.read(&mut chunk).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        digest.update(&chunk[..read]);
        out.write_all(&chunk[..read]).map_err(BackupError::io(path.display().to_string()))?;
        bytes += read as u64;
    }
    if bytes != file.bytes || hex::encode(digest.finish()) != file.sha256 {
        return Err(BackupError::Damaged(format!("{} is not what it was", file.name)));
    }
    out.sync_all().map_err(BackupError::io(path.display().to_string()))
}

/// Reads to the end: only there does age know that nothing was cut off.
fn rest(mut reader: impl Read) -> Result<(), BackupError> {
    io::copy(&mut reader, &mut io::sink()).map(|_| ()).map_err(unreadable)
}

fn unreadable(e: io::Error) -> BackupError {
    BackupError::Damaged(e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_unpacked_elsewhere_or_beside_a_database_that_it_would_change() {
        for good in ["mesh.db", "data/noise.key", "data/keys/server.key", "beside/config.yaml"] {
            assert!(is_name(good) && belongs(good), "{good}");
        }
        for bad in ["/etc/passwd", "data/../x", "data//x", "", "data/", "a\\b", "data/a b"] {
            assert!(!is_name(bad), "{bad}");
        }
        for bad in [
            "mesh.db-wal",
            "data/mesh.db-wal",
            "data/server.lock",
            "data/first-start",
            "x/y",
            "manifest.json",
        ] {
            assert!(!belongs(bad), "{bad}");
        }
    }
}
