//! What a start could not read and set aside.

use super::{DEFAULT_TAILNET as TAILNET, Store, StoreError, lock};

/// A row that is out of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideRow {
    /// Counts up.
    pub id: u64,
    /// RFC 3339.
    pub found: String,
    /// The table that it was in.
    pub table: String,
    /// Its name, login or id, where the row has one.
    pub name: Option<String>,
}

impl Store {
    /// The newest rows that are set aside, and how many there are in all. What stood in them is not told: a row of a
    /// credential holds what it is compared with.
    pub fn set_aside(&self, most: usize) -> Result<(Vec<AsideRow>, u64), StoreError> {
        let connection = lock(&self.reader);
        let mut rows = connection.prepare_cached(
            "SELECT id, found, noun,
                CASE WHEN json_valid(row) THEN coalesce(row ->> '$.name', row ->> '$.login', row ->> '$.id') END
             FROM unreadable WHERE tailnet = ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let found = rows.query_map([TAILNET, most], |r| {
            let name = r.get_ref(3)?;
            let name = name.as_str().map(str::to_owned).or_else(|_| name.as_i64().map(|id| id.to_string()));
            Ok(AsideRow { id: r.get(0)?, found: r.get(1)?, table: r.get(2)?, name: name.ok() })
        })?;
        let found = found.collect::<Result<_, _>>()?;
        let sql = "SELECT count(*) FROM unreadable WHERE tailnet = ?1";
        Ok((found, connection.query_row(sql, [TAILNET], |r| r.get(0))?))
    }

    /// The policy's text as it is stored, readable or not.
    pub fn policy_text(&self) -> Result<Option<String>, StoreError> {
        let sql = "SELECT policy FROM tailnet WHERE id = ?1";
        Ok(lock(&self.reader).query_row(sql, [TAILNET], |r| r.get(0))?)
    }
}
