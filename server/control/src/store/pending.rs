//! Devices that wait to be let in.

use rusqlite::{TransactionBehavior, params};

use super::{DEFAULT_TAILNET as TAILNET, Store, StoreError, lock};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRow {
    /// What it is called.
    pub code: String,
    /// When nobody waits for it any more, in seconds since 1970.
    pub expires: i64,
    /// The device.
    pub body: String,
}

impl Store {
    /// Those that still wait at that second, the oldest first. All others are forgotten.
    pub fn pending(&self, now: i64) -> Result<Vec<PendingRow>, StoreError> {
        let connection = lock(&self.writer);
        connection.execute("DELETE FROM pending_login WHERE expires <= ?1", [now])?;
        let sql = "SELECT code, expires, body FROM pending_login WHERE tailnet = ?1 ORDER BY expires, code";
        let mut rows = connection.prepare(sql)?;
        let row =
            |r: &rusqlite::Row<'_>| Ok(PendingRow { code: r.get(0)?, expires: r.get(1)?, body: r.get(2)? });
        Ok(rows.query_map([TAILNET], row)?.collect::<Result<_, _>>()?)
    }

    /// Keeps some and forgets others, all or nothing.
    pub fn keep_pending(&self, kept: &[PendingRow], gone: &[String]) -> Result<(), StoreError> {
        let mut connection = lock(&self.writer);
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut put =
                tx.prepare_cached("INSERT OR REPLACE INTO pending_login VALUES (?1, ?2, ?3, ?4)")?;
            for row in kept {
                put.execute(params![TAILNET, row.code, row.expires, row.body])?;
            }
            let mut drop = tx.prepare_cached("DELETE FROM pending_login WHERE code = ?1")?;
            for code in gone {
                drop.execute([code])?;
            }
        }
        tx.commit()?;
        Ok(())
    }
}
