//! A node as its peers and as it itself are told of it.

mod caps;

use std::sync::Arc;

use ident::NodeId;
use ipnet::IpNet;
use wire::{Addresses, CapMap, CapVer};
use world::{ClassId, Node, World};

use crate::profile::owner_id;

/// The nodes that a viewer of this class sees, in the order of their ids; the viewer itself is not left out.
/// Costs what is seen, and a look at each class.
pub fn visible(world: &World, viewer: Option<ClassId>) -> impl Iterator<Item = &Arc<Node>> {
    let seen = |class: &ClassId| viewer.is_some_and(|viewer| world.classes.sees(viewer, *class));
    let classes: Vec<ClassId> = world.nodes.classes().filter(seen).collect();
    let mut nodes: Vec<&Arc<Node>> = match classes.as_slice() {
        all if all.len() == world.nodes.classes().count() => {
            world.nodes.iter().filter(|n| n.class.is_some()).collect()
        }
        some => some.iter().flat_map(|class| world.nodes.of_class(*class)).collect(),
    };
    nodes.sort_by_key(|n| n.id);
    nodes.into_iter()
}

/// Whether a viewer of this class sees the node.
pub(crate) fn sees(world: &World, viewer: Option<ClassId>, node: &Node) -> bool {
    viewer.zip(node.class).is_some_and(|(viewer, class)| world.classes.sees(viewer, class))
}

/// The devices of the viewer's own person that it sees by `autogroup:self` and not by its class, in the order of their ids.
pub fn own_devices<'a>(world: &'a World, viewer: &Node) -> Vec<&'a Arc<Node>> {
    let owner = viewer.owner.user();
    let devices = owner.into_iter().flat_map(|owner| world.nodes.owned_by(owner));
    devices.filter(|n| world.sees_own(viewer, n) && !sees(world, viewer.class, n)).collect()
}

/// A node for viewers of a class: its routes are those that the viewer may use. `Online` is always given, `LastSeen`
/// only while offline.
pub fn peer(world: &World, node: &Node, viewer: ClassId) -> wire::Node {
    let routes = Routes::seen_by(world, node, viewer);
    let online = node.online();
    wire::Node {
        machine: None,
        hostinfo: Arc::new(node.hostinfo.for_peers()),
        online: Some(online),
        last_seen: node.live.last_seen.filter(|_| !online),
        expired: node.expired,
        cap_map: caps::for_peers(world, node),
        ..bare(world, node, routes)
    }
}

/// A node for itself: with all that it serves and all that it said. `Online` is true, for it asks.
pub fn self_node(world: &World, node: &Node) -> wire::Node {
    let exits = exit_routes(node).collect();
    let routes = Routes { subnets: world.primary_routes(node).collect(), exits };
    let cap_map = caps::own(world, node);
    wire::Node { machine: Some(node.machine), online: Some(true), cap_map, ..bare(world, node, routes) }
}

/// Whether what a viewer is told of the node may depend on the viewer's class.
pub fn has_routes(node: &Node) -> bool {
    node.hostinfo.routable_ips.iter().any(|route| node.may_serve(route))
}

pub(crate) fn own_prefixes(node: &Node) -> [IpNet; 2] {
    Addresses { v4: node.v4, v6: node.v6 }.prefixes()
}

fn exit_routes(node: &Node) -> impl Iterator<Item = IpNet> + use<> {
    node.served_routes().into_iter().filter(|r| r.prefix_len() == 0)
}

struct Routes {
    subnets: Vec<IpNet>,
    exits: Vec<IpNet>,
}

impl Routes {
    fn seen_by(world: &World, node: &Node, viewer: ClassId) -> Self {
        let none = Self { subnets: Vec::new(), exits: Vec::new() };
        if !has_routes(node) {
            return none;
        }
        let router = node.class.and_then(|c| world.classes.signature(c));
        let Some((viewer, router)) = world.classes.signature(viewer).zip(router) else { return none };
        let may = |route: &IpNet| world.classes.compiled().route_visible(viewer, route, router);
        Self {
            subnets: world.routes_for(viewer, node).filter(may).collect(),
            exits: exit_routes(node).filter(may).collect(),
        }
    }
}

/// The routes of a node that viewers of a class are told of; none for a node that every class is told alike.
pub fn route_view(world: &World, node: &Node, viewer: ClassId) -> Option<Vec<IpNet>> {
    has_routes(node).then(|| {
        let Routes { subnets, exits } = Routes::seen_by(world, node, viewer);
        subnets.into_iter().chain(exits).collect()
    })
}

fn bare(world: &World, node: &Node, routes: Routes) -> wire::Node {
    let addresses = Addresses { v4: node.v4, v6: node.v6 };
    let Routes { subnets, exits } = routes;
    wire::Node {
        id: node.id,
        stable_id: node.stable_id(),
        name: world.fqdn(node),
        user: owner_id(node),
        key: node.node_key,
        key_expiry: node.key_expiry,
        machine: None,
        disco_key: node.live.disco,
        addresses,
        allowed_ips: addresses.prefixes().into_iter().chain(subnets.iter().copied()).chain(exits).collect(),
        endpoints: node.live.endpoints.clone(),
        home_derp: u32::from(node.live.home_derp),
        hostinfo: node.hostinfo.clone(),
        created: Some(node.created),
        cap: CapVer(node.live.capver),
        tags: node.owner.tags().iter().map(ToString::to_string).collect(),
        primary_routes: subnets,
        last_seen: None,
        online: None,
        machine_authorized: true,
        cap_map: CapMap::new(),
        expired: false,
        is_jailed: false,
    }
}

/// The node with this id, if the viewer sees it, be it as a device of the same person.
pub(crate) fn seen_by<'a>(world: &'a World, viewer: &Node, id: NodeId) -> Option<&'a Arc<Node>> {
    world.nodes.get(id).filter(|n| world.sees(viewer, n))
}

/// The node with this id, if a viewer of this class sees it.
pub(crate) fn seen(world: &World, viewer: Option<ClassId>, id: NodeId) -> Option<&Arc<Node>> {
    world.nodes.get(id).filter(|n| sees(world, viewer, n))
}
