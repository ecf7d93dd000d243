//! With which of the server's keys its machines were last served, while two are accepted.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ident::MachineKey;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Keyring;
use crate::store::{Store, server_key::KeyUseRow};

/// After a start every machine comes back: they are written together.
const WRITE_EVERY: Duration = Duration::from_millis(500);

/// Machines that were served since the rotation.
#[derive(Debug)]
pub struct Uses(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    by_machine: BTreeMap<MachineKey, (MachineKey, Timestamp)>,
    unwritten: BTreeSet<MachineKey>,
}

impl Uses {
    pub(super) fn new(rows: Vec<KeyUseRow>) -> Self {
        let by_machine = rows.into_iter().map(|row| (row.machine, (row.key, row.at))).collect();
        Self(Mutex::new(Seen { by_machine, unwritten: BTreeSet::new() }))
    }

    /// A node's machine is served on a channel of this key.
    pub fn note(&self, machine: MachineKey, key: MachineKey, at: Timestamp) {
        let mut seen = self.seen();
        if seen.by_machine.get(&machine).is_none_or(|(known, _)| *known != key) {
            seen.by_machine.insert(machine, (key, at));
            seen.unwritten.insert(machine);
        }
    }

    /// The key that this machine was last served with, and since when; none when it was not seen.
    pub fn of(&self, machine: &MachineKey) -> Option<(MachineKey, Timestamp)> {
        self.seen().by_machine.get(machine).copied()
    }

    /// From here on nobody was seen.
    pub(super) fn forget(&self) {
        *self.seen() = Seen::default();
    }

    pub(super) fn take(&self) -> Vec<KeyUseRow> {
        let mut seen = self.seen();
        let taken = mem::take(&mut seen.unwritten);
        let row = |machine| {
            let (key, at) = *seen.by_machine.get(&machine)?;
            Some(KeyUseRow { machine, key, at })
        };
        taken.into_iter().filter_map(row).collect()
    }

    fn give_back(&self, rows: Vec<KeyUseRow>) {
        self.seen().unwritten.extend(rows.into_iter().map(|row| row.machine));
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes who was seen until told to stop, and once more then.
pub async fn write_uses(keyring: Arc<Keyring>, store: Arc<Store>, stop: CancellationToken) {
    let mut last = false;
    while !last {
        last = stop.run_until_cancelled(tokio::time::sleep(WRITE_EVERY)).await.is_none();
        let rows = keyring.noise.uses.take();
        if rows.is_empty() {
            continue;
        }
        let (store, written) = (store.clone(), rows.clone());
        let kept = tokio::task::spawn_blocking(move || store.keep_key_uses(&written)).await;
        if let Ok(Err(e)) = kept {
            tracing::warn!(error = %e, "which machines use which of the server's keys could not be written");
            keyring.noise.uses.give_back(rows);
        }
    }
}
