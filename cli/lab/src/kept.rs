//! Labs that outlive the program that made them: built by one, used by others, removed by any.
//!
//! A lab is a folder with a record, and hosts whose holders carry the record's random id in their command line. The
//! record is there before the first host is, so that whatever happens to the builder, all it made is found again; and
//! what does not carry the id is never touched.

mod holders;
mod record;
mod trouble;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::bench::Bench;
use crate::plan::ACCEPTANCE;
use crate::prerequisites::prerequisites;
use crate::topology::Lab;

pub use record::{Phase, Record, Tools};
pub use trouble::Trouble;

/// Where labs are unless another folder is named.
pub const FOLDER: &str = "/run/meshctl-lab";
const LOCK: &str = "lock";
const BASE_MODE: u32 = 0o700;

/// A lab by its name. While this value lives, no other program builds, tests or removes the lab.
#[derive(Debug)]
pub struct Kept {
    dir: PathBuf,
    record: Record,
    _lock: File,
}

impl Kept {
    /// Builds the lab `name` below `base`: hosts, server, clients, all joined. `say` is told each step. What was made
    /// is taken away again when a step fails.
    pub fn build(base: &Path, name: &str, tools: Tools, say: &dyn Fn(&str)) -> Result<Self> {
        prerequisites().map_err(|why| Trouble::Machine(format!("{why:#}")))?;
        let begun = Instant::now();
        let made_base = make(base)?;
        let dir = base.join(name);
        match DirBuilder::new().mode(0o700).create(&dir) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Err(taken(base, name)),
            other => other.with_context(|| format!("cannot make {}", dir.display()))?,
        }
        let lock = lock(&dir, name)?;
        let mut record = Record::new(name, tools, made_base)?;
        record.save(&dir)?;
        if let Err(why) = furnish(&dir, &mut record, begun, say) {
            drop(lock);
            let cleaned = remove(base, name);
            return Err(why.context(match cleaned {
                Ok(_) => "the lab was not built; nothing of it is left".to_owned(),
                Err(e) => format!("the lab was not built, and not all of it could be removed ({e:#})"),
            }));
        }
        Ok(Self { dir, record, _lock: lock })
    }

    /// The lab `name` below `base`, which has to be whole.
    pub fn open(base: &Path, name: &str) -> Result<Self> {
        let record = look(base, name)?;
        let dir = base.join(name);
        let lock = lock(&dir, name)?;
        Ok(Self { dir, record, _lock: lock })
    }

    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Its hosts, in the hands of this program.
    pub fn lab(&self) -> Result<Lab> {
        attach(&self.dir, &self.record)
    }
}

/// The hosts of the lab `name` without holding it: for a look, or a command on a host.
pub fn peek(base: &Path, name: &str) -> Result<(Record, Lab)> {
    let record = look(base, name)?;
    let lab = attach(&base.join(name), &record)?;
    Ok((record, lab))
}

/// The record of the lab `name`, if that is whole: built to the end, all hosts there.
pub fn look(base: &Path, name: &str) -> Result<Record> {
    let dir = base.join(name);
    if !dir.exists() {
        return Err(Trouble::None(name.to_owned()).into());
    }
    let record = Record::load(&dir).map_err(|_| foreign_or_half(&dir, name))?;
    let hosts = holders::of(&record.id)?;
    let whole = ACCEPTANCE.names().iter().all(|host| hosts.contains_key(*host));
    match record.phase {
        Phase::Up if whole => Ok(record),
        Phase::Up => Err(Trouble::Dead(name.to_owned()).into()),
        Phase::Building if is_locked(&dir) => Err(Trouble::Busy(name.to_owned()).into()),
        Phase::Building => Err(Trouble::Half(name.to_owned()).into()),
    }
}

/// Removes the lab `name`, whole or not: its hosts with all that runs on them, and its folder. False when there is
/// none. Nothing that does not carry the lab's id is touched.
pub fn remove(base: &Path, name: &str) -> Result<bool> {
    let dir = base.join(name);
    if !dir.exists() {
        return Ok(false);
    }
    let Ok(record) = Record::load(&dir) else { return remove_unrecorded(base, &dir, name) };
    let lock = lock(&dir, name)?;
    holders::end(&record.id, Duration::from_secs(10))?;
    fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    drop(lock);
    if record.made_base {
        // others may have their labs there
        let _ = fs::remove_dir(base);
    }
    Ok(true)
}

