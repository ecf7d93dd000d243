//! From one published World to a later one: what may have changed, and whom it concerns.

use std::{collections::BTreeSet, sync::Arc};

use ident::{NodeId, UserId};
use world::{Change, ClassId, World};

use crate::{
    login::changed_logins,
    shift::{Compared, means_alike},
    source::{approved_subnets, follows_routes},
};

/// Two Worlds and what happened between them. Changes that cancel out leave traces only in what it looks at, never in
/// what it sends: everything is decided by comparing the two.
#[derive(Debug)]
pub struct Span {
    /// What a viewer was told.
    pub old: Arc<World>,
    /// What it should know.
    pub new: Arc<World>,
    pub(crate) touched: BTreeSet<NodeId>,
    /// Rules with other sources, unless the policy is another.
    pub(crate) rules: BTreeSet<usize>,
    pub(crate) users: BTreeSet<UserId>,
    /// People of whose devices one was touched.
    pub(crate) owners: BTreeSet<UserId>,
    /// Those among them whose devices are others than before.
    movers: BTreeSet<UserId>,
    /// Whether an operator changed something of DNS.
    pub(crate) dns: bool,
    /// Rules of SSH with other callers, unless the policy is another.
    pub(crate) logins: BTreeSet<usize>,
    /// Whether the badges of nodes mean the same as before.
    pub(crate) alike: bool,
    /// Whether the approved subnets are others than before.
    pub(crate) subnets: bool,
    pub(crate) compared: Compared,
}

impl Span {
    /// All changes that lead from the old World to the new one.
    pub fn new<'a>(old: Arc<World>, new: Arc<World>, changes: impl IntoIterator<Item = &'a Change>) -> Self {
        let (mut touched, mut rules, mut users) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut dns = false;
        for change in changes {
            match change {
                Change::Node { id, .. } => {
                    touched.insert(*id);
                }
                Change::Sources { rule } => {
                    rules.insert(*rule);
                }
                Change::User { id } if old.users.get(id) != new.users.get(id) => {
                    users.insert(*id);
                }
                Change::Dns => dns = true,
                Change::User { .. } | Change::Policy => {}
            }
        }
        let owner = |world: &World, id: &NodeId| world.nodes.get(*id).and_then(|n| n.owner.user());
        let owners = touched.iter().flat_map(|id| [owner(&old, id), owner(&new, id)]).flatten().collect();
        let logins = changed_logins(&old, &new, &touched, !users.is_empty());
        let alike = means_alike(&old, &new, &touched);
        let compared = Compared::new(&old, &new);
        let (movers, subnets) = (BTreeSet::new(), false);
        let mut span =
            Self { old, new, touched, rules, users, owners, movers, dns, logins, alike, subnets, compared };
        span.movers = span.movers();
        span.subnets = span.moves_subnets();
        if span.subnets {
            let all = 0..span.new.classes.compiled().rules().len();
            span.rules.extend(all.filter(|rule| follows_routes(&span.new, *rule)));
        }
        span
    }

    /// Whether another policy came into force: every filter and every view is another.
    pub fn changes_policy(&self) -> bool {
        self.old.classes.epoch() != self.new.classes.epoch()
    }

    /// Whether somebody may lose a right by it, so that it must not wait. A node that joins takes nothing from anybody.
    pub fn tightens(&self) -> bool {
        self.changes_policy() || self.touched.iter().any(|id| self.takes_from(*id))
    }

    /// The node's class before and after.
    pub fn classes_of(&self, node: NodeId) -> (Option<ClassId>, Option<ClassId>) {
        let class = |world: &World| world.nodes.get(node).and_then(|n| n.class);
        (class(&self.old), class(&self.new))
    }

    /// Whether the viewer's view was made by other classes than it is made by.
    pub fn regroups(&self, viewer: NodeId) -> bool {
        self.changes_policy() || self.changes_class(viewer)
    }

    /// Whether something of the node itself may have changed.
    pub fn touches(&self, node: NodeId) -> bool {
        self.touched.contains(&node)
    }

    /// Devices of the viewer's person of which it may have to be told other things than its class is, the viewer itself
    /// among them. They are all devices of the person where the viewer sees by another class or belongs to somebody else;
    /// otherwise those that were touched.
    pub(crate) fn own(&self, viewer: NodeId) -> BTreeSet<NodeId> {
        let mut own = BTreeSet::from([viewer]);
        let anew = self.regroups(viewer) || self.owner(&self.old, viewer) != self.owner(&self.new, viewer);
        for world in [&self.old, &self.new] {
            let Some(owner) = self.owner(world, viewer).filter(|_| has_own(world, viewer)) else { continue };
            if anew {
                own.extend(world.nodes.owned_by(owner).map(|n| n.id));
            } else if self.owners.contains(&owner) {
                own.extend(self.touched.iter().filter(|id| self.owner(world, **id) == Some(owner)));
            }
        }
        own
    }

    /// Whether other addresses than before are those of the devices of the viewer's person.
    pub(crate) fn moves_own(&self, viewer: NodeId) -> bool {
        self.owner(&self.new, viewer).is_some_and(|owner| self.movers.contains(&owner))
    }

    /// Whether something of another device may be news to the viewer because both are one person's.
    pub(crate) fn concerns_own(&self, viewer: NodeId) -> bool {
        let touches = |world: &World| {
            let owner = self.owner(world, viewer).filter(|owner| self.owners.contains(owner));
            owner.is_some() && has_own(world, viewer)
        };
        !self.owners.is_empty() && (touches(&self.old) || touches(&self.new))
    }

    fn owner(&self, world: &World, node: NodeId) -> Option<UserId> {
        world.nodes.get(node).and_then(|n| n.owner.user())
    }

    /// People who have another device than before, or one less, or one with another address, or one that became what some
    /// rule asks for. Those whom another policy makes movers are not among them.
    fn movers(&self) -> BTreeSet<UserId> {
        let what = |world: &World, id: NodeId| {
            let node = world.nodes.get(id).filter(|n| n.class.is_some())?;
            Some((node.owner.user(), node.v4, node.v6))
        };
        let turned = |id: NodeId| match self.classes_of(id) {
            (Some(before), Some(after)) => !self.reaches_own_alike(before, after),
            _ => false,
        };
        let moved = |id: &&NodeId| what(&self.old, **id) != what(&self.new, **id) || turned(**id);
        let owners = |id: &NodeId| [self.owner(&self.old, *id), self.owner(&self.new, *id)];
        self.touched.iter().filter(moved).flat_map(owners).flatten().collect()
    }

    fn changes_class(&self, node: NodeId) -> bool {
        let (before, after) = self.classes_of(node);
        before != after
    }

    fn takes_from(&self, node: NodeId) -> bool {
        match (self.old.nodes.get(node), self.new.nodes.get(node)) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(old), Some(new)) => {
                let lasting = |n: &world::Node| {
                    (n.node_key, n.expired, n.badge.clone(), n.served_routes(), n.owner.user())
                };
                old.class.is_some_and(|c| new.class != Some(c)) || lasting(old) != lasting(new)
            }
        }
    }

    fn moves_subnets(&self) -> bool {
        let subnets =
            |world: &World, id: NodeId| world.nodes.get(id).map(|n| approved_subnets(n)).unwrap_or_default();
        self.touched.iter().any(|id| subnets(&self.old, *id) != subnets(&self.new, *id))
    }
}

/// Whether the node may see other devices of its person.
fn has_own(world: &World, node: NodeId) -> bool {
    let class = world.nodes.get(node).and_then(|n| n.class);
    class.is_some_and(|class| world.classes.has_own(class))
}
