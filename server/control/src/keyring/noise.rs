//! The server's Noise key, and for a time the one before it: a running client keeps the key that it fetched when it
//! started, so both are accepted until nobody uses the old one.
//!
//! The database says which keys are accepted; it changes in the transaction that logs the change. Files are written before
//! it and put in their places after it, and a start finishes what a killed process left.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use ident::{MachineKey, Secret};
use jiff::Timestamp;
use noise::{Accepted, HandshakeError, PrivateKey, Responder};
use tokio_util::sync::CancellationToken;

use super::{KeyringError, Uses, file, fingerprint, random};
use crate::store::{
    Store,
    server_key::{CURRENT, PREVIOUS, RETIRED, SINCE},
};

/// The key that new channels are opened with.
pub(super) const FILE: &str = "noise.key";
/// The one before it, while it is accepted.
pub(super) const BEFORE: &str = "noise-previous.key";
/// One that no client was told yet.
const NEXT: &str = "noise-next.key";
pub(super) const PREFIX: &str = "privkey:";

/// The keys that are accepted, and who was served with which.
#[derive(Debug)]
pub struct NoiseKeys {
    accepted: ArcSwap<Accepting>,
    folder: PathBuf,
    /// Kept while two keys are accepted.
    pub uses: Uses,
}

/// What is accepted at one moment.
#[derive(Debug, Clone)]
pub struct Accepting {
    /// Told to whoever asks.
    pub current: ServerKey,
    /// The one before, and since when.
    pub previous: Option<(ServerKey, Timestamp)>,
}

/// One of the server's keys.
#[derive(Debug, Clone)]
pub struct ServerKey {
    private: PrivateKey,
    retired: CancellationToken,
}

impl ServerKey {
    fn new(raw: &Secret<[u8; 32]>, path: &Path) -> Result<Self, KeyringError> {
        let bad = |_| KeyringError::BadFile { path: path.to_owned(), why: "no Noise key".to_owned() };
        Ok(Self { private: PrivateKey::new(*raw.expose()).map_err(bad)?, retired: CancellationToken::new() })
    }
    /// What clients know of it.
    pub fn public(&self) -> MachineKey {
        self.private.public_key()
    }
    /// Cancelled when it is accepted no more.
    pub fn retired(&self) -> &CancellationToken {
        &self.retired
    }
}

/// A key on the disk that the database does not know yet.
#[derive(Debug)]
pub struct Prepared(ServerKey);

impl Prepared {
    /// What clients will know of it.
    pub fn public(&self) -> MachineKey {
        self.0.public()
    }
}

impl NoiseKeys {
    /// Reads the files and compares them with what the database remembers; finishes or takes back what a killed process
    /// had begun. `first` as for [`super::Keyring::open`].
    pub(super) fn open(folder: &Path, store: &Store, first: bool) -> Result<Self, KeyringError> {
        let known = store.meta(CURRENT)?;
        let [path, next] = [FILE, NEXT].map(|name| folder.join(name));
        let mut raw = file::read(&path, PREFIX)?;
        if let Some(waiting) = file::read_if_there(&next, PREFIX)? {
            if known == Some(ServerKey::new(&waiting, &next)?.public().to_string()) {
                file::put(&next, &path)?;
                raw = waiting;
            } else {
                file::remove(&next)?;
            }
        }
        let current = ServerKey::new(&raw, &path)?;
        let print = fingerprint(CURRENT, raw.expose());
        match known {
            Some(known) if known == print || known == current.public().to_string() => {}
            None if first => store.set_meta(CURRENT, &print)?,
            _ => return Err(KeyringError::WrongKey { path }),
        }
        let previous = previous(folder, store, first, &current)?;
        let uses = Uses::new(if previous.is_some() { store.key_uses()? } else { Vec::new() });
        let accepted = ArcSwap::from_pointee(Accepting { current, previous });
        Ok(Self { accepted, folder: folder.to_owned(), uses })
    }

    /// What is accepted now.
    pub fn accepting(&self) -> Arc<Accepting> {
        self.accepted.load_full()
    }

    /// The public half of the key that clients are told.
    pub fn public(&self) -> MachineKey {
        self.accepted.load().current.public()
    }