/// What `remove` would end: the hosts that are there.
pub fn hosts_of(base: &Path, name: &str) -> Result<Vec<String>> {
    let Ok(record) = Record::load(&base.join(name)) else { return Ok(Vec::new()) };
    Ok(holders::of(&record.id)?.into_keys().collect())
}

fn furnish(dir: &Path, record: &mut Record, begun: Instant, say: &dyn Fn(&str)) -> Result<()> {
    say("hosts, wires, routers");
    let lab = Lab::start_kept(ACCEPTANCE, dir, &holders::mark(&record.id))?;
    let mut bench = Bench::start(&lab, &record.tools, say)?;
    bench.keep()?;
    record.phase = Phase::Up;
    record.seconds = begun.elapsed().as_secs_f64();
    record.save(dir)
}

fn attach(dir: &Path, record: &Record) -> Result<Lab> {
    let holders: BTreeMap<String, u32> = holders::of(&record.id)?;
    Lab::found(ACCEPTANCE, dir, &holders)
}

/// Makes the folder of all labs; true when it was not there.
fn make(base: &Path) -> Result<bool> {
    match DirBuilder::new().mode(BASE_MODE).create(base) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e).with_context(|| format!("cannot make {}", base.display())),
    }
}

fn lock(dir: &Path, name: &str) -> Result<File> {
    let file = File::options().create(true).write(true).truncate(false).open(dir.join(LOCK))?;
    file.try_lock().map_err(|_| Trouble::Busy(name.to_owned()))?;
    Ok(file)
}

fn is_locked(dir: &Path) -> bool {
    File::options().write(true).open(dir.join(LOCK)).is_ok_and(|file| file.try_lock().is_err())
}

/// Why `name` cannot be built: something is there.
fn taken(base: &Path, name: &str) -> anyhow::Error {
    match look(base, name) {
        Ok(_) => Trouble::Taken(name.to_owned()).into(),
        Err(why) => why,
    }
}

/// A folder without a record: one of ours whose builder was ended at once holds nothing else.
fn foreign_or_half(dir: &Path, name: &str) -> Trouble {
    if is_bare(dir) { Trouble::Half(name.to_owned()) } else { Trouble::Foreign(dir.to_owned()) }
}

fn remove_unrecorded(base: &Path, dir: &Path, name: &str) -> Result<bool> {
    if !is_bare(dir) {
        return Err(Trouble::Foreign(dir.to_owned()).into());
    }
    drop(lock(dir, name)?);
    fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    // The builder had no time to write down whether it made the folder of all labs; those that it makes are private.
    if fs::symlink_metadata(base).is_ok_and(|meta| meta.is_dir() && meta.mode() & 0o777 == BASE_MODE) {
        let _ = fs::remove_dir(base);
    }
    Ok(true)
}

/// True for a folder, and no link to one, that holds what a builder writes first and nothing else.
fn is_bare(dir: &Path) -> bool {
    let own = [LOCK, record::FILE, record::DRAFT];
    let is_folder = fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_dir());
    let is_ours = fs::symlink_metadata(dir.join(LOCK)).is_ok_and(|meta| meta.is_file() && meta.len() == 0);
    let Ok(mut entries) = fs::read_dir(dir) else { return false };
    let known = |entry: fs::DirEntry| own.iter().any(|name| entry.file_name() == *name);
    is_folder && is_ours && entries.all(|entry| entry.is_ok_and(known))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "test code")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A builder that was killed before it wrote its record.
    fn half(base: &Path, name: &str) {
        let dir = base.join(name);
        DirBuilder::new().mode(0o700).create(&dir).unwrap();
        drop(lock(&dir, name).unwrap());
    }

    #[test]
    fn half_a_lab_goes_with_the_folder_that_was_made_for_it_and_with_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("labs");
        assert!(make(&base).unwrap());
        half(&base, "one");
        half(&base, "other");
        assert!(remove(&base, "one").unwrap());
        assert!(base.join("other").is_dir(), "there is another lab");
        assert!(remove(&base, "other").unwrap());
        assert!(!base.exists());

        fs::create_dir(&base).unwrap();
        fs::set_permissions(&base, fs::Permissions::from_mode(0o755)).unwrap();
        half(&base, "one");
        assert!(remove(&base, "one").unwrap());
        assert!(base.is_dir(), "somebody else's");
    }
}
