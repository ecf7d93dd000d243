//! Everything that a server is, as it is at one moment, tried once, on its way into an archive.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use api::backup::{File, Manifest};
use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;

use super::{
    BESIDE, BackupError, DATA, DATABASE, Recipients, archive, lockfile,
    proof::{self, Opened, opened},
    scratch::{self, Scratch},
};
use crate::{config::Config, store::Store};

/// A file of the data folder beside the database is kept up to this length.
const LONGEST: u64 = 16 << 20;
/// Folders inside the data folder are looked into so far.
const DEEPEST: usize = 3;

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The folder of database and keys.
    pub data_dir: PathBuf,
    /// What clients are told.
    pub server_url: String,
    /// The configuration and the files that it names, with the names that they get.
    pub beside: Vec<(String, PathBuf)>,
}

impl Sources {
    /// Those of a server with this configuration.
    pub fn of(config: &Config) -> Self {
        let named = [("config.yaml", &config.file), ("records.json", &config.records_file)];
        let beside = named.into_iter().filter_map(|(name, path)| Some((name.to_owned(), path.clone()?)));
        Self {
            data_dir: config.data_dir.clone(),
            server_url: config.server_url.clone(),
            beside: beside.collect(),
        }
    }
}

/// A copy that was opened once.
#[derive(Debug)]
pub struct Snapshot {
    scratch: Scratch,
    manifest: Manifest,
}

impl Snapshot {
    /// Copies and tries. The caller makes sure that nobody else does the same in this data folder.
    pub fn take(sources: &Sources, now: Timestamp) -> Result<Self, BackupError> {
        let Sources { data_dir, server_url, beside } = sources;
        let database = data_dir.join(DATABASE);
        if !database.is_file() {
            return Err(BackupError::NoDatabase(data_dir.clone()));
        }
        Scratch::sweep(data_dir).map_err(BackupError::io("what an earlier backup left"))?;
        let scratch = Scratch::inside(data_dir).map_err(BackupError::io("a folder for the copy"))?;
        let place = scratch.path();
        Store::copy(&database, &place.join(DATABASE))?;
        let mut found = Found::default();
        found.look(data_dir, Path::new(""), 0).map_err(BackupError::io(data_dir.display().to_string()))?;
        for name in &found.names {
            take(&data_dir.join(name), &place.join(DATA).join(name))?;
        }
        let mut names = vec![DATABASE.to_owned()];
        names.extend(found.names.iter().map(|name| format!("{DATA}/{name}")));
        for (name, from) in beside {
            if from.is_file() {
                names.push(format!("{BESIDE}/{name}"));
                take(from, &place.join(BESIDE).join(name))?;
            } else {
                found.left_out.push(from.display().to_string());
            }
        }
        let Opened { proof, policy, .. } = opened(place)?;
        if let Some(policy) = policy {
            let name = format!("{BESIDE}/policy.hujson");
            let written =
                fs::create_dir_all(place.join(BESIDE)).and_then(|()| fs::write(place.join(&name), policy));
            written.map_err(BackupError::io("the policy"))?;
            names.push(name);
        }
        let files = names.into_iter().map(|name| described(place, name)).collect::<Result<_, _>>()?;
        let manifest = Manifest {
            format: Manifest::FORMAT,
            made: now,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            server_url: server_url.clone(),
            proof,
            files,
            left_out: found.left_out,
        };
        Ok(Self { scratch, manifest })
    }

    /// What it holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Writes the archive; gives `out` back once all of it is in there.
    pub fn write<W: Write>(self, recipients: &Recipients, out: W) -> Result<W, BackupError> {
        let sealed = recipients.seal(out)?;
        let sealed = archive::write(self.scratch.path(), &self.manifest, sealed)?;
        sealed.finish().map_err(BackupError::io("writing the archive"))
    }
}

/// Files of the data folder, by their paths in it.
#[derive(Default)]
struct Found {
    names: Vec<String>,
    left_out: Vec<String>,
}

impl Found {
    fn look(&mut self, root: &Path, below: &Path, depth: usize) -> io::Result<()> {
        let mut entries: Vec<_> = fs::read_dir(root.join(below))?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (kind, path) = (entry.file_type()?, below.join(entry.file_name()));
            if is_passing(&path) {
                continue;
            }
            if kind.is_dir() && depth < DEEPEST {
                self.look(root, &path, depth + 1)?;
            } else if kind.is_dir() {
                self.left_out.push(path.display().to_string());
            } else if kind.is_file() {
                let fits = entry.metadata()?.len() <= LONGEST;
                match path.to_str().filter(|name| fits && archive::is_name(name)) {
                    Some(name) => self.names.push(name.to_owned()),
                    None => self.left_out.push(path.display().to_string()),
                }
            }
        }
        Ok(())
    }
}

/// What a start makes anew, what is on its way, what was moved aside, and other backups.
pub(super) fn is_passing(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let at_top = path.components().count() == 1;
    let of_server = at_top
        && (name == lockfile::NAME
            || name.starts_with(DATABASE)
            || name == "first-start"
            || name == "restored"
            || name.starts_with("before-"));
    let ends = [".new", ".age", ".age.json", ".sock"].iter().any(|end| name.ends_with(end));
    of_server || ends || scratch::is_one(&name)
}

fn take(from: &Path, to: &Path) -> Result<u64, BackupError> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(BackupError::io(folder.display().to_string()))?;
    proof::copy(from, to)
}

fn described(place: &Path, name: String) -> Result<File, BackupError> {
    let read = || -> io::Result<(u64, String)> {
        let (mut file, mut digest) = (fs::File::open(place.join(&name))?, Context::new(&SHA256));
        let (mut bytes, mut chunk) = (0, vec![0; 64 << 10]);
        loop {
            let read = file.read(&mut chunk)?;
            if read == 0 {
                return Ok((bytes, hex::encode(digest.finish())));
            }
            bytes += read as u64;
            digest.update(&chunk[..read]);
        }
    };
    let (bytes, sha256) = read().map_err(BackupError::io(name.clone()))?;
    Ok(File { name, bytes, sha256 })
}
