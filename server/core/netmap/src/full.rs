//! The whole map: the first message of a stream, and what every difference must lead to.

mod dns;
mod farewell;
mod nextdns;
mod relays;

use std::sync::Arc;

use jiff::Timestamp;
use wire::{Debug, DerpMap, MapResponse};
use world::{Node, World};

pub use dns::dns;
pub use farewell::farewell;
pub use relays::relays;

use crate::{
    Logins,
    filter::{Filters, filters},
    peer::{own_devices, peer, self_node, visible},
    profile::profiles,
};

/// What is the same for every node of the server.
#[derive(Debug, Clone)]
pub struct Site {
    /// Where the relays are.
    pub derp_map: Arc<DerpMap>,
    /// Whether clients may send their logs to their maker.
    pub collect_logs: bool,
}

/// The whole map. Peers are in the order of their ids, but devices of the viewer's own person that its class does not see
/// come last. A node without a class sees nobody. Its filter begins with `*: null`, which clears what was there;
/// a client that hears of no part lets nothing in.
pub fn full(world: &World, viewer: &Node, site: &Site, now: Timestamp) -> MapResponse {
    let mut sources = |rule| crate::sources(world, rule).into();
    let others = visible(world, viewer.class).filter(|n| n.id != viewer.id).chain(own_devices(world, viewer));
    let peers: Vec<_> = others.filter_map(|n| Some(peer(world, n, viewer.class?))).collect();
    let head = head(world, viewer, site, now, &mut sources);
    MapResponse {
        peers: Some(peers).filter(|p| !p.is_empty()),
        user_profiles: profiles(world, viewer),
        ssh_policy: Some(Logins::default().of(world, viewer)).filter(|policy| !policy.rules.is_empty()),
        ..head
    }
}

/// The whole map but for the peers, the profiles of users and the rules of SSH.
pub fn head(
    world: &World,
    viewer: &Node,
    site: &Site,
    now: Timestamp,
    sources: &mut dyn FnMut(usize) -> Arc<[String]>,
) -> MapResponse {
    MapResponse {
        node: Some(Box::new(self_node(world, viewer))),
        derp_map: Some(relays(world, site)),
        dns_config: Some(dns(world, viewer)),
        domain: world.settings.domain.clone(),
        packet_filters: from_nothing(filters(world, viewer, sources)),
        control_time: Some(now),
        debug: (!site.collect_logs).then(|| Debug { disable_log_tail: true, ..Debug::default() }),
        ..MapResponse::default()
    }
}

/// Parts that replace all parts before them.
pub(crate) fn from_nothing(mut filters: Filters) -> Filters {
    filters.insert("*".into(), None);
    filters
}
