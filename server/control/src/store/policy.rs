//! The policies that were in force: a short row each, the text in the log.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use world::DurableEvent;

use super::{DEFAULT_TAILNET as TAILNET, Entry, Store, StoreError, lock, unreadable};

/// A policy that was put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// Counts from 1 without gaps.
    pub version: u64,
    /// Its entry of the log.
    pub seq: u64,
    /// RFC 3339.
    pub at: String,
    /// Who.
    pub actor: String,
    /// From where.
    pub source: String,
    /// Why; may be empty.
    pub message: String,
    /// Length of its text.
    pub bytes: u64,
}

const COLUMNS: &str = "version, seq, at, actor, source, message, bytes";

impl Store {
    /// The newest ones first, at most so many, only those before a number.
    pub fn policy_versions(&self, limit: u64, before: Option<u64>) -> Result<Vec<PolicyVersion>, StoreError> {
        let connection = lock(&self.reader);
        let mut rows = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM policy_version WHERE tailnet = ?1 AND version < ?2 ORDER BY version DESC LIMIT ?3"
        ))?;
        let before = before.unwrap_or(u64::MAX >> 1);
        let found = rows.query_map(params![TAILNET, before.min(u64::MAX >> 1), limit], row)?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// One of them with its text.
    pub fn policy_version(&self, version: u64) -> Result<Option<(PolicyVersion, String)>, StoreError> {
        let connection = lock(&self.reader);
        let mut rows = connection.prepare_cached(&format!(
            "SELECT {COLUMNS}, (SELECT body FROM event WHERE tailnet = ?1 AND event.seq = policy_version.seq)
             FROM policy_version WHERE tailnet = ?1 AND version = ?2"
        ))?;
        let wanted = params![TAILNET, version.min(u64::MAX >> 1)];
        let found = rows.query_row(wanted, |r| Ok((row(r)?, r.get::<_, Option<String>>(7)?))).optional()?;
        let Some((known, body)) = found else { return Ok(None) };
        let missing = || unreadable(format!("the text of policy version {version}"), "its event is gone");
        let event: serde_json::Value = serde_json::from_str(&body.ok_or_else(missing)?)
            .map_err(|e| unreadable(format!("the event of policy version {version}"), e))?;
        let text = event.get("policy").and_then(serde_json::Value::as_str).ok_or_else(missing)?;
        Ok(Some((known, text.to_owned())))
    }
}

/// Notes the policies among the entries, whose first one has this number.
pub(super) fn append(tx: &Transaction<'_>, first: u64, entries: &[Entry<'_>]) -> Result<(), StoreError> {
    for (seq, entry) in (first..).zip(entries) {
        let DurableEvent::PolicySet { policy, message } = entry.event else { continue };
        tx.prepare_cached(
            "INSERT INTO policy_version
             SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7 FROM policy_version WHERE tailnet = ?1",
        )?
        .execute(params![
            TAILNET,
            seq,
            entry.at.to_string(),
            entry.actor,
            entry.source,
            message,
            policy.policy.text().len()
        ])?;
    }
    Ok(())
}

fn row(r: &Row<'_>) -> Result<PolicyVersion, rusqlite::Error> {
    Ok(PolicyVersion {
        version: r.get(0)?,
        seq: r.get(1)?,
        at: r.get(2)?,
        actor: r.get(3)?,
        source: r.get(4)?,
        message: r.get(5)?,
        bytes: r.get(6)?,
    })
}

#[cfg(test)]
mod tests {
    use world::{Prepared, Settings, World};

    use super::*;

    fn set(store: &Store, text: &str, message: &str) {
        let policy = Prepared::parse(text).unwrap();
        let event = DurableEvent::PolicySet { policy, message: message.into() };
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        let entry = Entry { event: &event, actor: "socket:uid=0", source: "local", at };
        store.commit(&World::empty(Settings::default()), &[entry]).unwrap();
    }

    fn versions(store: &Store) -> Vec<(u64, String)> {
        let all = store.policy_versions(10, None).unwrap();
        all.into_iter().map(|v| (v.version, v.message)).collect()
    }

    #[test]
    fn every_policy_is_kept_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("mesh.db")).unwrap();
        assert_eq!(store.policy_version(1).unwrap(), None);
        set(&store, "{}", "the first");
        set(&store, "{\"groups\": {}} // ö", "");
        assert_eq!(versions(&store), [(2, "".to_owned()), (1, "the first".to_owned())]);
        assert_eq!(store.policy_versions(10, Some(2)).unwrap().len(), 1);
        assert_eq!(store.policy_versions(1, None).unwrap().len(), 1);
        let (second, text) = store.policy_version(2).unwrap().unwrap();
        assert_eq!((second.seq, second.bytes, text.as_str()), (2, 20, "{\"groups\": {}} // ö"));
        assert_eq!(store.policy_version(u64::MAX).unwrap(), None);
    }

    #[test]
    fn policies_of_an_older_release_are_found_too() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("mesh.db")).unwrap();
        set(&store, "{}", "");
        set(&store, "{\"groups\": {}}", "");
        let migration = include_str!("../../migrations/0004_policy_versions.sql");
        let before = "DROP TABLE policy_version; DROP INDEX event_kind;";
        lock(&store.writer).execute_batch(&format!("{before} {migration}")).unwrap();
        assert_eq!(versions(&store), [(2, String::new()), (1, String::new())]);
        assert_eq!(store.policy_version(2).unwrap().unwrap().0.bytes, 14);
        set(&store, "{}", "goes on");
        assert_eq!(versions(&store)[0], (3, "goes on".to_owned()));
    }
}
