//! Rows to a World.

mod policy;

use std::{collections::BTreeMap, str::FromStr};

use ident::{ApiKeyId, AuthKeyId, MachineKey, NodeId, NodeKey, UserId};
use rusqlite::{Connection, TransactionBehavior, params};
use serde::de::DeserializeOwned;
use world::{Live, NextIds, Node, Prepared, Rows, Settings, World};

use super::{DEFAULT_TAILNET as TAILNET, Store, StoreError, lock, unreadable};

/// What a start finds.
#[derive(Debug)]
pub struct Loaded {
    /// The tailnet; every node is offline.
    pub world: World,
    /// Nodes that held a stream when the last values were written.
    pub were_online: Vec<NodeId>,
    /// What is wrong with the policy that was stored, for people.
    pub policy: Option<String>,
}

impl Store {
    /// Loads the tailnet. Rows that cannot be read do not stop a start: they are moved to the table `unreadable`. So is
    /// a policy that cannot be read or is missing, if the log knows the last one that was set, which is in force then;
    /// otherwise it stays where it is, while nothing may reach anything.
    pub fn load(&self, settings: Settings) -> Result<Loaded, StoreError> {
        let mut connection = lock(&self.writer);
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (lives, mut were_online) = lives(&tx)?;
        let mut nodes: Vec<Node> = bodies(&tx, "node")?;
        let now = jiff::Timestamp::now();
        for node in &mut nodes {
            node.expired = node.key_expiry.is_some_and(|at| at <= now);
            node.live = lives.get(&node.id.get()).cloned().unwrap_or_default();
        }
        let (next, policy, trouble) = tailnet(&tx)?;
        let rows = Rows {
            users: bodies(&tx, "person")?,
            roles: bodies(&tx, "role")?,
            auth_keys: bodies(&tx, "auth_key")?,
            api_keys: bodies(&tx, "api_key")?,
            bound: bound(&tx)?,
            primaries: primaries(&tx)?,
            dns: bodies(&tx, "dns")?.pop(),
            policy,
            nodes,
            next,
        };
        tx.commit()?;
        let world = World::load(settings, rows);
        were_online.retain(|id| world.nodes.get(*id).is_some());
        Ok(Loaded { world, were_online, policy: trouble })
    }
}

fn bodies<T: DeserializeOwned>(connection: &Connection, table: &str) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare(&format!("SELECT rowid, body FROM {table} WHERE tailnet = ?1"))?;
    let mut rows = statement.query([TAILNET])?;
    let (mut read, mut unread) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        match serde_json::from_slice(row.get_ref(1)?.as_bytes().unwrap_or_default()) {
            Ok(noun) => read.push(noun),
            Err(e) => unread.push((row.get(0)?, e)),
        }
    }
    for (row, e) in unread {
        let kept = set_aside(connection, table, row)?;
        // The words of the error may repeat what stands in the row.
        let (line, column) = (e.line(), e.column());
        tracing::error!(
            table,
            kept,
            line,
            column,
            "a row cannot be read; it was moved to the table unreadable"
        );
    }
    Ok(read)
}

/// Frees what the row alone could hold: its name, key and addresses. Returns where it is kept.
fn set_aside(connection: &Connection, table: &str, row: i64) -> Result<i64, StoreError> {
    let statement = connection.prepare(&format!("SELECT * FROM {table}"))?;
    let columns: Vec<_> = statement.column_names().map(|name| format!("'{name}', {name}")).collect();
    let columns = columns.join(", ");
    let copy = format!(
        "INSERT INTO unreadable (tailnet, found, noun, row)
         SELECT tailnet, ?2, ?3, json_object({columns}) FROM {table} WHERE rowid = ?1"
    );
    connection.execute(&copy, params![row, jiff::Timestamp::now().to_string(), table])?;
    let kept = connection.last_insert_rowid();
    connection.execute(&format!("DELETE FROM {table} WHERE rowid = ?1"), [row])?;
    Ok(kept)
}

fn tailnet(connection: &Connection) -> Result<(NextIds, Prepared, Option<String>), StoreError> {
    let sql = "SELECT next_node, next_user, next_auth_key, next_api_key, policy FROM tailnet WHERE id = ?1";
    let (node, user, auth_key, api_key, policy): (u64, u64, u64, u64, Option<String>) = connection
        .query_row(sql, [TAILNET], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?)))?;
    let bad = |e| unreadable("the tailnet's counters", e);
    let next = NextIds {
        node: NodeId::new(node).map_err(bad)?,
        user: UserId::new(user).map_err(bad)?,
        auth_key: AuthKeyId::new(auth_key).map_err(bad)?,
        api_key: ApiKeyId::new(api_key).map_err(bad)?,
    };
    let (policy, trouble) = policy::found(connection, policy)?;
    Ok((next, policy, trouble))
}

fn lives(connection: &Connection) -> Result<(BTreeMap<u64, Live>, Vec<NodeId>), StoreError> {
    let sql =
        "SELECT node, disco, endpoints, home_derp, capver, online, last_seen FROM live WHERE tailnet = ?1";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([TAILNET])?;
    let (mut lives, mut online) = (BTreeMap::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let node: u64 = row.get(0)?;
        // A last value that cannot be read is one that the client has not reported yet.
        let live = Live {
            disco: parsed(row.get(1)?),
            endpoints: serde_json::from_str(&row.get::<_, String>(2)?).unwrap_or_default(),
            home_derp: row.get(3)?,
            capver: row.get(4)?,
            last_seen: parsed(row.get(6)?),
            ..Live::default()
        };
        if row.get(5)? {
            online.extend(NodeId::new(node));
        }
        lives.insert(node, live);
    }
    Ok((lives, online))
}

