//! The part of a client's state that decides what it does.

use std::{collections::BTreeMap, sync::Arc};

use ident::{NodeId, UserId};
use wire::{DerpMap, DnsConfig, FilterRule, Node, SshPolicy, UserProfile};

use super::{Family, Model};

/// Comparable: two models of one family that hold the same view behave the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub node: Option<Box<Node>>,
    /// Without `LastSeen` while online, which clients do not look at.
    pub peers: BTreeMap<NodeId, Node>,
    /// All parts of the filter, in the order of their names.
    pub rules: Vec<FilterRule>,
    pub dns: Option<DnsConfig>,
    pub derp: Option<DerpMap>,
    /// Of the users that the node and its peers belong to; `None` for one whose profile never came.
    pub profiles: BTreeMap<UserId, Option<UserProfile>>,
    pub domain: String,
    pub health: Vec<String>,
    /// Rules of SSH; to be told of none is the same as not to be told.
    pub ssh: Arc<SshPolicy>,
}

impl View {
    pub(super) fn of(model: &Model) -> Self {
        let mut peers = model.peers.clone();
        for peer in peers.values_mut().filter(|p| p.online == Some(true)) {
            peer.last_seen = None;
        }
        let users = model.node.iter().map(|n| n.user).chain(peers.values().map(|n| n.user));
        let profiles = match model.family {
            Family::Go => users.map(|id| (id, model.profiles.get(&id).cloned())).collect(),
            Family::Rust => BTreeMap::new(),
        };
        Self {
            node: model.node.clone(),
            rules: model.filters.values().flatten().cloned().collect(),
            dns: model.dns.clone(),
            derp: model.derp.clone(),
            profiles,
            domain: model.domain.clone(),
            health: model.health.clone(),
            ssh: model.ssh.clone().unwrap_or_default(),
            peers,
        }
    }

    /// Users of whom the client knows no profile; a correct server leaves none.
    pub fn nameless(&self) -> Vec<UserId> {
        self.profiles.iter().filter(|(_, p)| p.is_none()).map(|(id, _)| *id).collect()
    }
}
