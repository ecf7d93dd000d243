//! The database. SQL lives in this folder only; what enters and leaves are the World's nouns and events.
//!
//! Durable events and the rows they change are committed in one transaction. The log is never replayed:
//! a start loads rows.

mod event;
mod live;
mod load;
mod migrate;
mod persist;
mod policy;

use std::{
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Mutex,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use world::{DurableEvent, World};

pub use event::{EventFilter, LogRow, Verified};
pub use load::Loaded;
pub use policy::PolicyVersion;

/// The one tailnet that exists until several are configured.
pub const DEFAULT_TAILNET: i64 = 1;

/// Why the database did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said so.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
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
        matches!(self, StoreError::Sqlite(e) if matches!(
            e.sqlite_error_code(),
            Some(rusqlite::ErrorCode::SystemIoFailure | rusqlite::ErrorCode::DatabaseCorrupt)
        ))
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
        let reader = open_reader(path)?;
        Ok(Self { writer: Mutex::new(writer), reader: Mutex::new(reader), path: path.to_owned() })
    }

    /// Appends the events to the log and writes the rows they changed, all or nothing.
    /// `world` has every one of them applied.
    pub fn commit(&self, world: &World, entries: &[Entry<'_>]) -> Result<(), StoreError> {
        let mut connection = lock(&self.writer);
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let first = event::append(&tx, entries)?;
        policy::append(&tx, first, entries)?;
        persist::rows(&tx, world, entries.iter().map(|e| e.event))?;
        tx.commit()?;
        Ok(())
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
