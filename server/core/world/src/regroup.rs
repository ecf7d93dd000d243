//! Another policy comes into force: every node finds its class, where nodes that are alike are looked at together.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ident::NodeId;
use ipnet::IpNet;
use policy::{Badge, Compiled, Signature};

use crate::{Change, ClassId, Draft, Fields, Lifecycle, Node, Owner, Prepared, World};

/// Nodes of which the policy before and the new one make the same.
struct Group {
    /// One of them, as it was.
    like: Arc<Node>,
    /// All nodes of these owners but for those that are looked at alone; none is the one node.
    owners: Vec<Owner>,
    many: usize,
    /// None for nodes that take no part.
    signature: Option<Signature>,
    badge: Badge,
    auto_routes: BTreeSet<IpNet>,
}

impl Draft {
    /// The cost follows the sets of tags and the kinds of people that there are (of whom a policy can ask different things),
    /// the nodes that either policy singles out, and the nodes that become something else. A person costs a look.
    pub(crate) fn put_in_force(&mut self, policy: &Prepared) {
        let before = self.world.policy.compiled.clone();
        self.world.classes = self.world.classes.next(policy.compiled.clone());
        self.world.policy = policy.clone();
        self.world.forget_routers();
        self.changes.push(Change::Policy);
        let alone = self.world.looked_at_alone(&before);
        let mut groups = self.world.groups(&before, &alone);
        groups.sort_by_key(|group| std::cmp::Reverse(group.many));
        for group in &groups {
            if let Some((id, signature)) = group.like.class.zip(group.signature.as_ref()) {
                self.world.classes.keep(id, signature);
            }
        }
        for group in groups {
            self.settle_group(&group, &alone);
        }
    }

    fn settle_group(&mut self, group: &Group, alone: &BTreeSet<NodeId>) {
        let class = group.signature.clone().map(|signature| self.world.classes.class_of(signature));
        let like = &group.like;
        let is_other = like.badge != group.badge || like.auto_routes != group.auto_routes;
        if like.class == class && !is_other {
            return;
        }
        let theirs = group.owners.iter().flat_map(|owner| self.world.nodes.like(owner));
        let mut members: Vec<NodeId> = theirs.filter(|id| !alone.contains(id)).collect();
        if group.owners.is_empty() {
            members.push(like.id);
        }
        for id in members {
            self.settle_node(id, group, class, is_other);
        }
    }

    fn settle_node(&mut self, id: NodeId, group: &Group, class: Option<ClassId>, is_other: bool) {
        let Some(old) = self.world.nodes.get(id).cloned() else { return };
        let mut node = (*old).clone();
        node.class = class;
        node.badge.clone_from(&group.badge);
        node.auto_routes.clone_from(&group.auto_routes);
        if is_other {
            node.rev = self.world.version;
        }
        self.world.nodes.put(node, self.world.version);
        self.changes.push(Change::Node { id, fields: Fields::SELF, before: old.class, after: class });
    }
}

impl World {
    /// Nodes of which a policy may make something else than of others with the same owner: those behind which there are
    /// networks, those that either policy singles out by address, and all where what clients tell counts.
    fn looked_at_alone(&self, before: &Compiled) -> BTreeSet<NodeId> {
        let policies = [before, self.classes.compiled()];
        if policies.iter().any(|policy| policy.asks_for_traits()) {
            return self.nodes.iter().map(|node| node.id).collect();
        }
        let mut alone: BTreeSet<NodeId> = self.nodes.routers().map(|node| node.id).collect();
        for net in policies.iter().flat_map(|policy| policy.singled_out()) {
            alone.extend(self.nodes.within(&net));
        }
        alone
    }

    fn groups(&self, before: &Compiled, alone: &BTreeSet<NodeId>) -> Vec<Group> {
        let mut alike: BTreeMap<_, (&Arc<Node>, Vec<Owner>, usize)> = BTreeMap::new();
        for (owner, members) in self.nodes.owners() {
            let like = members.iter().find(|id| !alone.contains(id)).and_then(|id| self.nodes.get(*id));
            let Some(like) = like else { continue };
            let login = self.login_of(like);
            let people =
                [before, self.classes.compiled()].map(|policy| login.map(|login| policy.standing(login)));
            let (_, owners, many) =
                alike.entry((owner.tags(), people)).or_insert_with(|| (like, Vec::new(), 0));
            owners.push(owner.clone());
            *many += members.len();
        }
        let mut groups: Vec<_> =
            alike.into_values().map(|(like, owners, many)| self.group(like, owners, many)).collect();
        let absent = self.nodes.absent().filter(|node| !alone.contains(&node.id));
        let single = alone.iter().filter_map(|id| self.nodes.get(*id)).chain(absent);
        groups.extend(single.map(|node| self.group(node, Vec::new(), 1)));
        groups
    }

    fn group(&self, like: &Arc<Node>, owners: Vec<Owner>, many: usize) -> Group {
        let login = self.login_of(like);
        let auto_routes =
            crate::route::auto_approved(&self.classes, &self.settings.own_addresses, like, login);
        let node = Node { auto_routes: auto_routes.clone(), ..(**like).clone() };
        let is_seen = node.lifecycle == Lifecycle::Active;
        Group {
            signature: is_seen.then(|| self.classes.signature_of(&node, login)),
            badge: self.classes.badge_of(&node, login),
            like: like.clone(),
            owners,
            many,
            auto_routes,
        }
    }
}
