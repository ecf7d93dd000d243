//! Writes the rows that a batch of events changed, as the World after the batch has them.

use std::collections::BTreeSet;

use ident::{ApiKeyId, AuthKeyId, NodeId, NodeKey, UserId};
use rusqlite::{Transaction, params};
use serde::Serialize;
use world::{DurableEvent, World};

use super::{DEFAULT_TAILNET as TAILNET, StoreError, server_key, unreadable};

/// Which rows the events of a batch change.
#[derive(Debug, Default)]
struct Touched {
    nodes: BTreeSet<NodeId>,
    node_keys: BTreeSet<NodeKey>,
    users: BTreeSet<UserId>,
    roles: BTreeSet<String>,
    auth_keys: BTreeSet<AuthKeyId>,
    api_keys: BTreeSet<ApiKeyId>,
    policy: bool,
    dns: bool,
    server_key: Vec<server_key::Change>,
}

impl Touched {
    fn add(&mut self, event: &DurableEvent) {
        use DurableEvent as E;
        match event {
            E::NodeRegistered { node } => {
                self.nodes.insert(node.id);
                self.node_keys.insert(node.node_key);
            }
            E::NodeReauthenticated { node, node_key, .. } | E::NodeReadmitted { node, node_key, .. } => {
                self.nodes.insert(*node);
                self.node_keys.insert(*node_key);
            }
            E::NodeLoggedOut { node }
            | E::NodeKeyExpirySet { node, .. }
            | E::NodeHostinfoChanged { node, .. }
            | E::NodeRenamed { node, .. }
            | E::NodeTagged { node, .. }
            | E::NodeMoved { node, .. }
            | E::NodeRoutesApproved { node, .. }
            | E::NodeDeleted { node } => {
                self.nodes.insert(*node);
            }
            E::LoginConfirmed { .. } | E::LoginDenied { .. } => {}
            E::UserCreated { user } => {
                self.users.insert(user.id);
            }
            E::UserRenamed { user, .. } | E::UserDeleted { user } => {
                self.users.insert(*user);
            }
            E::RoleSet { role } => {
                self.roles.insert(role.name.clone());
            }
            E::RoleDeleted { name } => {
                self.roles.insert(name.clone());
            }
            E::AuthKeyCreated { key } => {
                self.auth_keys.insert(key.id);
            }
            E::AuthKeyUsed { key, .. } | E::AuthKeyRevoked { key, .. } => {
                self.auth_keys.insert(*key);
            }
            E::ApiKeyCreated { key } => {
                self.api_keys.insert(key.id);
            }
            E::ApiKeyRevoked { key, .. } => {
                self.api_keys.insert(*key);
            }
            E::CallRefused { .. }
            | E::BackupMade { .. }
            | E::NoticeGiven { .. }
            | E::NoticeAcknowledged { .. }
            | E::NodeHealthChanged { .. } => {}
            E::ServerKeyRotated { key, before, at } => {
                self.server_key.push(server_key::Change::Rotated { key: *key, before: *before, at: *at });
            }
            E::ServerKeyRetired { key, .. } => {
                self.server_key.push(server_key::Change::Retired { key: *key });
            }
            E::PolicySet { .. } => self.policy = true,
            E::DnsSet { .. }
            | E::DnsRecordSet { .. }
            | E::DnsRecordDeleted { .. }
            | E::DnsRecordsRead { .. } => self.dns = true,
        }
    }
}

