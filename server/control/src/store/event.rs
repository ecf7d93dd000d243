//! The log: who did what, when, each row chained to the one before by SHA-256.

use aws_lc_rs::digest::{Context, SHA256};
use rusqlite::{Connection, Row, Transaction, params};

use super::{DEFAULT_TAILNET as TAILNET, Entry, Store, StoreError, lock, persist::json};

/// The version of the event JSON that this release writes.
const VERSION: i64 = 1;

/// A row of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// Counts from 1 without gaps.
    pub seq: u64,
    /// RFC 3339.
    pub at: String,
    /// Who.
    pub actor: String,
    /// From where.
    pub source: String,
    /// What, as a stable name.
    pub kind: String,
    /// Version of the event's JSON.
    pub v: i64,
    /// About what.
    pub subject: String,
    /// The event's JSON.
    pub body: String,
    prev: Vec<u8>,
    hash: Vec<u8>,
}

/// Which rows are wanted.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only rows behind this one, the oldest of them first.
    pub after: Option<u64>,
    /// At most so many; the newest ones unless `after` is given.
    pub limit: u64,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only about this subject.
    pub subject: Option<String>,
}

/// What a walk along the whole chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many rows are in order.
    pub rows: u64,
    /// The first row that is not, and why.
    pub broken: Option<(u64, String)>,
    /// The hash of the last row, in hex.
    pub head: String,
}

impl Store {
    /// Rows in order of their numbers.
    pub fn events(&self, filter: &EventFilter) -> Result<Vec<LogRow>, StoreError> {
        let connection = lock(&self.reader);
        let order = if filter.after.is_none() { "DESC" } else { "ASC" };
        let mut rows = connection.prepare_cached(&format!(
            "SELECT seq, at, actor, source, kind, v, subject, body, prev, hash FROM event
             WHERE tailnet = ?1 AND seq > ?2 AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR subject = ?4)
             ORDER BY seq {order} LIMIT ?5"
        ))?;
        let EventFilter { after, limit, kind, subject } = filter;
        let found = rows.query_map(params![TAILNET, after.unwrap_or(0), kind, subject, limit], row)?;
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(|r| r.seq);
        Ok(found)
    }

    /// The number of the newest row; 0 when there is none.
    pub fn head_seq(&self) -> Result<u64, StoreError> {
        Ok(head(&lock(&self.reader))?.0)
    }

    /// Walks the chain from its first row to the head.
    pub fn verify_events(&self) -> Result<Verified, StoreError> {
        let connection = lock(&self.reader);
        let (head_seq, head_hash) = head(&connection)?;
        let mut rows = connection.prepare(
            "SELECT seq, at, actor, source, kind, v, subject, body, prev, hash FROM event WHERE tailnet = ?1 ORDER BY seq",
        )?;
        let (mut count, mut prev) = (0u64, vec![0u8; 32]);
        let broken = |seq, why: &str, count| {
            Ok(Verified { rows: count, broken: Some((seq, why.to_owned())), head: hex::encode(&head_hash) })
        };
        for found in rows.query_map([TAILNET], row)? {
            let found = found?;
            if found.seq != count + 1 {
                return broken(count + 1, "the row is missing", count);
            }
            if found.prev != prev || found.hash != chain(&prev, &found) {
                return broken(found.seq, "the row was changed", count);
            }
            count = found.seq;
            prev = found.hash;
        }
        if count != head_seq || prev != head_hash {
            return broken(count + 1, "rows at the end are missing", count);
        }
        Ok(Verified { rows: count, broken: None, head: hex::encode(head_hash) })
    }
}

/// Returns the number of the last row.
pub(super) fn append(tx: &Transaction<'_>, entries: &[Entry<'_>]) -> Result<u64, StoreError> {
    let (mut seq, mut prev) = head(tx)?;
    let mut insert =
        tx.prepare_cached("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?;
    for entry in entries {
        seq += 1;
        let described = entry.event.describe();
        let mut row = LogRow {
            seq,
            at: entry.at.to_string(),
            actor: entry.actor.to_owned(),
            source: entry.source.to_owned(),
            kind: described.kind.to_owned(),
            v: VERSION,
            subject: described.subject,
            body: json(entry.event)?,
            prev,
            hash: Vec::new(),
        };
        row.hash = chain(&row.prev, &row);
        insert.execute(params![
            TAILNET,
            row.seq,
            row.at,
            row.actor,
            row.source,
            row.kind,
            row.v,
            row.subject,
            row.body,
            row.prev,
            row.hash
        ])?;
        prev = row.hash;
    }
    tx.prepare_cached("UPDATE tailnet SET head_seq = ?2, head_hash = ?3 WHERE id = ?1")?
        .execute(params![TAILNET, seq, prev])?;
    Ok(seq)
}

pub(super) fn head(connection: &Connection) -> Result<(u64, Vec<u8>), StoreError> {
    let mut head = connection.prepare_cached("SELECT head_seq, head_hash FROM tailnet WHERE id = ?1")?;
    Ok(head.query_row([TAILNET], |r| Ok((r.get(0)?, r.get(1)?)))?)
}

/// SHA-256 over the hash before and every column, each with its length in front.
fn chain(prev: &[u8], row: &LogRow) -> Vec<u8> {
    let (seq, v) = (row.seq.to_string(), row.v.to_string());
    let columns = [&seq, &row.at, &row.actor, &row.source, &row.kind, &v, &row.subject, &row.body];
    let mut hash = Context::new(&SHA256);
    hash.update(prev);
    for column in columns {
        hash.update(&(column.len() as u64).to_be_bytes());
        hash.update(column.as_bytes());
    }
    hash.finish().as_ref().to_vec()
}

fn row(r: &Row<'_>) -> Result<LogRow, rusqlite::Error> {
    Ok(LogRow {
        seq: r.get(0)?,
        at: r.get(1)?,
        actor: r.get(2)?,
        source: r.get(3)?,
        kind: r.get(4)?,
        v: r.get(5)?,
        subject: r.get(6)?,
        body: r.get(7)?,
        prev: r.get(8)?,
        hash: r.get(9)?,
    })
}
