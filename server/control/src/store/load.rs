//! Rows to a World.

use std::{collections::BTreeMap, str::FromStr};

use ident::{ApiKeyId, AuthKeyId, NodeId, UserId};
use rusqlite::Connection;
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
}

impl Store {
    /// Loads the tailnet.
    pub fn load(&self, settings: Settings) -> Result<Loaded, StoreError> {
        let connection = lock(&self.writer);
        let (lives, were_online) = lives(&connection)?;
        let mut nodes: Vec<Node> = bodies(&connection, "node")?;
        let now = jiff::Timestamp::now();
        for node in &mut nodes {
            node.expired = node.key_expiry.is_some_and(|at| at <= now);
            node.live = lives.get(&node.id.get()).cloned().unwrap_or_default();
        }
        let (next, policy) = tailnet(&connection)?;
        let rows = Rows {
            users: bodies(&connection, "person")?,
            roles: bodies(&connection, "role")?,
            auth_keys: bodies(&connection, "auth_key")?,
            api_keys: bodies(&connection, "api_key")?,
            primaries: primaries(&connection)?,
            policy,
            nodes,
            next,
        };
        Ok(Loaded { world: World::load(settings, rows), were_online })
    }
}

fn bodies<T: DeserializeOwned>(connection: &Connection, table: &str) -> Result<Vec<T>, StoreError> {
    let mut rows = connection.prepare(&format!("SELECT body FROM {table} WHERE tailnet = ?1"))?;
    let texts = rows.query_map([TAILNET], |r| r.get::<_, String>(0))?;
    texts
        .map(|text| serde_json::from_str(&text?).map_err(|e| unreadable(format!("a row of {table}"), e)))
        .collect()
}

fn tailnet(connection: &Connection) -> Result<(NextIds, Prepared), StoreError> {
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
    let policy = match policy {
        None => Prepared::deny_all(),
        Some(text) => Prepared::parse(&text).map_err(|e| unreadable("the policy", e))?,
    };
    Ok((next, policy))
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
