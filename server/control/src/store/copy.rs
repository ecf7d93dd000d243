//! A whole copy of a database, as it is at one moment.

use std::{fs::File, path::Path};

use super::{Store, StoreError, make_private, open_reader};

impl Store {
    /// Copies the database at `from`, which may be in use, to a place where nothing is. Nobody waits for it: it reads as of one moment on a
    /// connection of its own.
    pub fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
        let reader = open_reader(from)?;
        make_private(to)?;
        reader.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
        File::open(to).and_then(|file| file.sync_all()).map_err(|e| super::unreadable("the copy", e))
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