    /// Answers an initiation with the key that it was made for: it does not say which. At most two are tried.
    pub fn accept(&self, initiation: &[u8]) -> Result<(Accepted, ServerKey), HandshakeError> {
        let accepting = self.accepting();
        let tried = |key: &ServerKey| Responder::accept(&key.private, *random().expose(), initiation);
        match (tried(&accepting.current), &accepting.previous) {
            (Ok(accepted), _) => Ok((accepted, accepting.current.clone())),
            (Err(HandshakeError::Refused), Some((previous, _))) => Ok((tried(previous)?, previous.clone())),
            (Err(e), _) => Err(e),
        }
    }

    /// A node on this machine is served on a channel of this key.
    pub fn served(&self, machine: MachineKey, key: MachineKey, at: Timestamp) {
        if self.accepted.load().previous.is_some() {
            self.uses.note(machine, key, at);
        }
    }

    /// Makes another key and a copy of the one in force. Nothing is different yet.
    pub fn prepare(&self) -> Result<Prepared, KeyringError> {
        let [next, before, path] = [NEXT, BEFORE, FILE].map(|name| self.folder.join(name));
        let raw = random();
        file::create(&next, PREFIX, &raw)?;
        file::create(&before, PREFIX, &file::read(&path, PREFIX)?)?;
        Ok(Prepared(ServerKey::new(&raw, &next)?))
    }

    /// Takes back what was prepared, when the database certainly does not know it.
    pub fn discard(&self, _prepared: Prepared) -> Result<(), KeyringError> {
        file::remove(&self.folder.join(NEXT))?;
        file::remove(&self.folder.join(BEFORE))
    }

    /// The database knows the new key: it is told and accepted from here on, and so is the one before, which the
    /// `connected` machines use. A file that could not be put in its place is left to the next start.
    pub fn rotated(
        &self,
        Prepared(current): Prepared,
        connected: &[MachineKey],
        at: Timestamp,
    ) -> Result<(), KeyringError> {
        let before = self.accepting().current.clone();
        self.uses.forget();
        connected.iter().for_each(|machine| self.uses.note(*machine, before.public(), at));
        let previous = Some((before, at));
        self.accepted.store(Arc::new(Accepting { current, previous }));
        file::put(&self.folder.join(NEXT), &self.folder.join(FILE))
    }

    /// The database knows the key before no more: it is not accepted, its channels end, its file goes.
    pub fn retired(&self) -> Result<(), KeyringError> {
        let accepting = self.accepting();
        self.accepted.store(Arc::new(Accepting { current: accepting.current.clone(), previous: None }));
        if let Some((previous, _)) = &accepting.previous {
            previous.retired.cancel();
        }
        self.uses.forget();
        file::remove(&self.folder.join(BEFORE))
    }
}

/// The key before, when the database says that it is accepted.
fn previous(
    folder: &Path,
    store: &Store,
    first: bool,
    current: &ServerKey,
) -> Result<Option<(ServerKey, Timestamp)>, KeyringError> {
    let path = folder.join(BEFORE);
    let found = file::read_if_there(&path, PREFIX)?.map(|raw| ServerKey::new(&raw, &path)).transpose()?;
    let since = store.meta(SINCE)?.and_then(|at| at.parse().ok()).unwrap_or_else(Timestamp::now);
    match (found, store.meta(PREVIOUS)?) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(KeyringError::KeyMissing { path, database: folder.join("mesh.db") }),
        (Some(key), Some(known)) if known == key.public().to_string() => Ok(Some((key, since))),
        (Some(key), None) if first => {
            store.set_meta(CURRENT, &current.public().to_string())?;
            store.set_meta(PREVIOUS, &key.public().to_string())?;
            store.set_meta(SINCE, &since.to_string())?;
            Ok(Some((key, since)))
        }
        (Some(key), None) => {
            let never_was = key.public() == current.public();
            if !never_was && store.meta(RETIRED)? != Some(key.public().to_string()) {
                return Err(KeyringError::WrongKey { path });
            }
            file::remove(&path).map(|()| None)
        }
        (Some(_), Some(_)) => Err(KeyringError::WrongKey { path }),
    }
}

#[cfg(test)]
mod tests {
    use noise::Initiator;
    use world::{Command, Context, Draft, Settings};

    use super::*;
    use crate::{
        keyring::Keyring,
        store::{Entry, server_key::KeyUseRow},
    };

