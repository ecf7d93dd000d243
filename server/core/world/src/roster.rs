//! The nodes and the ways to find one. Maps are persistent: a copy shares what it does not change.

use std::{net::IpAddr, sync::Arc};

use ident::{MachineKey, NodeId, NodeKey, UserId};
use imbl::{OrdMap, OrdSet};

use crate::Node;

/// Which node of a machine: one per person, and one tagged.
type Slot = (MachineKey, Option<UserId>);

/// All nodes of a tailnet, by id, node key, machine and owner, address and name.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    by_id: OrdMap<NodeId, Arc<Node>>,
    by_node_key: OrdMap<NodeKey, NodeId>,
    by_slot: OrdMap<Slot, NodeId>,
    by_owner: OrdMap<UserId, OrdSet<NodeId>>,
    by_address: OrdMap<IpAddr, NodeId>,
    by_name: OrdMap<String, NodeId>,
}

impl Roster {
    /// The node with this id.
    pub fn get(&self, id: NodeId) -> Option<&Arc<Node>> {
        self.by_id.get(&id)
    }
    /// The node with this WireGuard key.
    pub fn by_node_key(&self, key: &NodeKey) -> Option<&Arc<Node>> {
        self.get(*self.by_node_key.get(key)?)
    }
    /// The node of this machine that this person owns, or its tagged node.
    pub fn by_slot(&self, machine: MachineKey, owner: Option<UserId>) -> Option<&Arc<Node>> {
        self.get(*self.by_slot.get(&(machine, owner))?)
    }
    /// Whether any node is on this machine.
    pub fn has_machine(&self, machine: MachineKey) -> bool {
        self.by_slot.range((machine, None)..).next().is_some_and(|((first, _), _)| *first == machine)
    }
    /// The devices that the person owns, in order of their ids.
    pub fn owned_by(&self, owner: UserId) -> impl Iterator<Item = &Arc<Node>> {
        self.by_owner.get(&owner).into_iter().flatten().filter_map(|id| self.get(*id))
    }
    /// The node with this address.
    pub fn by_address(&self, address: IpAddr) -> Option<&Arc<Node>> {
        self.get(*self.by_address.get(&address)?)
    }
    /// The node with this MagicDNS label.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Node>> {
        self.get(*self.by_name.get(name)?)
    }
    /// All nodes in order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.by_id.values()
    }
    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(crate) fn put(&mut self, node: Node) {
        if self.get(node.id).is_some_and(|old| same_indices(old, &node)) {
            self.by_id.insert(node.id, Arc::new(node));
            return;
        }
        self.remove(node.id);
        self.by_node_key.insert(node.node_key, node.id);
        self.by_slot.insert((node.machine, node.owner.slot()), node.id);
        if let Some(owner) = node.owner.user() {
            self.by_owner.entry(owner).or_default().insert(node.id);
        }
        self.by_address.insert(node.v4.into(), node.id);
        self.by_address.insert(node.v6.into(), node.id);
        self.by_name.insert(node.name.clone(), node.id);
        self.by_id.insert(node.id, Arc::new(node));
    }

    pub(crate) fn remove(&mut self, id: NodeId) -> Option<Arc<Node>> {
        let node = self.by_id.remove(&id)?;
        self.by_node_key.remove(&node.node_key);
        self.by_slot.remove(&(node.machine, node.owner.slot()));
        if let Some(owner) = node.owner.user() {
            let mut left = self.by_owner.remove(&owner).unwrap_or_default();
            left.remove(&id);
            if !left.is_empty() {
                self.by_owner.insert(owner, left);
            }
        }
        self.by_address.remove(&std::net::IpAddr::from(node.v4));
        self.by_address.remove(&std::net::IpAddr::from(node.v6));
        self.by_name.remove(&node.name);
        Some(node)
    }
}

fn same_indices(a: &Node, b: &Node) -> bool {
    a.node_key == b.node_key
        && a.machine == b.machine
        && a.owner.slot() == b.owner.slot()
        && (a.v4, a.v6) == (b.v4, b.v6)
        && a.name == b.name
}
