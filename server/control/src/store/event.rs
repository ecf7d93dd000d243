//! The log: who did what, when, each row chained to the one before by SHA-256.

use aws_lc_rs::digest::{Context, SHA256};
use rusqlite::{Connection, Row, Transaction, params};

use super::{DEFAULT_TAILNET as TAILNET, Entry, Store, StoreError, lock, open_reader, persist::json};

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
    /// Only by this one.
    pub actor: Option<String>,
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
        let EventFilter { after, limit, kind, subject, actor } = filter;
        let mut rows = connection.prepare_cached(&filter.sql())?;
        let found = rows.query_map(params![TAILNET, after.unwrap_or(0), kind, subject, limit, actor], row)?;
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(|r| r.seq);
        Ok(found)
    }

    /// The number of the newest row; 0 when there is none.
    pub fn head_seq(&self) -> Result<u64, StoreError> {
        Ok(head(&lock(&self.reader))?.0)
    }

    /// Walks the chain from its first row to the head, as both are at one moment. It has a connection of its own, so
    /// that nobody waits for it.
    pub fn verify_events(&self) -> Result<Verified, StoreError> {
        let mut connection = open_reader(&self.path)?;
        let moment = connection.transaction()?;
        let end = head(&moment)?;
        verify(&moment, end)
    }
}

impl EventFilter {
    /// A condition that is not asked for is left out, so that the others find their index.
    fn sql(&self) -> String {
        let kind = if self.kind.is_some() { "AND kind = ?3" } else { "AND ?3 IS NULL" };
        let subject = if self.subject.is_some() { "AND subject = ?4" } else { "AND ?4 IS NULL" };
        let actor = if self.actor.is_some() { "AND actor = ?6" } else { "AND ?6 IS NULL" };
        let order = if self.after.is_none() { "DESC" } else { "ASC" };
        format!(
            "SELECT seq, at, actor, source, kind, v, subject, body, prev, hash FROM event
             WHERE tailnet = ?1 AND seq > ?2 {kind} {subject} {actor} ORDER BY seq {order} LIMIT ?5"
        )
    }
}

fn verify(connection: &Connection, (head_seq, head_hash): (u64, Vec<u8>)) -> Result<Verified, StoreError> {
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

/// Appends to the chain; gives the numbers of the first and of the last row.
pub(super) fn append(tx: &Transaction<'_>, entries: &[Entry<'_>]) -> Result<(u64, u64), StoreError> {
    let (mut seq, mut prev) = head(tx)?;
    let first = seq + 1;
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
    Ok((first, seq))
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

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use world::{DurableEvent, Settings, World};

    use super::*;

    fn open(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("mesh.db")).unwrap()
    }

    fn say(store: &Store, names: &[&str]) {
        let events: Vec<_> =
            names.iter().map(|name| DurableEvent::RoleDeleted { name: (*name).to_owned() }).collect();
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        let entry = |event| Entry { event, actor: "system", source: "local", at };
        let entries: Vec<_> = events.iter().map(entry).collect();
        store.commit(&World::empty(Settings::default()), &entries).unwrap();
    }

    #[test]
    fn a_commit_in_the_midst_of_a_walk_is_no_break() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        say(&store, &["a", "b"]);
        let mut reader = open_reader(&store.path).unwrap();
        let moment = reader.transaction().unwrap();
        let end = head(&moment).unwrap();
        say(&store, &["c"]);
        let found = verify(&moment, end).unwrap();
        assert_eq!((found.rows, found.broken), (2, None));
        assert_eq!(store.verify_events().unwrap().rows, 3);
    }

    #[test]
    fn walks_beside_a_busy_writer_find_nothing_and_hold_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        say(&store, &["a"; 500]);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                (0..100).for_each(|_| say(&store, &["x"; 5]));
                done.store(true, Ordering::Release);
            });
            let held = lock(&store.reader);
            while !done.load(Ordering::Acquire) {
                assert_eq!(store.verify_events().unwrap().broken, None);
            }
            drop(held);
        });
        assert_eq!(store.verify_events().unwrap().rows, 1000);
    }

    #[test]
    fn what_was_changed_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        say(&store, &["a", "b", "c"]);
        lock(&store.writer).execute("UPDATE event SET actor = 'nobody' WHERE seq = 2", []).unwrap();
        assert_eq!(store.verify_events().unwrap().broken.map(|(seq, _)| seq), Some(2));
        lock(&store.writer).execute("DELETE FROM event WHERE seq > 1", []).unwrap();
        assert_eq!(store.verify_events().unwrap().broken.map(|(seq, _)| seq), Some(2));
    }

    #[test]
    fn one_kind_is_found_by_its_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let plan = |filter: &EventFilter| {
            let connection = lock(&store.reader);
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", filter.sql())).unwrap();
            let values = params![TAILNET, 0, filter.kind, filter.subject, 10, filter.actor];
            let rows = plan.query_map(values, |row| row.get::<_, String>(3)).unwrap();
            rows.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
        };
        let kind = EventFilter { kind: Some("policy_set".into()), ..EventFilter::default() };
        let subject = EventFilter { subject: Some("node:1".into()), ..EventFilter::default() };
        for (filter, index) in [(&kind, "event_kind"), (&subject, "event_subject")] {
            let plan = plan(filter);
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