    /// A data folder with a database that has no server.
    struct Bench {
        folder: tempfile::TempDir,
        store: Store,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            Keyring::create(folder.path()).unwrap();
            let store = Store::open(&folder.path().join("mesh.db")).unwrap();
            let bench = Self { folder, store };
            Keyring::open(bench.folder.path(), &bench.store, true).unwrap();
            bench
        }

        /// As a start does.
        fn open(&self) -> NoiseKeys {
            let keys = NoiseKeys::open(self.folder.path(), &self.store, false).unwrap();
            assert!(!self.folder.path().join(NEXT).exists());
            assert_eq!(self.folder.path().join(BEFORE).exists(), keys.accepting().previous.is_some());
            keys
        }

        /// As the writer does.
        fn commit(&self, command: Command) {
            let world = self.store.load(Settings::default()).unwrap().world;
            let mut draft = Draft::new(&world);
            let at = Timestamp::now();
            let step = draft.step(&command, Context { now: at, rng: 1 }).unwrap();
            let entry = |event| Entry { event, actor: "system", source: "local", at };
            self.store.commit(&draft.world, &step.durable().map(entry).collect::<Vec<_>>()).unwrap();
        }
    }

    fn accepts(keys: &NoiseKeys, key: MachineKey) -> bool {
        let client = PrivateKey::new([7; 32]).unwrap();
        let (message, _) = Initiator::new(&client, key, [9; 32], 113).unwrap();
        keys.accept(&message).is_ok_and(|(_, used)| used.public() == key)
    }

    #[test]
    fn a_start_finishes_or_takes_back_what_was_begun_after_every_step() {
        let bench = Bench::new();
        let first = bench.open().public();

        // Killed after the files were written: it never was.
        let never = bench.open().prepare().unwrap().public();
        let keys = bench.open();
        assert!(keys.public() == first && keys.accepting().previous.is_none() && !accepts(&keys, never));

        // Killed after the database knew it: it is.
        let second = keys.prepare().unwrap().public();
        bench.commit(Command::NoteKeyRotated { key: second, before: first });
        let keys = bench.open();
        assert!(keys.public() == second && accepts(&keys, second) && accepts(&keys, first));
        let again = bench.open();
        assert!(again.public() == second && accepts(&again, first));

        // Killed after the database knew of the end.
        bench.commit(Command::NoteKeyRetired { key: first, left_behind: Vec::new() });
        let keys = bench.open();
        assert!(accepts(&keys, second) && !accepts(&keys, first));

        // Not killed: the same in memory.
        let prepared = keys.prepare().unwrap();
        let third = prepared.public();
        bench.commit(Command::NoteKeyRotated { key: third, before: second });
        keys.rotated(prepared, &[], Timestamp::now()).unwrap();
        assert!(keys.public() == third && accepts(&keys, third) && accepts(&keys, second));
        let old = keys.accepting().previous.clone().unwrap().0;
        bench.commit(Command::NoteKeyRetired { key: second, left_behind: Vec::new() });
        keys.retired().unwrap();
        assert!(!accepts(&keys, second) && old.retired().is_cancelled());
        assert_eq!(bench.open().public(), third);
    }

    #[test]
    fn who_was_seen_with_which_key_is_known_again() {
        let bench = Bench::new();
        let keys = bench.open();
        let first = keys.public();
        let [a, b] = [[1; 32], [2; 32]].map(|raw| PrivateKey::new(raw).unwrap().public_key());
        keys.served(a, first, Timestamp::now());
        assert!(keys.uses.of(&a).is_none(), "with one key there is nothing to remember");
        let prepared = keys.prepare().unwrap();
        let second = prepared.public();
        bench.commit(Command::NoteKeyRotated { key: second, before: first });
        keys.rotated(prepared, &[a], Timestamp::now()).unwrap();
        keys.served(b, second, Timestamp::now());
        let stranger = PrivateKey::new([3; 32]).unwrap().public_key();
        let rows = keys.uses.take();
        bench.store.keep_key_uses(&rows).unwrap();
        let foreign = KeyUseRow { machine: stranger, key: stranger, at: Timestamp::now() };
        bench.store.keep_key_uses(&[foreign]).unwrap();
        let again = bench.open();
        let of = |machine| again.uses.of(&machine).map(|(key, _)| key);
        assert_eq!((of(a), of(b), of(stranger)), (Some(first), Some(second), None));
        bench.commit(Command::NoteKeyRetired { key: first, left_behind: Vec::new() });
        assert_eq!(bench.store.key_uses().unwrap(), []);
    }
}