/// Rows are taken out before they are put in, so that two nodes may exchange a unique value within a batch.
pub(super) fn rows<'a>(
    tx: &Transaction<'_>,
    world: &World,
    events: impl Iterator<Item = &'a DurableEvent>,
) -> Result<(), StoreError> {
    let mut touched = Touched::default();
    events.for_each(|e| touched.add(e));
    nodes(tx, world, &touched.nodes)?;
    bound(tx, world, &touched.node_keys)?;
    users(tx, world, &touched.users)?;
    roles(tx, world, &touched.roles)?;
    keys(tx, world, &touched)?;
    if touched.policy {
        let text = world.policy.policy.text();
        tx.execute("UPDATE tailnet SET policy = ?2 WHERE id = ?1", params![TAILNET, text])?;
    }
    if touched.dns {
        tx.execute("INSERT OR REPLACE INTO dns VALUES (?1, ?2)", params![TAILNET, json(&*world.dns)?])?;
    }
    touched.server_key.iter().try_for_each(|change| server_key::note(tx, change))?;
    let next = world.next_ids();
    tx.prepare_cached(
        "UPDATE tailnet SET next_node = ?2, next_user = ?3, next_auth_key = ?4, next_api_key = ?5 WHERE id = ?1",
    )?
    .execute(params![TAILNET, next.node.get(), next.user.get(), next.auth_key.get(), next.api_key.get()])?;
    Ok(())
}

fn nodes(tx: &Transaction<'_>, world: &World, touched: &BTreeSet<NodeId>) -> Result<(), StoreError> {
    for id in touched {
        tx.prepare_cached("DELETE FROM node WHERE tailnet = ?1 AND id = ?2")?
            .execute(params![TAILNET, id.get()])?;
        if world.nodes.get(*id).is_none() {
            tx.execute("DELETE FROM live WHERE tailnet = ?1 AND node = ?2", params![TAILNET, id.get()])?;
        }
    }
    let mut insert = tx.prepare_cached("INSERT INTO node VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    for node in touched.iter().filter_map(|id| world.nodes.get(*id)) {
        insert.execute(params![
            TAILNET,
            node.id.get(),
            node.machine.to_string(),
            node.owner.slot().map_or(0, ident::UserId::get),
            node.node_key.to_string(),
            node.name,
            node.v4.to_string(),
            node.v6.to_string(),
            json(&**node)?,
        ])?;
    }
    Ok(())
}

fn bound(tx: &Transaction<'_>, world: &World, touched: &BTreeSet<NodeKey>) -> Result<(), StoreError> {
    let mut insert = tx.prepare_cached("INSERT OR IGNORE INTO bound_key VALUES (?1, ?2, ?3)")?;
    for (key, machine) in touched.iter().filter_map(|key| Some((key, world.bound.get(key)?))) {
        insert.execute(params![key.to_string(), TAILNET, machine.to_string()])?;
    }
    Ok(())
}

fn users(tx: &Transaction<'_>, world: &World, touched: &BTreeSet<UserId>) -> Result<(), StoreError> {
    for id in touched {
        tx.execute("DELETE FROM person WHERE tailnet = ?1 AND id = ?2", params![TAILNET, id.get()])?;
    }
    for user in touched.iter().filter_map(|id| world.users.get(id)) {
        let row = params![TAILNET, user.id.get(), user.login, json(&**user)?];
        tx.execute("INSERT INTO person VALUES (?1, ?2, ?3, ?4)", row)?;
    }
    Ok(())
}

fn roles(tx: &Transaction<'_>, world: &World, touched: &BTreeSet<String>) -> Result<(), StoreError> {
    for name in touched {
        tx.execute("DELETE FROM role WHERE tailnet = ?1 AND name = ?2", params![TAILNET, name])?;
        if let Some(role) = world.roles.get(name) {
            tx.execute("INSERT INTO role VALUES (?1, ?2, ?3)", params![TAILNET, name, json(&**role)?])?;
        }
    }
    Ok(())
}

fn keys(tx: &Transaction<'_>, world: &World, touched: &Touched) -> Result<(), StoreError> {
    let mut auth = tx.prepare_cached("INSERT OR REPLACE INTO auth_key VALUES (?1, ?2, ?3)")?;
    for key in touched.auth_keys.iter().filter_map(|id| world.auth_keys.get(id)) {
        auth.execute(params![TAILNET, key.id.get(), json(&**key)?])?;
    }
    let mut api = tx.prepare_cached("INSERT OR REPLACE INTO api_key VALUES (?1, ?2, ?3)")?;
    for key in touched.api_keys.iter().filter_map(|id| world.api_keys.get(id)) {
        api.execute(params![TAILNET, key.id.get(), json(&**key)?])?;
    }
    Ok(())
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| unreadable("a row to be written", e))
}
