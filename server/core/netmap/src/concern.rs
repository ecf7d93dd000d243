//! Whom a span concerns, asked for many viewers.

use std::collections::{BTreeMap, BTreeSet};

use ident::NodeId;
use world::{ClassId, World};

use crate::{Span, filter::opens_to_others, peer::seen};

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
        let span = self.span;
        let alone = span.touches(viewer) || span.concerns_own(viewer) || span.concerns_logins(viewer);
        self.is_everybody() || alone || self.of_class(span.classes_of(viewer).1, viewer)
    }

    /// Whether every viewer is concerned, whatever its class.
    pub fn is_everybody(&self) -> bool {
        let span = self.span;
        !span.alike || !span.users.is_empty() || span.changes_dns() || span.changes_relays()
    }

    /// Viewers who are concerned as themselves, whatever their class; no other has another class than before.
    pub fn named(&self) -> BTreeSet<NodeId> {
        let span = self.span;
        let mut named = span.touched.clone();
        for (world, owner) in
            [&span.old, &span.new].into_iter().flat_map(|w| span.owners.iter().map(move |o| (w, *o)))
        {
            named.extend(world.nodes.owned_by(owner).map(|n| n.id).filter(|id| span.concerns_own(*id)));
        }
        if !span.logins.is_empty() {
            named.extend(span.new.nodes.iter().map(|n| n.id).filter(|id| span.concerns_logins(*id)));
        }
        named
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
            |rule: &usize| self.new.nodes.get(member).is_some_and(|n| opens_to_others(&self.new, n, *rule));
        if self.touched.iter().any(|id| sees(&self.old, *id) || sees(&self.new, *id)) {
            return true;
        }
        match class.filter(|_| self.changes_policy()) {
            Some(class) => self.rules_otherwise(class),
            None => self.rules.iter().any(opens),
        }
    }
}
