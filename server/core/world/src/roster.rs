//! The nodes and the ways to find one. Maps are persistent: a copy shares what it does not change.

mod runs;

use std::{net::IpAddr, sync::Arc};

use ident::{MachineKey, NodeId, NodeKey, UserId};
use imbl::{OrdMap, OrdSet};
use ipnet::IpNet;

use self::runs::Runs;
use crate::{ClassId, Lifecycle, Node, Owner};

/// Which node of a machine: one per person, and one tagged.
type Slot = (MachineKey, Option<UserId>);

/// Who is of a class in one World.
#[derive(Debug, Clone)]
pub struct Members(OrdSet<NodeId>);

impl Members {
    /// Whether nobody came or went between the two. May say no though the two are the same.
    pub fn are_still(&self, other: &Members) -> bool {
        self.0.ptr_eq(&other.0)
    }
}

/// The nodes of a class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Company {
    members: OrdSet<NodeId>,
    addresses: Arc<Runs>,
}

/// All nodes of a tailnet, by id, node key, machine and owner, address, name and class.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    by_id: OrdMap<NodeId, Arc<Node>>,
    by_node_key: OrdMap<NodeKey, NodeId>,
    by_slot: OrdMap<Slot, NodeId>,
    by_owner: OrdMap<UserId, OrdSet<NodeId>>,
    by_address: OrdMap<IpAddr, NodeId>,
    by_name: OrdMap<String, NodeId>,
    by_class: OrdMap<ClassId, Company>,
    /// Nodes that take part, by whom they belong to.
    by_whole_owner: OrdMap<Owner, OrdSet<NodeId>>,
    absent: OrdSet<NodeId>,
    routers: OrdSet<NodeId>,
    /// When a node of each page was changed, put in or taken out last.
    pages: OrdMap<Page, u64>,
}

/// Nodes whose ids have the same quotient by [`Page::WIDE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Page(u64);

impl Page {
    /// Ids in a page.
    pub const WIDE: u64 = 64;

