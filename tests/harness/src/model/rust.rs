//! The Rust client's way with a message. It knows no DNS, names, health or SSH policy.

use std::collections::BTreeMap;

use ident::NodeId;
use jiff::Timestamp;
use wire::{DerpMap, FilterRule, MapResponse, Node};

use super::{FoldError, Model, patch::Patch};

impl Model {
    pub(super) fn fold_rust(&mut self, mut message: MapResponse) -> Result<(), FoldError> {
        check_rules(&message)?;
        if message.node.is_some() {
            self.node = message.node.take();
        }
        if let Some(derp) = message.derp_map.take() {
            self.derp = Some(DerpMap { home_params: None, ..derp });
        }
        self.rust_filters(&mut message);
        match message.peers.take() {
            Some(peers) => self.peers = peers.into_iter().map(|n| (n.id, settled(n))).collect(),
            None => self.rust_delta(message),
        }
        Ok(())
    }

    /// A clear drops the unnamed filter of the same message too, and an empty part is no part.
    fn rust_filters(&mut self, message: &mut MapResponse) {
        if message.packet_filters.remove("*") == Some(None) {
            self.filters.clear();
        } else if let Some(rules) = message.packet_filter.take() {
            self.filters.insert("base".into(), rules);
        }
        for (name, rules) in std::mem::take(&mut message.packet_filters) {
            match rules.filter(|r| !r.is_empty()) {
                Some(rules) => self.filters.insert(name, rules),
                None => self.filters.remove(&name),
            };
        }
    }

    /// Removals, whole nodes, then one change per peer: a patch replaces what `OnlineChange` says of the same peer.
    fn rust_delta(&mut self, message: MapResponse) {
        for id in message.peers_removed {
            if self.stray(id).is_some() {
                self.peers.remove(&id);
            }
        }
        self.peers.extend(message.peers_changed.into_iter().map(|n| (n.id, settled(n))));

        let mut changes: BTreeMap<NodeId, Patch> = BTreeMap::new();
        let seen = message.peer_seen_change.into_iter();
        changes.extend(seen.map(|(id, seen)| (id, Patch::presence(Some(false).filter(|_| seen)))));
        changes.extend(
            message.online_change.into_iter().map(|(id, online)| (id, Patch::presence(Some(online)))),
        );
        changes.extend(message.peers_changed_patch.into_iter().map(|c| (c.node_id, Patch::from(c))));
        for (id, mut patch) in changes {
            let Some(peer) = self.stray(id) else { continue };
            let (online, last_seen) = presence(patch.online.take(), patch.last_seen.take());
            patch.apply(peer);
            if online.is_some() {
                (peer.online, peer.last_seen) = (online, last_seen);
            }
        }
    }
}

fn settled(node: Node) -> Node {
    let (online, last_seen) = presence(node.online, node.last_seen);
    Node { online, last_seen, ..node }
}

/// Online, offline with an optional time, or unknown; "online" with a time is unknown too.
fn presence(online: Option<bool>, last_seen: Option<Timestamp>) -> (Option<bool>, Option<Timestamp>) {
    match (online, last_seen) {
        (Some(true), None) => (Some(true), None),
        (Some(false), seen) => (Some(false), seen),
        (None, Some(seen)) => (Some(false), Some(seen)),
        (None, None) | (Some(true), Some(_)) => (None, None),
    }
}

fn check_rules(message: &MapResponse) -> Result<(), FoldError> {
    let bad = |rule: &FilterRule| {
        rule.dst_ports.is_empty() == rule.cap_grant.is_empty()
            || !(rule.cap_grant.is_empty() || rule.ip_proto.is_empty())
    };
    if message.packet_filter.iter().flatten().any(bad) {
        return Err(FoldError::Rule("base".into()));
    }
    let mut parts = message.packet_filters.iter();
    match parts.find(|(_, rules)| rules.iter().flatten().any(bad)) {
        Some((name, _)) => Err(FoldError::Rule(name.clone())),
        None => Ok(()),
    }
}
