//! What holds after every apply.

use std::{collections::BTreeSet, net::IpAddr};

use crate::{Lifecycle, Node, World};

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
            self.check_sets(node)?;
        }
        for ((prefix, tag), id) in &self.via_primaries {
            let has_tag = self.nodes.get(*id).is_some_and(|n| n.owner.tags().contains(tag));
            if !has_tag || self.classes.compiled().router_tags().all(|known| known != tag) {
                return Err(format!("node {id} serves {prefix} by {tag}, which nobody is sent by"));
            }
        }
        let filed: usize = self.nodes.classes().map(|class| self.nodes.of_class(class).count()).sum();
        let (classed, routers) = (self.nodes.iter().filter(|n| n.class.is_some()), self.nodes.routers());
        if filed != classed.count() || routers.count() != self.nodes.iter().filter(|n| advertises(n)).count()
        {
            return Err("a node is filed that is not there".to_owned());
        }
        let runs = self.nodes.classes().flat_map(|class| self.nodes.addresses_of(class));
        if runs.map(|run| length(&run)).sum::<u128>() != 2 * filed as u128 {
            return Err("an address is filed that no node of its class has".to_owned());
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

    /// A node is of the class that the policy in force makes it, and filed under all that it is.
    fn check_sets(&self, node: &Node) -> Result<(), String> {
        let (id, login) = (node.id, self.login_of(node));
        let is_seen = node.lifecycle == Lifecycle::Active;
        let right = is_seen.then(|| self.classes.signature_of(node, login));
        if node.class.and_then(|class| self.classes.signature(class)) != right.as_ref() {
            return Err(format!("node {id} is of another class than the policy makes it"));
        }
        if node.badge != self.classes.badge_of(node, login) {
            return Err(format!("node {id} has another badge than the policy gives it"));
        }
        if node.auto_routes
            != crate::route::auto_approved(&self.classes, &self.settings.own_addresses, node, login)
        {
            return Err(format!("node {id} has other routes than the policy approves"));
        }
        let has = |class, address: IpAddr| {
            self.nodes.addresses_of(class).any(|(first, last)| first <= address && address <= last)
        };
        let of_class = |class| {
            self.nodes.of_class(class).any(|n| n.id == id)
                && has(class, node.v4.into())
                && has(class, node.v6.into())
        };
        let filed = [
            node.class.is_none_or(of_class),
            self.nodes.like(&node.owner).any(|like| like == id) == is_seen,
            self.nodes.absent().any(|n| n.id == id) != is_seen,
            self.nodes.routers().any(|n| n.id == id) == advertises(node),
        ];
        if filed.contains(&false) {
            return Err(format!("node {id} is not filed under what it is: {filed:?}"));
        }
        Ok(())
    }
}

fn length((first, last): &(IpAddr, IpAddr)) -> u128 {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => u128::from(u32::from(*last) - u32::from(*first)) + 1,
        (IpAddr::V6(first), IpAddr::V6(last)) => u128::from(*last) - u128::from(*first) + 1,
        _ => 0,
    }
}

fn advertises(node: &Node) -> bool {
    !node.hostinfo.routable_ips.is_empty()
}