    /// The page that a node is on.
    pub fn of(id: NodeId) -> Self {
        Self(id.get() / Self::WIDE)
    }
    /// Counted from the lowest ids.
    pub fn number(self) -> u64 {
        self.0
    }
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
    /// The classes that some node has.
    pub fn classes(&self) -> impl Iterator<Item = ClassId> {
        self.by_class.keys().copied()
    }
    /// The nodes of a class in order of their ids.
    pub fn of_class(&self, class: ClassId) -> impl Iterator<Item = &Arc<Node>> {
        let company = self.by_class.get(&class).into_iter();
        company.flat_map(|company| &company.members).filter_map(|id| self.get(*id))
    }
    /// The addresses of a class as runs of first and last, IPv4 first, ascending; those next to each other are one.
    pub fn addresses_of(&self, class: ClassId) -> impl Iterator<Item = (IpAddr, IpAddr)> {
        self.by_class.get(&class).into_iter().flat_map(|company| company.addresses.iter())
    }
    /// Who is of a class, as it is.
    pub fn members(&self, class: ClassId) -> Members {
        Members(self.by_class.get(&class).map(|company| company.members.clone()).unwrap_or_default())
    }
    /// Nodes that advertise routes, approved or not, in order of their ids.
    pub fn routers(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.routers.iter().filter_map(|id| self.get(*id))
    }
    /// The nodes with an address in the network.
    pub(crate) fn within(&self, net: &IpNet) -> impl Iterator<Item = NodeId> {
        self.by_address.range(net.network()..=net.broadcast()).map(|(_, id)| *id)
    }
    /// People and sets of tags that some node which takes part belongs to, and these nodes.
    pub(crate) fn owners(&self) -> impl Iterator<Item = (&Owner, &OrdSet<NodeId>)> {
        self.by_whole_owner.iter()
    }
    /// The nodes that take part and belong to this person or these tags.
    pub(crate) fn like(&self, owner: &Owner) -> impl Iterator<Item = NodeId> {
        self.by_whole_owner.get(owner).into_iter().flatten().copied()
    }
    /// The nodes that take no part.
    pub(crate) fn absent(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.absent.iter().filter_map(|id| self.get(*id))
    }
    /// The node with this address.
    pub fn by_address(&self, address: IpAddr) -> Option<&Arc<Node>> {
        self.get(*self.by_address.get(&address)?)
    }
    /// The node with this MagicDNS label.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Node>> {
        self.get(*self.by_name.get(name)?)
    }
    /// The pages that nodes are on, in the order of ids, each with the version of the World that last changed who is on it,
    /// or what others are told of one of them. Of two Worlds of one process that follow each other and share an epoch of
    /// classes, a page is the same where this version is.
    pub fn pages(&self) -> impl Iterator<Item = (Page, u64)> {
        self.pages.iter().map(|(page, version)| (*page, *version))
    }
    /// The nodes of a page in order of their ids.
    pub fn on(&self, page: Page) -> impl Iterator<Item = &Arc<Node>> {
        let first = page.0 * Page::WIDE;
        let ids = NodeId::new(first.max(1)).ok().zip(NodeId::new(first + Page::WIDE - 1).ok());
        ids.into_iter().flat_map(|(first, last)| self.by_id.range(first..=last)).map(|(_, node)| node)
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

    /// As it is in this version of the World.
    pub(crate) fn put(&mut self, node: Node, version: u64) {
        let old = self.get(node.id).cloned();
        if old.as_ref().is_none_or(|old| !same_names(old, &node)) {
            if let Some(old) = &old {
                self.drop_names(old);
            }
            self.add_names(&node);
        }
        if old.as_ref().is_none_or(|old| !same_sets(old, &node)) {
            if let Some(old) = &old {
                self.drop_from_sets(old);
            }
            self.add_to_sets(&node);
        }
        if old.is_none_or(|old| (old.rev, old.class) != (node.rev, node.class)) {
            self.pages.insert(Page::of(node.id), version);
        }
        self.by_id.insert(node.id, Arc::new(node));
    }

    /// Taken out in this version of the World.
    pub(crate) fn remove(&mut self, id: NodeId, version: u64) -> Option<Arc<Node>> {
        let node = self.by_id.remove(&id)?;
        let page = Page::of(id);
        let is_empty = self.on(page).next().is_none();
        match is_empty {
            true => self.pages.remove(&page),
            false => self.pages.insert(page, version),
        };
        self.drop_names(&node);
        self.drop_from_sets(&node);
        Some(node)
    }

    fn add_names(&mut self, node: &Node) {
        self.by_node_key.insert(node.node_key, node.id);
        self.by_slot.insert((node.machine, node.owner.slot()), node.id);
        if let Some(owner) = node.owner.user() {
            self.by_owner.entry(owner).or_default().insert(node.id);
        }
        self.by_address.insert(node.v4.into(), node.id);
        self.by_address.insert(node.v6.into(), node.id);
        self.by_name.insert(node.name.clone(), node.id);
    }

    fn drop_names(&mut self, node: &Node) {
        self.by_node_key.remove(&node.node_key);
        self.by_slot.remove(&(node.machine, node.owner.slot()));
        if let Some(owner) = node.owner.user() {
            drop_from(&mut self.by_owner, &owner, node.id);
        }
        self.by_address.remove(&IpAddr::from(node.v4));
        self.by_address.remove(&IpAddr::from(node.v6));
        self.by_name.remove(&node.name);
    }

    fn add_to_sets(&mut self, node: &Node) {
        if let Some(class) = node.class {
            let company = self.by_class.entry(class).or_default();
            company.members.insert(node.id);
            Arc::make_mut(&mut company.addresses).add(node);
        }
        if node.lifecycle == Lifecycle::Active {
            self.by_whole_owner.entry(node.owner.clone()).or_default().insert(node.id);
        } else {
            self.absent.insert(node.id);
        }
        if is_router(node) {
            self.routers.insert(node.id);
        }
    }

    fn drop_from_sets(&mut self, node: &Node) {
        if let Some(class) = node.class {
            self.drop_from_class(class, node);
        }
        if node.lifecycle == Lifecycle::Active {
            drop_from(&mut self.by_whole_owner, &node.owner, node.id);
        } else {
            self.absent.remove(&node.id);
        }
        if is_router(node) {
            self.routers.remove(&node.id);
        }
    }

    /// A class that nobody has goes.
    fn drop_from_class(&mut self, class: ClassId, node: &Node) {
        let Some(company) = self.by_class.get_mut(&class) else { return };
        company.members.remove(&node.id);
        Arc::make_mut(&mut company.addresses).remove(node);
        if company.members.is_empty() {
            self.by_class.remove(&class);
        }
    }
}

/// A set that becomes empty goes.
fn drop_from<K: Ord + Clone>(sets: &mut OrdMap<K, OrdSet<NodeId>>, key: &K, id: NodeId) {
    let Some(set) = sets.get_mut(key) else { return };
    set.remove(&id);
    if set.is_empty() {
        sets.remove(key);
    }
}

fn is_router(node: &Node) -> bool {
    !node.hostinfo.routable_ips.is_empty()
}

fn same_names(a: &Node, b: &Node) -> bool {
    a.node_key == b.node_key
        && a.machine == b.machine
        && a.owner.slot() == b.owner.slot()
        && (a.v4, a.v6) == (b.v4, b.v6)
        && a.name == b.name
}

fn same_sets(a: &Node, b: &Node) -> bool {
    (a.class, a.lifecycle, is_router(a), &a.owner) == (b.class, b.lifecycle, is_router(b), &b.owner)
        && (a.v4, a.v6) == (b.v4, b.v6)
}
