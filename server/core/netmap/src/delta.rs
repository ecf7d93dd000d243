//! What a viewer must be told so that it holds what a fresh map would say.

use std::{collections::BTreeSet, sync::Arc};

use ident::NodeId;
use wire::{MapResponse, PeerChange, UserProfile};
use world::{ClassId, Node, World};

use crate::{
    Logins, Span,
    filter::{Filters, filters, opened, opens_to_others, opens_to_own, part, rules_of},
    full::{dns, from_nothing},
    patch::change,
    peer::{has_routes, peer, seen, seen_by, self_node},
    profile::{named, owner_id, owner_profile, refers_to},
};

/// The difference of two views of one class, the same for every viewer that had the one class and has the other.
/// A viewer may be among its own peers here: see [`PeerDelta::without`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerDelta {
    /// No longer seen.
    pub removed: Vec<NodeId>,
    /// Seen for the first time, or changed in more than a patch can say.
    pub whole: Vec<NodeId>,
    /// Applied behind the whole ones.
    pub patches: Vec<PeerChange>,
    /// Of the users that whole peers belong to.
    pub users: Vec<UserProfile>,
    /// Of users who have another name.
    pub renamed: Vec<UserProfile>,
}

impl PeerDelta {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same for a viewer that is told of these by itself, or not at all as it is no peer of itself.
    pub fn without(mut self, own: &BTreeSet<NodeId>) -> Self {
        self.removed.retain(|id| !own.contains(id));
        self.whole.retain(|id| !own.contains(id));
        self.patches.retain(|p| !own.contains(&p.node_id));
        if self.whole.is_empty() {
            self.users.clear();
        }
        self
    }
}

/// One message out of what only the viewer is told and what it is told of others.
fn with_peers(private: MapResponse, peers: MapResponse) -> MapResponse {
    MapResponse {
        peers_removed: peers.peers_removed,
        peers_changed: peers.peers_changed,
        peers_changed_patch: peers.peers_changed_patch,
        user_profiles: peers.user_profiles,
        ..private
    }
}

impl Span {
    /// What viewers that had one class and have the other are told of their peers. With the same class twice only
    /// nodes that were touched are looked at, otherwise those also of which the two may be told differently.
    pub fn peers(&self, before: Option<ClassId>, after: Option<ClassId>) -> PeerDelta {
        let mut delta = PeerDelta::default();
        let regrouped = self.changes_policy() || before != after;
        for id in if regrouped { self.candidates(before, after) } else { self.touched.clone() } {
            let views = (seen(&self.old, before, id), seen(&self.new, after, id));
            self.tell(id, views, (before, after), &mut delta);
        }
        delta.users = self.users_of(&delta.whole);
        let renamed = self.users.iter().copied().filter(|u| refers_to(&self.new, after, *u));
        delta.renamed = named(&self.new, renamed);
        delta
    }

    /// What the viewer alone is told of devices of its person, in the place of what its class is told of them.
    pub(crate) fn own_peers(&self, viewer: NodeId, own: &BTreeSet<NodeId>) -> PeerDelta {
        let mut delta = PeerDelta::default();
        let see = |world: &Arc<World>, id: NodeId| {
            let viewer = world.nodes.get(viewer)?;
            seen_by(world, viewer, id).cloned()
        };
        for id in own.iter().filter(|id| **id != viewer) {
            let views = (see(&self.old, *id), see(&self.new, *id));
            self.tell(*id, (views.0.as_ref(), views.1.as_ref()), self.classes_of(viewer), &mut delta);
        }
        delta.users = self.users_of(&delta.whole);
        delta
    }

    /// What only the viewer is told: itself, what its resolver is told, and the parts of its filter that are other than before. `sources` answers
    /// for the new World. None when there is nothing, or the viewer is gone. Rules of SSH are asked for apart:
    /// [`Span::logins`].
    pub fn private(
        &self,
        viewer: NodeId,
        sources: &mut dyn FnMut(usize) -> Arc<[String]>,
    ) -> Option<MapResponse> {
        let now = self.new.nodes.get(viewer)?;
        let was = self.old.nodes.get(viewer);
        let mut message = MapResponse::default();
        // A policy approves routes by itself, so it may change a node that nothing else touched.
        if self.touches(viewer) || self.changes_policy() {
            let itself = self_node(&self.new, now);
            let same = was.is_some_and(|was| self_node(&self.old, was) == itself);
            message.node = (!same).then(|| Box::new(itself));
        }
        if message.node.is_some() || self.users.contains(&owner_id(now)) {
            message.user_profiles = vec![owner_profile(&self.new, now)];
        }
        message.dns_config = self.changes_dns_of(was.map(|n| &**n), now).then(|| dns(&self.new, now));
        message.packet_filters = match was {
            Some(was) if self.changes_policy() && was.class.is_some() == now.class.is_some() => {
                self.parts_of_policy(was, now, sources)
            }
            Some(was) if !self.regroups(viewer) => self.changed_parts(was, now, sources),
            _ => from_nothing(filters(&self.new, now, sources)),
        };
        Some(message).filter(|m| *m != MapResponse::default())
    }

