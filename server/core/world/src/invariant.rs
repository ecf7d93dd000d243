//! What holds after every apply.

use std::collections::BTreeSet;

use crate::World;

impl World {
    /// Names the first law that does not hold; for tests and for a look at what was loaded.
    pub fn check_invariants(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for node in self.nodes.iter() {
            let id = node.id;
            let facts = [
                node.v4.to_string(),
                node.v6.to_string(),
                node.node_key.to_string(),
                format!("name {}", node.name),
                format!("slot {} {:?}", node.machine, node.owner.slot()),
            ];
            for fact in facts {
                if !seen.insert(fact.clone()) {
                    return Err(format!("node {id}: {fact} is not unique"));
                }
            }
            let indexed = [
                self.nodes.by_node_key(&node.node_key),
                self.nodes.by_name(&node.name),
                self.nodes.by_address(node.v4.into()),
                self.nodes.by_address(node.v6.into()),
                self.nodes.by_slot(node.machine, node.owner.slot()),
            ];
            if indexed.iter().any(|found| found.map(|n| n.id) != Some(id)) {
                return Err(format!("node {id} is not found by one of its names"));
            }
            if self.bound.get(&node.node_key) != Some(&node.machine) {
                return Err(format!("the key of node {id} is not bound to its machine"));
            }
            if id >= self.next.node {
                return Err(format!("id {id} could be given again"));
            }
            if node.class.is_some_and(|c| self.classes.signature(c).is_none()) {
                return Err(format!("node {id} is of an unknown class"));
            }
        }
        for ((prefix, tag), id) in &self.via_primaries {
            let has_tag = self.nodes.get(*id).is_some_and(|n| n.owner.tags().contains(tag));
            if !has_tag || self.classes.compiled().router_tags().all(|known| known != tag) {
                return Err(format!("node {id} serves {prefix} by {tag}, which nobody is sent by"));
            }
        }
        let by_tags = self.via_primaries.iter().map(|((prefix, _), id)| (prefix, id));
        for (prefix, id) in self.primaries.iter().chain(by_tags) {
            let able = self.nodes.get(*id).is_some_and(|n| n.subnet_routes().any(|r| r == *prefix));
            if !able {
                return Err(format!("node {id} is primary of {prefix} without serving it"));
            }
        }
        Ok(())
    }
}
