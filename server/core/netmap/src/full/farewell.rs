//! What the client of a deleted node is told: that its key has expired. It asks for a login then, and lets no packet through;
//! an error or the end of its stream would have it ask again and again, with its tunnels up.

use ident::{NodeId, NodeKey, UserId};
use jiff::Timestamp;
use wire::{Addresses, CapMap, CapVer, MapResponse};
use world::World;

use super::{Site, relays};

/// Before any client's clock.
const EXPIRED: i64 = 1;
/// Addresses that no node has.
const NOBODYS: Addresses = Addresses {
    v4: std::net::Ipv4Addr::new(100, 64, 0, 0),
    v6: std::net::Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 0),
};

/// A whole map for the client that had the node with this id, or with one that is forgotten, and this key: without peers,
/// without anything that it may receive.
pub fn farewell(
    world: &World,
    (id, key): (Option<NodeId>, NodeKey),
    site: &Site,
    now: Timestamp,
) -> MapResponse {
    MapResponse {
        node: Some(Box::new(former(world, id.unwrap_or(NodeId::LAST), key))),
        derp_map: Some(relays(world, site)),
        domain: world.settings.domain.clone(),
        packet_filters: [("*".to_owned(), None)].into(),
        control_time: Some(now),
        ..MapResponse::default()
    }
}

fn former(world: &World, id: NodeId, key: NodeKey) -> wire::Node {
    wire::Node {
        id,
        stable_id: format!("n{id}"),
        name: format!("deleted.{}.", world.settings.domain),
        user: UserId::LAST,
        key,
        key_expiry: Timestamp::from_second(EXPIRED).ok(),
        machine: None,
        disco_key: None,
        addresses: NOBODYS,
        allowed_ips: NOBODYS.prefixes().to_vec(),
        endpoints: Vec::new(),
        home_derp: 0,
        hostinfo: Default::default(),
        created: None,
        cap: CapVer::OURS,
        tags: Vec::new(),
        primary_routes: Vec::new(),
        last_seen: None,
        online: Some(true),
        machine_authorized: true,
        cap_map: CapMap::new(),
        expired: false,
        is_jailed: false,
    }
}
