//! From one published World to a later one: what may have changed, and whom it concerns.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ident::{NodeId, UserId};
use world::{Change, ClassId, World};

use crate::{
    filter::rules_of,
    peer::seen,
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
}

impl Span {
    /// All changes that lead from the old World to the new one.
    pub fn new<'a>(old: Arc<World>, new: Arc<World>, changes: impl IntoIterator<Item = &'a Change>) -> Self {
        let (mut touched, mut rules, mut users) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
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
                Change::User { .. } | Change::Policy => {}
            }
        }
        let mut span = Self { old, new, touched, rules, users };
        if span.moves_subnets() {
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

    fn changes_class(&self, node: NodeId) -> bool {
        let (before, after) = self.classes_of(node);
        before != after
    }

    fn takes_from(&self, node: NodeId) -> bool {
        match (self.old.nodes.get(node), self.new.nodes.get(node)) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(old), Some(new)) => {
                let lasting = |n: &world::Node| (n.node_key, n.expired, n.served_routes());
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

/// Asks for many viewers whether a span concerns them; viewers of one class cost one look.
#[derive(Debug)]
pub struct Concern<'a> {
    span: &'a Span,
    by_class: BTreeMap<Option<ClassId>, bool>,
}

impl<'a> Concern<'a> {
    /// Nobody has been asked for yet.
    pub fn new(span: &'a Span) -> Self {
        Self { span, by_class: BTreeMap::new() }
    }

    /// Whether the viewer may have to be told something; never false when there is something to tell.
    pub fn of(&mut self, viewer: NodeId) -> bool {
        let class = self.span.classes_of(viewer).1;
        self.is_everybody() || self.span.touches(viewer) || self.of_class(class, viewer)
    }

    /// Whether every viewer is concerned, whatever its class.
    pub fn is_everybody(&self) -> bool {
        self.span.changes_policy() || !self.span.users.is_empty()
    }

    /// Viewers who are concerned as themselves, whatever their class; they alone may have another one than before.
    pub fn named(&self) -> impl Iterator<Item = NodeId> + use<'a> {
        self.span.touched.iter().copied()
    }

    /// Whether all viewers of this class are concerned, of whom `member` is one.
    pub fn of_class(&mut self, class: Option<ClassId>, member: NodeId) -> bool {
        let span = self.span;
        *self.by_class.entry(class).or_insert_with(|| span.concerns_class(member, class))
    }
}

impl Span {
    fn concerns_class(&self, member: NodeId, class: Option<ClassId>) -> bool {
        let sees = |world: &World, id: NodeId| seen(world, class, id).is_some();
        let opens =
            |rule: &usize| self.new.nodes.get(member).is_some_and(|n| rules_of(&self.new, n).contains(rule));
        self.touched.iter().any(|id| sees(&self.old, *id) || sees(&self.new, *id))
            || self.rules.iter().any(opens)
    }
}
