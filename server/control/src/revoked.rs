//! Node keys that a batch of changes takes the right to be here from.

use ident::NodeKey;
use world::{Change, Fields, World};

/// Keys that were accepted before and are not any more: deleted, logged out, expired or replaced.
pub fn revoked(before: &World, after: &World, changes: &[Change]) -> Vec<NodeKey> {
    let touched = changes.iter().filter_map(|change| match change {
        Change::Node { id, fields, .. }
            if fields.intersects(Fields::WHOLE | Fields::KEY | Fields::KEY_EXPIRY) =>
        {
            Some(*id)
        }
        Change::Node { .. } | Change::Sources { .. } | Change::Policy | Change::User { .. } | Change::Dns => {
            None
        }
    });
    let old = touched.filter_map(|id| before.nodes.get(id)).filter(|n| n.accepted());
    old.map(|n| n.node_key).filter(|key| !admits(after, key)).collect()
}

/// Whether a node with this key is registered and not expired.
pub fn admits(world: &World, key: &NodeKey) -> bool {
    world.nodes.by_node_key(key).is_some_and(|n| n.accepted())
}
