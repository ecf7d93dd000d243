//! Last values: what a lost power supply may cost a few seconds of.

use ident::{ApiKeyId, NodeId};
use rusqlite::{TransactionBehavior, params};
use world::{Presence, World};

use super::{DEFAULT_TAILNET as TAILNET, Store, StoreError, lock, persist::json};

impl Store {
    /// Writes the last values of these nodes and keys, and which node serves which route.
    pub fn flush(&self, world: &World, nodes: &[NodeId], keys: &[ApiKeyId]) -> Result<(), StoreError> {
        let mut connection = lock(&self.writer);
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut upsert =
                tx.prepare_cached("INSERT OR REPLACE INTO live VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
            for node in nodes.iter().filter_map(|id| world.nodes.get(*id)) {
                let live = &node.live;
                upsert.execute(params![
                    TAILNET,
                    node.id.get(),
                    live.disco.map(|d| d.to_string()),
                    json(&live.endpoints)?,
                    live.home_derp,
                    live.capver,
                    !matches!(live.presence, Presence::Offline),
                    live.last_seen.map(|t| t.to_string()),
                ])?;
            }
        }
        for key in keys.iter().filter_map(|id| world.api_keys.get(id)) {
            let row = params![TAILNET, key.id.get(), json(&**key)?];
            tx.execute("UPDATE api_key SET body = ?3 WHERE tailnet = ?1 AND id = ?2", row)?;
        }
        tx.execute("DELETE FROM route_primary WHERE tailnet = ?1", [TAILNET])?;
        for (prefix, node) in &world.primaries {
            let row = params![TAILNET, prefix.to_string(), node.get()];
            tx.execute("INSERT INTO route_primary VALUES (?1, ?2, ?3)", row)?;
        }
        tx.commit()?;
        Ok(())
    }
}
