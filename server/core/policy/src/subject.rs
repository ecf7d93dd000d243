//! What the policy needs to know about one node.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ident::Tag;
use ipnet::IpNet;

use crate::Traits;

/// One node as the policy sees it.
///
/// A node with tags is its tags; `login` counts only when there are none. A login is the user's name in the roster:
/// `alice@example.com` is matched by that alias, `alice` by the alias `alice@`; letter case does not matter.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Tags of the node; empty for a person's node.
    pub tags: &'a [Tag],
    /// The owner, when a person owns the node.
    pub login: Option<&'a str>,
    /// The node's mesh address.
    pub v4: Ipv4Addr,
    /// The node's mesh address.
    pub v6: Ipv6Addr,
    /// Approved routes, with 0.0.0.0/0 and ::/0 of an approved exit node.
    pub routes: &'a [IpNet],
    /// What its client tells about the machine; none where nothing is known, which is no posture at all.
    pub traits: Option<&'a Traits>,
}

impl Subject<'_> {
    pub(crate) fn addresses(&self) -> [IpAddr; 2] {
        [self.v4.into(), self.v6.into()]
    }

    /// The login in the form in which the policy keeps logins.
    pub(crate) fn owner(&self) -> Option<String> {
        self.login.map(str::to_lowercase)
    }
}

/// Whether a route is the whole of a family, which makes its router an exit node.
pub(crate) fn is_exit(route: &IpNet) -> bool {
    route.prefix_len() == 0
}
