//! The database. SQL lives in this folder only; what enters and leaves are the World's nouns and events.
//!
//! Durable events and the rows they change are committed in one transaction. The log is never replayed:
//! a start loads rows.

mod aside;
mod copy;
mod event;
mod live;
mod load;
mod migrate;
mod pending;
mod persist;
mod policy;
mod report;
pub mod server_key;

use std::{
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Mutex,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use world::{DurableEvent, World};

pub use aside::AsideRow;
pub use event::{EventFilter, LogRow, Verified};
pub use load::Loaded;
pub use pending::PendingRow;
pub use policy::PolicyVersion;

/// The one tailnet that exists until several are configured.
pub const DEFAULT_TAILNET: i64 = 1;

/// Why the database did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said so.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// SQLite said so at the very end of a transaction: it may be stored or not.
    #[error("database: the commit failed: {0}")]
    Commit(rusqlite::Error),
    /// A row cannot be read as what it should be.
    #[error("database: {what} cannot be read: {cause}")]
    Row {
        /// Which row.
        what: String,
        /// Why.
        cause: String,
    },
    /// Made by a newer release.
    #[error("the database has schema {found}, this release knows up to {known}")]
    Newer {
        /// In the file.
        found: i64,
        /// Here.
        known: i64,
    },
}

impl StoreError {
    /// Whether the disk may have lied: after that nothing that the process believes is certain.
    pub fn is_fatal(&self) -> bool {
        match self {
            StoreError::Commit(_) => true,
            StoreError::Sqlite(e) => is_fatal(e),
            StoreError::Row { .. } | StoreError::Newer { .. } => false,
        }
    }
    /// Whether it is certain that nothing was stored.
    pub fn is_sure(&self) -> bool {
        !matches!(self, StoreError::Commit(_))
    }
    /// Whether there is no room left on the disk.
    pub fn is_full(&self) -> bool {
        let full = rusqlite::ErrorCode::DiskFull;
        matches!(self, StoreError::Sqlite(e) if e.sqlite_error_code() == Some(full))
    }
}

/// One durable event with who caused it.
#[derive(Debug)]
pub struct Entry<'a> {
    /// What happened.
    pub event: &'a DurableEvent,
    /// `socket:uid=0`, `apikey:3`, `node:5`, `machine:mkey:…`, `system`.
    pub actor: &'a str,
    /// The address it came from, or `local`.
    pub source: &'a str,
    /// The time of the batch.
    pub at: jiff::Timestamp,
}

/// One writer connection, used by the writer thread, and one reader for history.
#[derive(Debug)]
pub struct Store {
    // Closed before the writer: the last one to close folds the journal into the file, which a reader may not.
    reader: Mutex<Connection>,
    writer: Mutex<Connection>,
    path: PathBuf,
}

impl Store {
    /// Opens the file, makes it when missing, and brings its schema up to date.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make_private(path)?;
        let mut writer = Connection::open(path)?;
        writer.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA busy_timeout = 5000; PRAGMA temp_store = MEMORY;",
        )?;
        migrate::migrate(&mut writer)?;
        name_once(&writer)?;
        let reader = open_reader(path)?;
        Ok(Self { writer: Mutex::new(writer), reader: Mutex::new(reader), path: path.to_owned() })
    }

    /// Appends the events to the log and writes the rows they changed, all or nothing.
    /// `world` has every one of them applied.
    pub fn commit(&self, world: &World, entries: &[Entry<'_>]) -> Result<(), StoreError> {
        let mut connection = lock(&self.writer);
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (first, last) = event::append(&tx, entries)?;
        policy::append(&tx, first, entries)?;
        persist::rows(&tx, world, entries.iter().map(|e| e.event))?;
        match tx.commit() {
            Ok(()) => Ok(()),
            Err(e) => settled(&connection, e, last),
        }
    }

    /// Which database this is: drawn when it was made, the same in every copy of it.
    pub fn identity(&self) -> Result<String, StoreError> {
        let sql = "SELECT value FROM meta WHERE name = 'database'";
        Ok(lock(&self.reader).query_row(sql, [], |r| r.get(0))?)
    }

    /// A value that belongs to the server itself.
    pub fn meta(&self, name: &str) -> Result<Option<String>, StoreError> {
        let connection = lock(&self.writer);
        let mut rows = connection.prepare("SELECT value FROM meta WHERE name = ?1")?;
        let mut found = rows.query_map([name], |r| r.get(0))?;
        Ok(found.next().transpose()?)
    }

    /// Keeps a value that belongs to the server itself.
    pub fn set_meta(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
        lock(&self.writer).execute(sql, [name, value])?;
        Ok(())
    }
}

