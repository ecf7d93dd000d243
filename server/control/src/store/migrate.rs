//! Brings the schema up to date: numbered files, each in a transaction of its own.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_init.sql"),
    include_str!("../../migrations/0002_unreadable.sql"),
    include_str!("../../migrations/0003_bound_keys.sql"),
    include_str!("../../migrations/0004_policy_versions.sql"),
    include_str!("../../migrations/0005_dns.sql"),
    include_str!("../../migrations/0006_pending_logins.sql"),
    include_str!("../../migrations/0007_scopes.sql"),
    include_str!("../../migrations/0008_key_use.sql"),
    include_str!("../../migrations/0009_agent_reports.sql"),
];

pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found = refuse_newer(connection)?;
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

/// How far its schema is; an error when a newer release made it.
pub(super) fn refuse_newer(connection: &Connection) -> Result<i64, StoreError> {
    let known = MIGRATIONS.len() as i64;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    if found > known { Err(StoreError::Newer { found, known }) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database as the release before the third step left it.
    fn second() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.execute_batch(MIGRATIONS[1]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO tailnet VALUES (1, 'default', 9, 1, 1, 1, 0, zeroblob(32), NULL);
                 PRAGMA user_version = 2;",
            )
            .unwrap();
        connection
    }

    fn node(connection: &Connection, id: u64, machine: &str, key: &str) {
        let sql = format!(
            "INSERT INTO node VALUES (1, {id}, '{machine}', 0, '{key}', 'n{id}', '{id}', '{id}', '{{}}')"
        );
        connection.execute_batch(&sql).unwrap();
    }

    fn event(connection: &Connection, seq: u64, kind: &str, node: u64, body: &str) {
        let sql = format!(
            "INSERT INTO event VALUES (1, {seq}, '', '', '', '{kind}', 1, 'node:{node}', '{body}', x'', x'')"
        );
        connection.execute_batch(&sql).unwrap();
    }

    #[test]
    fn node_keys_are_bound_to_the_machines_that_had_them_first() {
        let mut connection = second();
        node(&connection, 1, "mkey:a", "nodekey:a2");
        node(&connection, 3, "mkey:c", "nodekey:stolen");
        let registered =
            |machine: &str, key: &str| format!(r#"{{"node":{{"machine":"{machine}","node_key":"{key}"}}}}"#);
        event(&connection, 1, "node_registered", 1, &registered("mkey:a", "nodekey:a1"));
        event(&connection, 2, "node_registered", 2, &registered("mkey:b", "nodekey:b1"));
        event(&connection, 3, "node_reauthenticated", 1, r#"{"node":1,"node_key":"nodekey:a2"}"#);
        event(&connection, 4, "node_reauthenticated", 2, r#"{"node":2,"node_key":"nodekey:stolen"}"#);
        event(&connection, 5, "node_registered", 4, &registered("mkey:d", "nodekey:b1"));
        event(&connection, 6, "node_registered", 5, "no JSON");
        event(&connection, 7, "node_registered", 6, r#"{"node":{"machine":7}}"#);
        event(&connection, 8, "node_reauthenticated", 77, r#"{"node_key":"nodekey:orphan"}"#);
        migrate(&mut connection).unwrap();
        let mut rows =
            connection.prepare("SELECT node_key, machine FROM bound_key ORDER BY node_key").unwrap();
        let rows = rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        let rows: Vec<(String, String)> = rows.collect::<Result<_, _>>().unwrap();
        let wanted = [
            ("nodekey:a1", "mkey:a"),
            ("nodekey:a2", "mkey:a"),
            ("nodekey:b1", "mkey:b"),
            ("nodekey:stolen", "mkey:c"),
        ];
        assert_eq!(rows, wanted.map(|(key, machine)| (key.to_owned(), machine.to_owned())));
        let version: i64 = connection.query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap();
        assert_eq!(version, MIGRATIONS.len() as i64);
    }

    #[test]
    fn api_keys_from_before_there_were_scopes_may_do_everything_and_later_ones_what_they_hold() {
        let mut connection = second();
        let bodies = [r#"{"id":1}"#, r#"{"id":2,"scopes":["node:read"]}"#, "no JSON", "[]"];
        for (id, body) in (1..).zip(bodies) {
            connection.execute("INSERT INTO api_key VALUES (1, ?1, ?2)", (id, body)).unwrap();
        }
        migrate(&mut connection).unwrap();
        let mut rows = connection.prepare("SELECT body FROM api_key ORDER BY id").unwrap();
        let rows: Vec<String> = rows.query_map([], |r| r.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows, [r#"{"id":1,"scopes":["all"]}"#, bodies[1], bodies[2], bodies[3]]);
    }
}
