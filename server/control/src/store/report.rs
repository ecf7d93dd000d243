//! The last report of each node's agent.

use ident::NodeId;
use rusqlite::{TransactionBehavior, params};

use super::{DEFAULT_TAILNET as TAILNET, Store, StoreError, lock};

impl Store {
    /// All of them, as they were kept; a row without a possible node is left out.
    pub fn agent_reports(&self) -> Result<Vec<(NodeId, String)>, StoreError> {
        let connection = lock(&self.writer);
        let mut rows = connection.prepare("SELECT node, body FROM agent_report WHERE tailnet = ?1")?;
        let row = |r: &rusqlite::Row<'_>| Ok((r.get::<_, u64>(0)?, r.get(1)?));
        let all = rows.query_map([TAILNET], row)?.collect::<Result<Vec<_>, _>>()?;
        Ok(all.into_iter().filter_map(|(id, body)| Some((NodeId::new(id).ok()?, body))).collect())
    }

    /// Keeps some and forgets others, all or nothing.
    pub fn keep_agent_reports(&self, kept: &[(NodeId, String)], gone: &[NodeId]) -> Result<(), StoreError> {
        let mut connection = lock(&self.writer);
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut put = tx.prepare_cached("INSERT OR REPLACE INTO agent_report VALUES (?1, ?2, ?3)")?;
            for (node, body) in kept {
                put.execute(params![TAILNET, node.get(), body])?;
            }
            let mut drop = tx.prepare_cached("DELETE FROM agent_report WHERE tailnet = ?1 AND node = ?2")?;
            for node in gone {
                drop.execute(params![TAILNET, node.get()])?;
            }
        }
        tx.commit()?;
        Ok(())
    }
}
