//! Journals on disk: one per rotated value, written whole before the next step begins, and the old file beside it.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use nix::fcntl::{Flock, FlockArg};
use secrets::journal::{Fact, Journal, Stuck, fingerprint};

use super::Plan;
use crate::{secret::words, talk::Failure};

/// How long somebody else may work on a rotation before we give up.
const WAIT: Duration = Duration::from_secs(60);
const BETWEEN: Duration = Duration::from_millis(50);

/// A journal that this process alone writes.
pub struct Shelf {
    pub journal: Journal<Plan>,
    path: PathBuf,
    lock: Flock<File>,
}

impl Shelf {
    /// Puts a new rotation there, unless one of the same value is under way.
    pub fn begin(journal: Journal<Plan>, before: &[u8]) -> Result<Self, Failure> {
        let folder = folder()?;
        let subject = &journal.plan.subject;
        let real = fs::canonicalize(&subject.file).map_err(|e| words::unreadable(&subject.file, &e))?;
        let name = format!("{}\0{}", real.display(), subject.var.as_deref().unwrap_or_default());
        let path = folder.join(format!("{}.json", &fingerprint(name.as_bytes())[..24]));
        let lock = lock(&path)?;
        if path.exists() {
            let there = load(&path)?;
            if !there.is_over() {
                return Err(Failure::failed(format!("rotation {} of it is under way", there.id))
                    .code("under_way")
                    .hint("`meshctl secret resume` goes on, `meshctl secret abort` goes back"));
            }
        }
        write(&path.with_extension("before"), before)?;
        let shelf = Self { journal, path, lock };
        shelf.save()?;
        Ok(shelf)
    }
    /// The rotation with this id, or the only one that is not over; none when all are.
    pub fn open(id: Option<&str>) -> Result<Option<Self>, Failure> {
        let mut found = Vec::new();
        for path in paths()? {
            let journal = load(&path)?;
            if id.map_or(!journal.is_over(), |id| journal.id == id) {
                found.push(path);
            }
        }
        if found.len() > 1 {
            return Err(Failure::usage("several rotations are under way")
                .hint("`meshctl secret status` shows their ids: name one"));
        }
        match (found.pop(), id) {
            (Some(path), _) => {
                let lock = lock(&path)?;
                Ok(Some(Self { journal: load(&path)?, path, lock }))
            }
            (None, Some(id)) => {
                Err(Failure::failed(format!("there is no rotation {id}")).code("no_such_rotation"))
            }
            (None, None) => Ok(None),
        }
    }
    /// Standard input for a command that must not outlive its rotation: an empty file that is locked until the command
    /// and this process are gone. Whoever resumes waits for a command that a killed process left behind.
    pub fn held(&self) -> Result<Stdio, Failure> {
        let file = self.lock.try_clone().map_err(|e| Failure::failed(e.to_string()))?;
        Ok(Stdio::from(file))
    }
    /// Every journal.
    pub fn all() -> Result<Vec<Journal<Plan>>, Failure> {
        paths()?.iter().map(|path| load(path)).collect()
    }
    /// Notes what was done; on the disk when it returns.
    pub fn record(&mut self, fact: Fact) -> Result<(), Failure> {
        self.journal.record(fact).map_err(|e| stuck(&self.journal, e))?;
        self.save()?;
        if self.journal.is_over() {
            let _ = fs::remove_file(self.path.with_extension("before"));
        }
        Ok(())
    }
    /// Turns it around.
    pub fn turn_back(&mut self, check: bool) -> Result<(), Failure> {
        self.journal.abort().map_err(|e| stuck(&self.journal, e))?;
        if check { Ok(()) } else { self.save() }
    }
    /// The file as it was, encrypted as it was.
    pub fn before(&self) -> Result<Vec<u8>, Failure> {
        let path = self.path.with_extension("before");
        let bytes = fs::read(&path).map_err(|e| words::unreadable(&path, &e))?;
        if fingerprint(&bytes) != self.journal.before {
            return Err(
                Failure::failed(format!("{} is not what was put there", path.display())).code("damaged")
            );
        }
        Ok(bytes)
    }

    fn save(&self) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(&self.journal).map_err(|e| Failure::failed(e.to_string()))?;
        write(&self.path, &text)
    }
}

/// Why a rotation does not go on.
pub fn stuck(journal: &Journal<Plan>, e: Stuck) -> Failure {
    let failure = Failure::failed(format!("rotation {}: {e}", journal.id));
    match e {
        Stuck::FileChanged => failure.code("file_changed").hint(
            "both credentials are valid: put the file back as the rotation left it, then resume or abort",
        ),
        Stuck::TooLate => failure.code("too_late").hint("`meshctl secret resume` goes on"),
        Stuck::Over => failure.code("over"),
        Stuck::OutOfOrder => failure.code("out_of_order"),
    }
}

fn folder() -> Result<PathBuf, Failure> {
    let named = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let state = named("XDG_STATE_HOME").or_else(|| named("HOME").map(|h| h.join(".local/state")));
    let state = state.ok_or_else(|| Failure::failed("neither XDG_STATE_HOME nor HOME is set"))?;
    let folder = state.join("meshctl/rotations");
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(|e| words::unreadable(&folder, &e))?;
    Ok(folder)
}

fn paths() -> Result<Vec<PathBuf>, Failure> {
    let folder = folder()?;
    let entries = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|e| words::unreadable(&folder, &e))?;
    let mut paths: Vec<_> = entries.into_iter().map(|e| e.path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "json"));
    paths.sort();
    Ok(paths)
}

fn load(path: &Path) -> Result<Journal<Plan>, Failure> {
    let bytes = fs::read(path).map_err(|e| words::unreadable(path, &e))?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Failure::failed(format!("{}: {e}", path.display())).code("bad_journal"))
}

/// Waits for a while: a deployment of a killed process may still be running.
fn lock(path: &Path) -> Result<Flock<File>, Failure> {
    let path = path.with_extension("lock");
    let until = Instant::now() + WAIT;
    loop {
        let file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(&path);
        let file = file.map_err(|e| words::unreadable(&path, &e))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err(_) if Instant::now() < until => thread::sleep(BETWEEN),
            Err(_) => {
                return Err(Failure::failed(
                    "another process, or a command it left behind, works on this rotation",
                )
                .code("busy")
                .hint("wait until it has ended"));
            }
        }
    }
}

/// Whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let new = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
    };
    write().map_err(|e: io::Error| words::unreadable(path, &e))
}
