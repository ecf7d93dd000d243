//! What one peer's change costs: nothing, a patch, or the whole node again.

use wire::{Node, PeerChange};

/// What tells a viewer that a peer it knows changed.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// The peer must be told whole.
    pub(crate) whole: bool,
    /// Applied behind the whole.
    pub(crate) patch: Option<PeerChange>,
}

/// From what the viewer was told to what it should know.
///
/// The Go client turns a whole node that differs only in what patches can change into a patch of its own, and in doing
/// so loses an endpoint list that becomes empty and a `LastSeen` that appears; a patch behind the whole node says these
/// again. It also drops a patch with a discovery key of a peer that goes offline in the same breath, hence such a peer
/// is told whole.
pub(crate) fn change(was: &Node, now: &Node) -> Change {
    if was == now {
        return Change::default();
    }
    let mut patch = stated(was, now);
    let gone_with_key = patch.disco_key.is_some() && now.online == Some(false);
    let whole = gone_with_key || !expressible(was, now);
    if gone_with_key {
        patch.disco_key = None;
    }
    if whole && !gone_with_key && !as_patch_to_go(was, now) {
        return Change { whole, patch: None };
    }
    Change { whole, patch: Some(patch).filter(|p| !p.is_empty()) }
}

fn stated(was: &Node, now: &Node) -> PeerChange {
    let went = was.online != now.online || was.last_seen != now.last_seen;
    PeerChange {
        derp_region: if was.home_derp == now.home_derp { 0 } else { now.home_derp },
        cap: if was.cap == now.cap { wire::CapVer::default() } else { now.cap },
        endpoints: (was.endpoints != now.endpoints).then(|| now.endpoints.clone()),
        key: (was.key != now.key).then_some(now.key),
        disco_key: now.disco_key.filter(|_| was.disco_key != now.disco_key),
        online: now.online.filter(|_| went),
        last_seen: now.last_seen.filter(|_| went),
        key_expiry: now.key_expiry.filter(|_| was.key_expiry != now.key_expiry),
        ..PeerChange::new(now.id)
    }
}

/// Whether the Go client takes the whole node for a patch of the one that it has: also where what a patch can say is gone,
/// such as a discovery key, which no patch of ours can tell.
fn as_patch_to_go(was: &Node, now: &Node) -> bool {
    let said = Node {
        home_derp: now.home_derp,
        cap: now.cap,
        endpoints: now.endpoints.clone(),
        key: now.key,
        disco_key: now.disco_key,
        online: now.online,
        last_seen: now.last_seen,
        key_expiry: now.key_expiry,
        ..was.clone()
    };
    said == *now
}

/// Whether the two differ in nothing but what a patch can say. `LastSeen` of a node that is online says nothing.
fn expressible(was: &Node, now: &Node) -> bool {
    let said = Node {
        home_derp: if now.home_derp == 0 { was.home_derp } else { now.home_derp },
        cap: if now.cap == wire::CapVer::default() { was.cap } else { now.cap },
        endpoints: now.endpoints.clone(),
        key: now.key,
        disco_key: now.disco_key.or(was.disco_key),
        online: now.online,
        last_seen: now.last_seen,
        key_expiry: now.key_expiry.or(was.key_expiry),
        ..was.clone()
    };
    said == *now
}