    /// All of it, in the order in which it must be told; nothing when nothing changed for the viewer. Of a viewer that
    /// sees by another class than before, filter and peers change in one message.
    pub fn delta(&self, viewer: NodeId, sources: &mut dyn FnMut(usize) -> Arc<[String]>) -> Vec<MapResponse> {
        let Some(node) = self.new.nodes.get(viewer) else { return Vec::new() };
        let (before, after) = self.classes_of(viewer);
        let mut private = self.private(viewer, sources);
        if let Some(policy) = self.logins(viewer, &mut Logins::default()) {
            private.get_or_insert_default().ssh_policy = Some(policy);
        }
        let own = self.own(viewer);
        let mut peers = self.peers(before, after).without(&own);
        let PeerDelta { removed, whole, patches, users, .. } = self.own_peers(viewer, &own);
        peers.removed.extend(removed);
        peers.whole.extend(whole);
        peers.patches.extend(patches);
        peers.users.extend(users);
        let peers = (!peers.is_empty()).then(|| self.message(peers, node));
        match (private, peers) {
            (Some(mut private), Some(peers)) if self.regroups(viewer) => {
                let mut user_profiles = std::mem::take(&mut private.user_profiles);
                user_profiles.extend(peers.user_profiles);
                let peers = MapResponse { user_profiles, ..peers };
                vec![with_peers(private, peers)]
            }
            (private, peers) => private.into_iter().chain(peers).collect(),
        }
    }

    fn message(&self, delta: PeerDelta, viewer: &Node) -> MapResponse {
        let whole = delta.whole.iter().filter_map(|id| self.new.nodes.get(*id));
        MapResponse {
            peers_removed: delta.removed,
            peers_changed: viewer
                .class
                .iter()
                .flat_map(|c| whole.clone().map(|n| peer(&self.new, n, *c)))
                .collect(),
            peers_changed_patch: delta.patches,
            user_profiles: delta.users.into_iter().chain(delta.renamed).collect(),
            ..MapResponse::default()
        }
    }

    fn users_of(&self, nodes: &[NodeId]) -> Vec<UserProfile> {
        let owners = nodes.iter().filter_map(|id| self.new.nodes.get(*id)).map(|n| owner_id(n));
        named(&self.new, owners)
    }

    /// Of all others both classes are told the same: they see them or do not, and what is said does not depend on who asks.
    fn candidates(&self, before: Option<ClassId>, after: Option<ClassId>) -> BTreeSet<NodeId> {
        let flipped = self.flipped(before, after).flat_map(|class| self.new.nodes.of_class(class));
        let others = flipped.chain(self.new.nodes.routers()).map(|node| node.id);
        self.touched.iter().copied().chain(others).collect()
    }

    fn tell(
        &self,
        id: NodeId,
        views: (Option<&Arc<Node>>, Option<&Arc<Node>>),
        (before, after): (Option<ClassId>, Option<ClassId>),
        delta: &mut PeerDelta,
    ) {
        match views {
            (None, None) => {}
            (Some(_), None) => delta.removed.push(id),
            (None, Some(_)) => delta.whole.push(id),
            (Some(was), Some(now)) if was.rev == now.rev && !has_routes(now) => {}
            (Some(was), Some(now)) => {
                let Some((before, after)) = before.zip(after) else { return };
                let change = change(&peer(&self.old, was, before), &peer(&self.new, now, after));
                delta.whole.extend(change.whole.then_some(id));
                delta.patches.extend(change.patch);
            }
        }
    }

    /// Parts whose sources or destinations are others; none for those that have nothing any more.
    fn changed_parts(
        &self,
        was: &Node,
        now: &Node,
        sources: &mut dyn FnMut(usize) -> Arc<[String]>,
    ) -> Filters {
        let (touched, own) = (self.touches(now.id), self.moves_own(now.id));
        if !touched && !own && self.rules.is_empty() {
            return Filters::new();
        }
        let moved = |rule| touched && opened(&self.old, was, rule) != opened(&self.new, now, rule);
        let by_own = |rule| own && opens_to_own(&self.new, now, rule);
        let by_others = |rule| self.rules.contains(&rule) && opens_to_others(&self.new, now, rule);
        let other = rules_of(&self.new, now).into_iter();
        let other = other.filter(|rule| by_others(*rule) || moved(*rule) || by_own(*rule));
        other
            .filter_map(|rule| {
                let name = self.new.classes.compiled().rules().get(rule)?.key.clone();
                Some(part(&self.new, now, rule, sources).unwrap_or((name, None)))
            })
            .collect()
    }
}
