//! What another policy changes for nodes that stay what they are: found by class, so that who is not concerned is not asked.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

use ident::NodeId;
use world::{ClassId, Node, World};

use crate::{
    Span,
    filter::{Filters, opens_to_own, part},
    peer::{route_view, sees},
    source::own_sources,
};

/// Where what a viewer's class is told of each router costs more looks than this, whoever sees one is concerned.
const MOST_LOOKS: usize = 16_384;

/// What was found of two policies, each thing looked at once.
#[derive(Debug)]
pub(crate) struct Compared {
    /// Whether rules have the same sources.
    sources: Vec<OnceLock<bool>>,
    /// Classes whose signature is another.
    classes: OnceLock<BTreeSet<ClassId>>,
    /// Whether some class reaches other devices of its people.
    own: OnceLock<bool>,
}

impl Compared {
    /// Nothing is looked at yet; there is nothing to look at without another policy.
    pub(crate) fn new(old: &World, new: &World) -> Self {
        let is_other = old.classes.epoch() != new.classes.epoch();
        let rules = new.classes.compiled().rules().iter().filter(|_| is_other);
        Self {
            sources: rules.map(|_| OnceLock::new()).collect(),
            classes: OnceLock::new(),
            own: OnceLock::new(),
        }
    }
}

/// Whether badges that nodes had before mean the same as equal ones that they have now.
pub(crate) fn means_alike(old: &World, new: &World, touched: &BTreeSet<NodeId>) -> bool {
    if old.classes.epoch() == new.classes.epoch() {
        return true;
    }
    let standing = |world: &World, id: &NodeId| {
        let node = world.nodes.get(*id).filter(|node| node.class.is_some())?;
        Some((node.badge.clone(), node.owner.user()))
    };
    let after = new.classes.compiled();
    let no_logins = || after.login(0).is_none();
    old.classes.compiled().means_alike(after)
        && (no_logins() || touched.iter().all(|id| standing(old, id) == standing(new, id)))
}

impl Span {
    /// Classes with nodes that viewers of the one class saw and of the other do not see, or the other way round. Nodes
    /// that were touched are not looked at.
    pub(crate) fn flipped(
        &self,
        before: Option<ClassId>,
        after: Option<ClassId>,
    ) -> impl Iterator<Item = ClassId> {
        let sees = |world: &World, viewer: Option<ClassId>, class| {
            viewer.is_some_and(|viewer| world.classes.sees(viewer, class))
        };
        let flips = move |class: &ClassId| sees(&self.old, before, *class) != sees(&self.new, after, *class);
        // Whether two classes see each other depends on nothing but their signatures.
        let other = self.other_classes();
        let same = before == after && before.is_none_or(|class| !other.contains(&class));
        let all = self.old.nodes.classes();
        all.filter(move |class| !same || other.contains(class)).filter(flips)
    }

    fn other_classes(&self) -> &BTreeSet<ClassId> {
        self.compared.classes.get_or_init(|| {
            let signature = |world: &'_ Arc<World>, class| world.classes.signature(class).cloned();
            let is_other = |class: &ClassId| signature(&self.old, *class) != signature(&self.new, *class);
            self.old.nodes.classes().filter(is_other).collect()
        })
    }

    /// Whether another policy means something else for viewers who kept their class.
    pub(crate) fn rules_otherwise(&self, class: ClassId) -> bool {
        let has_own = [&self.old, &self.new].map(|world| world.classes.has_own(class));
        has_own[0] != has_own[1]
            || (has_own[0] && self.own_otherwise())
            || self.flipped(Some(class), Some(class)).next().is_some()
            || self.routers_otherwise(class)
            || !self.other_parts(class, class).is_empty()
    }

    /// Whether nodes that have this class after, and had that one before, reach what they reached of their person's devices.
    pub(crate) fn reaches_own_alike(&self, before: ClassId, after: ClassId) -> bool {
        let (old, new) = (&self.old.classes, &self.new.classes);
        match (old.signature(before), new.signature(after)) {
            (Some(was), Some(is)) => new.compiled().reaches_own_alike(was, is),
            _ => false,
        }
    }

    /// Whether by another policy, which asks devices for other postures, some of them reach other devices of their person.
    fn own_otherwise(&self) -> bool {
        *self
            .compared
            .own
            .get_or_init(|| self.old.nodes.classes().any(|class| !self.reaches_own_alike(class, class)))
    }

