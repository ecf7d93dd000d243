//! Single changes of a peer, with what the wire form cannot say: a field that becomes empty.

use std::net::SocketAddr;

use ident::{DiscoKey, NodeKey};
use jiff::Timestamp;
use wire::{CapMap, CapVer, Node, PeerChange};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Patch {
    derp_region: u32,
    cap: CapVer,
    cap_map: Option<CapMap>,
    endpoints: Option<Vec<SocketAddr>>,
    key: Option<NodeKey>,
    disco_key: Option<Option<DiscoKey>>,
    pub(super) online: Option<bool>,
    pub(super) last_seen: Option<Timestamp>,
    key_expiry: Option<Option<Timestamp>>,
}

impl From<PeerChange> for Patch {
    fn from(c: PeerChange) -> Self {
        Self {
            derp_region: c.derp_region,
            cap: c.cap,
            cap_map: c.cap_map,
            endpoints: c.endpoints,
            key: c.key,
            disco_key: c.disco_key.map(Some),
            online: c.online,
            last_seen: c.last_seen,
            key_expiry: c.key_expiry.map(Some),
        }
    }
}

impl Patch {
    /// A change of `Online` alone, or none.
    pub(super) fn presence(online: Option<bool>) -> Self {
        Self { online, ..Self::default() }
    }

    /// What the Go client makes of a whole node that it knows already; `None` where it takes the node as it is.
    /// A home region, version or endpoint list that becomes empty gets lost, and so does a change of `Online` or
    /// `LastSeen` from or to "absent".
    pub(super) fn between(was: &Node, now: &Node) -> Option<Self> {
        if !patchable(was, now) {
            return None;
        }
        let both = |a: Option<Timestamp>, b: Option<Timestamp>| b.filter(|_| a.is_some() && a != b);
        Some(Self {
            derp_region: if was.home_derp == now.home_derp { 0 } else { now.home_derp },
            cap: if was.cap == now.cap { CapVer::default() } else { now.cap },
            cap_map: (was.cap_map != now.cap_map).then(|| now.cap_map.clone()),
            endpoints: (was.endpoints != now.endpoints && !now.endpoints.is_empty())
                .then(|| now.endpoints.clone()),
            key: (was.key != now.key).then_some(now.key),
            disco_key: (was.disco_key != now.disco_key).then_some(now.disco_key),
            online: now.online.filter(|_| was.online.is_some() && was.online != now.online),
            last_seen: both(was.last_seen, now.last_seen),
            key_expiry: (was.key_expiry != now.key_expiry).then_some(now.key_expiry),
        })
    }

    /// Since 1.102 the Go client drops a patch that carries a disco key of an offline peer which it has seen later.
    pub(super) fn is_stale(&self, peer: &Node) -> bool {
        self.disco_key.is_some()
            && self.online == Some(false)
            && self.last_seen.is_some_and(|seen| peer.last_seen.is_some_and(|known| seen <= known))
    }

    pub(super) fn apply(self, peer: &mut Node) {
        if self.derp_region != 0 {
            peer.home_derp = self.derp_region;
        }
        if self.cap != CapVer::default() {
            peer.cap = self.cap;
        }
        set(&mut peer.cap_map, self.cap_map);
        set(&mut peer.endpoints, self.endpoints);
        set(&mut peer.key, self.key);
        set(&mut peer.disco_key, self.disco_key);
        set(&mut peer.key_expiry, self.key_expiry);
        peer.online = self.online.or(peer.online);
        peer.last_seen = self.last_seen.or(peer.last_seen);
    }
}

fn set<T>(field: &mut T, change: Option<T>) {
    if let Some(value) = change {
        *field = value;
    }
}

/// Whether two states of a node differ only in what a patch can change.
fn patchable(was: &Node, now: &Node) -> bool {
    let aligned = Node {
        home_derp: was.home_derp,
        cap: was.cap,
        cap_map: was.cap_map.clone(),
        endpoints: was.endpoints.clone(),
        key: was.key,
        disco_key: was.disco_key,
        online: was.online,
        last_seen: was.last_seen,
        key_expiry: was.key_expiry,
        ..now.clone()
    };
    aligned == *was
}
