//! Which Noise keys the server accepts, and with which of them its machines were last served.

use ident::MachineKey;
use jiff::Timestamp;
use rusqlite::{Transaction, TransactionBehavior, params};

use super::{Store, StoreError, lock};

/// In the table `meta`: the key that channels are opened with, as its fingerprint or its public half.
pub const CURRENT: &str = "noise_key";
/// The public half of the key before it, while that is accepted.
pub const PREVIOUS: &str = "noise_previous";
/// Since when it is the one before.
pub const SINCE: &str = "noise_since";
/// The public half of the last one that was retired.
pub const RETIRED: &str = "noise_retired";

/// A machine, the key that it was served with, and when first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUseRow {
    /// Whose.
    pub machine: MachineKey,
    /// The server's public half.
    pub key: MachineKey,
    /// When it was seen with this key first.
    pub at: Timestamp,
}

impl Store {
    /// Every machine that was seen since the rotation. Rows that say nothing are left out: their machines were not seen.
    pub fn key_uses(&self) -> Result<Vec<KeyUseRow>, StoreError> {
        let connection = lock(&self.writer);
        let mut rows = connection.prepare("SELECT machine, key, at FROM key_use")?;
        let row = |r: &rusqlite::Row<'_>| Ok((r.get(0)?, r.get(1)?, r.get(2)?));
        let rows: Vec<(String, String, String)> = rows.query_map([], row)?.collect::<Result<_, _>>()?;
        let parsed = rows.into_iter().filter_map(|(machine, key, at)| {
            Some(KeyUseRow { machine: machine.parse().ok()?, key: key.parse().ok()?, at: at.parse().ok()? })
        });
        Ok(parsed.collect())
    }

    /// Keeps these, all or nothing; each takes the place of what was known of its machine. What is said of a key that is
    /// not accepted is left out.
    pub fn keep_key_uses(&self, rows: &[KeyUseRow]) -> Result<(), StoreError> {
        let mut connection = lock(&self.writer);
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut put = tx.prepare_cached(
                "INSERT OR REPLACE INTO key_use SELECT ?1, ?2, ?3
                 WHERE ?2 IN (SELECT value FROM meta WHERE name IN (?4, ?5))",
            )?;
            for row in rows {
                let (machine, key, at) = (row.machine.to_string(), row.key.to_string(), row.at.to_string());
                put.execute(params![machine, key, at, CURRENT, PREVIOUS])?;
            }
        }
        tx.commit()?;
        Ok(())
    }
}

/// What becomes of the keys that are accepted.
#[derive(Debug)]
pub(super) enum Change {
    Rotated { key: MachineKey, before: MachineKey, at: Timestamp },
    Retired { key: MachineKey },
}

/// Notes which keys are accepted from now on. Nobody was seen since.
pub(super) fn note(tx: &Transaction<'_>, change: &Change) -> Result<(), StoreError> {
    match change {
        Change::Rotated { key, before, at } => {
            put(tx, CURRENT, &key.to_string())?;
            put(tx, PREVIOUS, &before.to_string())?;
            put(tx, SINCE, &at.to_string())?;
            tx.execute("DELETE FROM meta WHERE name = ?1", [RETIRED])?;
        }
        Change::Retired { key } => {
            put(tx, RETIRED, &key.to_string())?;
            tx.execute("DELETE FROM meta WHERE name IN (?1, ?2)", [PREVIOUS, SINCE])?;
        }
    }
    tx.execute("DELETE FROM key_use", [])?;
    Ok(())
}

fn put(tx: &Transaction<'_>, name: &str, value: &str) -> Result<(), StoreError> {
    tx.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)", [name, value])?;
    Ok(())
}