    /// Whether by another policy other devices of the viewer's person than before are sources of the rule.
    fn has_other_own_sources(&self, was: &Node, now: &Node, rule: usize) -> bool {
        self.own_otherwise() && own_sources(&self.old, was, rule) != own_sources(&self.new, now, rule)
    }

    /// The parts of the viewer's filter that another policy changes; none for those that have nothing any more.
    pub(crate) fn parts_of_policy(
        &self,
        was: &Node,
        now: &Node,
        sources: &mut dyn FnMut(usize) -> Arc<[String]>,
    ) -> Filters {
        let (Some(before), Some(after)) = (was.class, now.class) else { return Filters::new() };
        let mut other = self.other_parts(before, after);
        let moves = self.moves_own(now.id);
        let own =
            self.new.classes.rules_to(after).into_iter().filter(|rule| opens_to_own(&self.new, now, *rule));
        other.extend(own.filter(|rule| moves || self.has_other_own_sources(was, now, *rule)));
        let mut parts = Filters::new();
        for rule in other {
            let names = [&self.old, &self.new].map(|world| world.classes.compiled().rules().get(rule));
            parts.extend(names.into_iter().flatten().map(|rule| (rule.key.clone(), None)));
            parts.extend(part(&self.new, now, rule, sources));
        }
        parts
    }

    /// Rules that open something on nodes of either class, and not the same to the same sources.
    fn other_parts(&self, before: ClassId, after: ClassId) -> BTreeSet<usize> {
        let (was, now) = (self.old.classes.rules_to(before), self.new.classes.rules_to(after));
        let all: BTreeSet<usize> = was.into_iter().chain(now).collect();
        all.into_iter().filter(|rule| !self.is_same_part(*rule, before, after)).collect()
    }

    fn is_same_part(&self, rule: usize, before: ClassId, after: ClassId) -> bool {
        let opened = |world: &World, class| {
            let (compiled, signature) = (world.classes.compiled(), world.classes.signature(class)?);
            let to_own = compiled.is_own_destination(signature, rule);
            let own = (to_own, compiled.opened_to_own(rule, signature));
            Some((compiled.opened(rule, signature), own))
        };
        let [old, new] = [&self.old, &self.new].map(|world| world.classes.compiled().rules().get(rule));
        let is_same_rule = old.zip(new).is_some_and(|(old, new)| {
            (&old.key, &old.protocols, &old.caps) == (&new.key, &new.protocols, &new.caps)
        });
        is_same_rule && opened(&self.old, before) == opened(&self.new, after) && self.has_same_sources(rule)
    }

    fn has_same_sources(&self, rule: usize) -> bool {
        self.compared.sources.get(rule).is_some_and(|known| *known.get_or_init(|| self.compare_sources(rule)))
    }

    fn compare_sources(&self, rule: usize) -> bool {
        let (old, new) = (&self.old, &self.new);
        let fixed = old.classes.compiled().sources_fixed(rule);
        let is_source = |world: &World, id: &NodeId| {
            world
                .nodes
                .get(*id)
                .and_then(|n| n.class)
                .is_some_and(|class| world.classes.is_source(class, rule))
        };
        fixed == new.classes.compiled().sources_fixed(rule)
            && !(fixed.approved_routes && self.subnets)
            && self.touched.iter().all(|id| is_source(old, id) == is_source(new, id))
            && old
                .nodes
                .classes()
                .all(|class| old.classes.is_source(class, rule) == new.classes.is_source(class, rule))
    }

    /// Whether viewers of the class may be told other routes of some node.
    fn routers_otherwise(&self, class: ClassId) -> bool {
        let nodes = &self.new.nodes;
        let is_told =
            |world: &World, node: &Node| sees(world, Some(class), node) || world.classes.has_own(class);
        let view = |world: &World, node: &Node| is_told(world, node).then(|| route_view(world, node, class));
        let is_cheap = nodes.classes().count() * nodes.routers().count() <= MOST_LOOKS;
        nodes.routers().filter_map(|now| self.old.nodes.get(now.id).zip(Some(now))).any(|(was, now)| {
            match is_cheap {
                true => view(&self.old, was) != view(&self.new, now),
                false => is_told(&self.old, was) || is_told(&self.new, now),
            }
        })
    }
}
