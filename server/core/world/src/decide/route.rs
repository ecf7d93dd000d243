//! Routes: who may serve them, and which of those who may does.

use std::collections::BTreeSet;

use ident::{NodeId, Tag};
use ipnet::IpNet;

use super::{Decision, node};
use crate::{
    Answer, Change, DurableEvent, Event, Fields, Node, Refusal, VolatileEvent, World, route::unservable,
};

pub(super) fn approve(world: &World, id: NodeId, routes: &BTreeSet<IpNet>) -> Result<Decision, Refusal> {
    let node = node::find(world, id)?;
    let known = |r: &&IpNet| node.hostinfo.routable_ips.contains(r) || node.approved_routes.contains(*r);
    if let Some(route) = routes.iter().find(|r| !known(r)) {
        return Err(Refusal::NotAdvertised { node: node.name.clone(), route: route.to_string() });
    }
    let own = &world.settings.own_addresses;
    if let Some((route, why)) = routes.iter().find_map(|r| Some((r, unservable(r, own)?))) {
        return Err(Refusal::NotServable { route: route.to_string(), why });
    }
    let routes = with_both_families(node, routes);
    if routes == node.approved_routes {
        return Ok(Decision::nothing(Answer::Node(id)));
    }
    Ok(Decision::one(DurableEvent::NodeRoutesApproved { node: id, routes }, Answer::Node(id)))
}

/// An exit node that serves only one family leaks the other: what is approved for one is for both.
fn with_both_families(node: &Node, routes: &BTreeSet<IpNet>) -> BTreeSet<IpNet> {
    let mut all = routes.clone();
    if routes.iter().any(|r| r.prefix_len() == 0) {
        all.extend(node.hostinfo.routable_ips.iter().filter(|r| r.prefix_len() == 0));
    }
    all
}

/// After a batch of changes: every subnet route that one of the changed nodes serves or served has the right primary.
/// The primary stays while it is able and trusted; then such a node with the lowest id takes over; with nobody online the
/// route is unmapped.
pub(crate) fn settle(world: &World, changes: &[Change]) -> Vec<Event> {
    let affected = affected_prefixes(world, changes);
    if affected.is_empty() {
        return Vec::new();
    }
    let routers = world.nodes.routers().filter(|node| node.can_route());
    let routers: Vec<Router> =
        routers.map(|node| Router { node, routes: node.subnet_routes().collect() }).collect();
    let tags: Vec<&Tag> = world.classes.compiled().router_tags().collect();
    let mut events = Vec::new();
    for prefix in affected {
        let by_tags = tags.iter().map(|tag| Some((*tag).clone()));
        for via in std::iter::once(None).chain(by_tags) {
            let now = match &via {
                None => world.primaries.get(&prefix).copied(),
                Some(tag) => world.via_primaries.get(&(prefix, tag.clone())).copied(),
            };
            let next = next(&routers, &prefix, via.as_ref(), now);
            if next != now {
                events.push(VolatileEvent::RoutePrimary { prefix, via, node: next }.into());
            }
        }
    }
    events
}

/// A node that is able to serve, and what.
struct Router<'a> {
    node: &'a Node,
    routes: BTreeSet<IpNet>,
}

/// Those who can be trusted come first. Where nobody can, the route stays with whoever is online: it may yet work, and
/// without it clients would send what is meant for the network to wherever else they are.
fn next(routers: &[Router], prefix: &IpNet, via: Option<&Tag>, now: Option<NodeId>) -> Option<NodeId> {
    let has_tag = |router: &&Router| via.is_none_or(|tag| router.node.owner.tags().contains(tag));
    let able = routers.iter().filter(|router| router.routes.contains(prefix)).filter(has_tag);
    let able: Vec<&Node> = able.map(|router| router.node).collect();
    let trusted: Vec<NodeId> = able.iter().filter(|node| node.live.responsive).map(|node| node.id).collect();
    let ids = if trusted.is_empty() { able.iter().map(|node| node.id).collect() } else { trusted };
    now.filter(|id| ids.contains(id)).or(ids.first().copied())
}

fn affected_prefixes(world: &World, changes: &[Change]) -> BTreeSet<IpNet> {
    let mut affected = BTreeSet::new();
    let mut touched = BTreeSet::new();
    for change in changes {
        match change {
            Change::Node { id, fields, .. }
                if fields.intersects(Fields::WHOLE | Fields::ONLINE | Fields::TRUST) =>
            {
                touched.insert(*id);
            }
            Change::Policy => touched.extend(world.nodes.routers().map(|n| n.id)),
            Change::Node { .. } | Change::Sources { .. } | Change::User { .. } | Change::Dns => {}
        }
    }
    if touched.is_empty() {
        return affected;
    }
    affected.extend(world.primaries.iter().filter(|(_, id)| touched.contains(id)).map(|(p, _)| *p));
    affected.extend(world.via_primaries.iter().filter(|(_, id)| touched.contains(id)).map(|((p, _), _)| *p));
    for node in touched.iter().filter_map(|id| world.nodes.get(*id)) {
        affected.extend(node.subnet_routes());
    }
    affected
}
