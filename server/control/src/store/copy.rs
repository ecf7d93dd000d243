//! A whole copy of a database, as it is at one moment.

use std::{fs::File, path::Path};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{Entry, Store, StoreError, event, make_private, migrate, open_reader};

impl Store {
    /// Copies the database at `from`, which may be in use, to a place where nothing is. Nobody waits for it: it reads as of one moment on a
    /// connection of its own.
    pub fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
        let reader = open_reader(from)?;
        make_private(to)?;
        reader.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
        File::open(to).and_then(|file| file.sync_all()).map_err(|e| super::unreadable("the copy", e))
    }

    /// Appends an event that changes no row to the log of a database that no server uses, and leaves its schema as it is.
    pub fn note(path: &Path, entry: &Entry<'_>) -> Result<(), StoreError> {
        let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;")?;
        migrate::refuse_newer(&connection)?;
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        event::append(&tx, std::slice::from_ref(entry))?;
        tx.commit().map_err(StoreError::Commit)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use world::Settings;

    use super::*;

    #[test]
    fn a_copy_of_a_database_in_use_is_whole_private_and_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("mesh.db"), folder.path().join("copy.db"));
        let store = Store::open(&from).unwrap();
        Store::copy(&from, &to).unwrap();
        assert_eq!(to.metadata().unwrap().mode() & 0o777, 0o600);
        let copy = Store::open(&to).unwrap();
        assert_eq!(copy.identity().unwrap(), store.identity().unwrap());
        assert!(copy.load(Settings::default()).is_ok() && copy.verify_events().unwrap().broken.is_none());
        assert!(Store::copy(&from, &to).is_err(), "what is there is not written over");
    }
}