/// What came of a transaction whose commit failed: the log is asked whether its last row is there. After an error of the
/// disk no answer counts, for what is told now need not be what the next start finds.
fn settled(connection: &Connection, e: rusqlite::Error, last: u64) -> Result<(), StoreError> {
    if is_fatal(&e) {
        return Err(StoreError::Commit(e));
    }
    match event::head(connection) {
        Ok((head, _)) if head < last => Err(StoreError::Sqlite(e)),
        Ok(_) => Ok(()),
        Err(_) => Err(StoreError::Commit(e)),
    }
}

fn is_fatal(e: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, SystemIoFailure};
    matches!(e.sqlite_error_code(), Some(SystemIoFailure | DatabaseCorrupt))
}

fn name_once(connection: &Connection) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO meta (name, value) VALUES ('database', lower(hex(randomblob(16))))";
    connection.execute(sql, [])?;
    Ok(())
}

fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags(path, flags)?;
    reader.execute_batch("PRAGMA busy_timeout = 5000;")?;
    Ok(reader)
}

/// SQLite gives its side files the mode of the database.
fn make_private(path: &Path) -> Result<(), StoreError> {
    match File::options().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(unreadable(path.display().to_string(), e)),
    }
}

/// A panic while the lock was held has dropped its transaction; the connection itself is whole.
fn lock(connection: &Mutex<Connection>) -> std::sync::MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn unreadable(what: impl Into<String>, cause: impl std::fmt::Display) -> StoreError {
    StoreError::Row { what: what.into(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;
    use world::{Command, Context, Draft, Settings};

    use super::*;

    fn failure(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    fn open() -> (tempfile::TempDir, Store, World) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("mesh.db")).unwrap();
        let world = store.load(Settings::default()).unwrap().world;
        (folder, store, world)
    }

    /// Makes a person known, as the writer does.
    fn create(store: &Store, world: &World, login: &str) -> Result<World, StoreError> {
        let mut draft = Draft::new(world);
        let create = Command::CreateUser { login: login.into(), display_name: "x".repeat(200) };
        let step = draft.step(&create, Context { now: jiff::Timestamp::now(), rng: 1 }).unwrap();
        let at = jiff::Timestamp::now();
        let entry = |event| Entry { event, actor: "system", source: "local", at };
        store.commit(&draft.world, &step.durable().map(entry).collect::<Vec<_>>()).map(|()| draft.world)
    }

    #[test]
    fn a_full_disk_stores_nothing_and_what_comes_after_it_is_stored() {
        let (_folder, store, mut world) = open();
        lock(&store.writer).execute_batch("PRAGMA max_page_count = 1;").unwrap();
        let error = (0..1000).find_map(|n| match create(&store, &world, &format!("user{n}")) {
            Ok(next) => {
                world = next;
                None
            }
            Err(e) => Some(e),
        });
        let error = error.expect("the disk never fills up");
        assert!(error.is_full() && error.is_sure() && !error.is_fatal(), "{error}");
        let found = store.load(Settings::default()).unwrap().world;
        assert_eq!(found.users.len(), world.users.len());
        lock(&store.writer).execute_batch("PRAGMA max_page_count = 1000000;").unwrap();
        create(&store, &world, "after").unwrap();
        assert!(store.verify_events().unwrap().broken.is_none());
    }

    #[test]
    fn after_a_failed_commit_the_log_is_asked_and_after_an_error_of_the_disk_nobody_knows() {
        let (_folder, store, world) = open();
        create(&store, &world, "alice").unwrap();
        let connection = lock(&store.writer);
        let (head, _) = event::head(&connection).unwrap();
        assert!(settled(&connection, failure(ffi::SQLITE_BUSY), head).is_ok(), "it is there");
        let error = settled(&connection, failure(ffi::SQLITE_BUSY), head + 1).unwrap_err();
        assert!(error.is_sure() && !error.is_fatal(), "{error}");
        for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_CORRUPT] {
            let error = settled(&connection, failure(code), head + 1).unwrap_err();
            assert!(!error.is_sure() && error.is_fatal(), "{error}");
        }
    }
}