/// A row that cannot be read names no key that anybody could present.
fn bound(connection: &Connection) -> Result<Vec<(NodeKey, MachineKey)>, StoreError> {
    let sql = "SELECT node_key, machine FROM bound_key WHERE tailnet = ?1";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([TAILNET])?;
    let mut bound = Vec::new();
    while let Some(row) = rows.next()? {
        let (key, machine): (Option<NodeKey>, Option<MachineKey>) =
            (parsed(row.get(0)?), parsed(row.get(1)?));
        match key.zip(machine) {
            Some(pair) => bound.push(pair),
            None => tracing::error!("a row of the table bound_key cannot be read"),
        }
    }
    Ok(bound)
}

fn primaries(connection: &Connection) -> Result<Vec<(ipnet::IpNet, NodeId)>, StoreError> {
    let mut rows = connection.prepare("SELECT prefix, node FROM route_primary WHERE tailnet = ?1")?;
    let found = rows.query_map([TAILNET], |r| Ok((r.get::<_, String>(0)?, r.get::<_, u64>(1)?)))?;
    let mut primaries = Vec::new();
    for row in found {
        let (prefix, node) = row?;
        primaries.extend(prefix.parse().ok().zip(NodeId::new(node).ok()));
    }
    Ok(primaries)
}

fn parsed<T: FromStr>(text: Option<String>) -> Option<T> {
    text.and_then(|t| t.parse().ok())
}

#[cfg(test)]
mod tests {
    use world::User;

    use super::*;

    fn open(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("mesh.db")).unwrap()
    }

    fn sql(store: &Store, text: &str) {
        lock(&store.writer).execute_batch(text).unwrap();
    }

    fn count(store: &Store, table: &str) -> u64 {
        let sql = format!("SELECT count(*) FROM {table}");
        lock(&store.writer).query_row(&sql, [], |r| r.get(0)).unwrap()
    }

    const BAD_NODE: &str =
        "INSERT INTO node VALUES (1, 7, 'mkey:a', 0, 'nodekey:a', 'laptop', '100.64.0.7', 'fd7a::7',
        '{\"id\":7,\"hostinfo\":{\"OS\":\"linux\",\"OS\":7}}');";

    #[test]
    fn unreadable_rows_are_set_aside_and_the_others_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let alice = User {
            id: UserId::FIRST,
            login: "alice".into(),
            display_name: "Alice".into(),
            created: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        let body = serde_json::to_string(&alice).unwrap();
        sql(&store, &format!("INSERT INTO person VALUES (1, 1, 'alice', '{body}'), (1, 2, 'bob', '{{}}');"));
        sql(&store, BAD_NODE);
        sql(&store, "INSERT INTO live VALUES (1, 7, NULL, '[]', 0, 113, 1, NULL);");
        sql(&store, "INSERT INTO role VALUES (1, 'admin', CAST(x'ff' AS TEXT));");
        sql(&store, "INSERT INTO auth_key VALUES (1, 1, 'x'); INSERT INTO api_key VALUES (1, 1, '[]');");

        let loaded = store.load(Settings::default()).unwrap();
        assert!(loaded.world.nodes.is_empty() && loaded.were_online.is_empty());
        assert_eq!(loaded.world.users.values().map(|u| (**u).clone()).collect::<Vec<_>>(), [alice]);
        loaded.world.check_invariants().unwrap();
        assert_eq!((count(&store, "node"), count(&store, "person"), count(&store, "unreadable")), (0, 1, 5));
        let kept =
            "SELECT row ->> 'name', row ->> 'node_key', json_extract(row ->> 'body', '$.id') FROM unreadable
            WHERE noun = 'node'";
        let kept: (String, String, u64) =
            lock(&store.writer).query_row(kept, [], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap();
        assert_eq!(kept, ("laptop".into(), "nodekey:a".into(), 7));
        let (aside, total) = store.set_aside(4).unwrap();
        assert_eq!((aside.len(), total), (4, 5));
        let named =
            |table: &str| aside.iter().find(|row| row.table == table).and_then(|row| row.name.clone());
        assert_eq!(named("role").as_deref(), Some("admin"));
        assert_eq!(named("api_key").as_deref(), Some("1"));
    }

    #[test]
    fn what_an_unreadable_node_held_can_be_given_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        sql(&store, BAD_NODE);
        store.load(Settings::default()).unwrap();
        sql(&store, BAD_NODE);
        drop(store);
        let store = open(&folder);
        store.load(Settings::default()).unwrap();
        store.load(Settings::default()).unwrap();
        assert_eq!((count(&store, "node"), count(&store, "unreadable")), (0, 2));
    }

    #[test]
    fn an_unreadable_policy_lets_nothing_through_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        sql(&store, "UPDATE tailnet SET policy = '{\"acls\": [';");
        let loaded = store.load(Settings::default()).unwrap();
        assert_eq!(loaded.world.policy, Prepared::deny_all());
        let text: String =
            lock(&store.writer).query_row("SELECT policy FROM tailnet", [], |r| r.get(0)).unwrap();
        assert_eq!(text, "{\"acls\": [");
    }
}
