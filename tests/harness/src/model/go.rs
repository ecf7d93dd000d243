//! The Go client's way with a message.

use std::collections::BTreeMap;

use wire::{DerpMap, MapResponse, Node};

use super::{FoldError, Model, patch::Patch};

/// The part that the unnamed filter becomes.
const UNNAMED: &str = "base";

impl Model {
    pub(super) fn fold_go(&mut self, mut message: MapResponse) -> Result<(), FoldError> {
        self.go_peers(&mut message);
        if message.node.is_some() {
            self.node = message.node;
        }
        self.profiles.extend(message.user_profiles.into_iter().map(|p| (p.id, p)));
        if let Some(derp) = message.derp_map {
            let kept = self.derp.take().and_then(|d| d.home_params);
            let scores = derp.home_params.or(kept).filter(|params| !params.region_score.is_empty());
            self.derp = Some(DerpMap { home_params: scores, ..derp });
        }
        if let Some(rules) = message.packet_filter {
            self.filters.insert(UNNAMED.into(), rules);
        }
        if message.packet_filters.get("*") == Some(&None) {
            self.filters.clear();
        }
        for (name, rules) in message.packet_filters.into_iter().filter(|(name, _)| name != "*") {
            match rules {
                Some(rules) => self.filters.insert(name, rules),
                None => self.filters.remove(&name),
            };
        }
        self.dns = message.dns_config.or(self.dns.take());
        self.ssh = message.ssh_policy.or(self.ssh.take());
        if !message.domain.is_empty() {
            self.domain = message.domain;
        }
        if let Some(health) = message.health {
            self.health = health;
        }
        Ok(())
    }

    fn go_peers(&mut self, message: &mut MapResponse) {
        let patches = self.go_patches(message);
        if let Some(peers) = message.peers.take().filter(|p| !p.is_empty()) {
            let fresh = peers.into_iter().map(|n| (n.id, self.go_keep_disco(n)));
            self.peers = fresh.collect::<BTreeMap<_, _>>();
            return;
        }
        for id in std::mem::take(&mut message.peers_removed) {
            if self.stray(id).is_some() {
                self.peers.remove(&id);
            }
        }
        self.peers.extend(std::mem::take(&mut message.peers_changed).into_iter().map(|n| (n.id, n)));
        let now = self.clock;
        for (id, seen) in std::mem::take(&mut message.peer_seen_change) {
            if let Some(peer) = self.stray(id) {
                peer.last_seen = now.filter(|_| seen);
            }
        }
        for (id, online) in std::mem::take(&mut message.online_change) {
            if let Some(peer) = self.stray(id) {
                peer.online = Some(online);
            }
        }
        for (id, patch) in patches {
            if let Some(peer) = self.stray(id) {
                patch.apply(peer);
            }
        }
    }

    /// The patches of the message, and behind them those that it makes of whole nodes. Stale ones fall out.
    fn go_patches(&self, message: &mut MapResponse) -> Vec<(ident::NodeId, Patch)> {
        let stated = std::mem::take(&mut message.peers_changed_patch);
        let mut patches: Vec<_> = stated.into_iter().map(|c| (c.node_id, Patch::from(c))).collect();
        message.peers_changed.retain(|now| {
            let patch = self.peers.get(&now.id).and_then(|was| Patch::between(was, now));
            let whole = patch.is_none();
            patches.extend(patch.map(|p| (now.id, p)));
            whole
        });
        patches.retain(|(id, patch)| !self.peers.get(id).is_some_and(|peer| patch.is_stale(peer)));
        patches
    }

    /// In a full list an offline peer keeps the disco key it was last seen with, unless it was seen since.
    fn go_keep_disco(&self, now: Node) -> Node {
        let Some(was) = self.peers.get(&now.id) else { return now };
        let known_later = was.last_seen.is_some_and(|known| now.last_seen.is_none_or(|seen| seen <= known));
        if now.disco_key.is_none()
            || now.disco_key == was.disco_key
            || now.online == Some(true)
            || !known_later
        {
            return now;
        }
        Node { disco_key: was.disco_key, last_seen: was.last_seen, ..now }
    }
}
