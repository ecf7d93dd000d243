//! Brings the schema up to date: numbered files, each in a transaction of its own.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_init.sql"),
    include_str!("../../migrations/0002_unreadable.sql"),
    include_str!("../../migrations/0003_policy_versions.sql"),
];

pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as i64;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for (number, sql) in (1..).zip(MIGRATIONS).skip(found as usize) {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(sql)?;
        if number == 1 {
            tx.execute(
                "INSERT INTO tailnet VALUES (?1, 'default', 1, 1, 1, 1, 0, zeroblob(32), NULL)",
                [super::DEFAULT_TAILNET],
            )?;
        }
        tx.pragma_update(None, "user_version", number)?;
        tx.commit()?;
    }
    Ok(())
}
