//! Which routes the policy approves by itself, and which nobody may approve.

use std::{collections::BTreeSet, net::IpAddr};

use ident::Tag;
use ipnet::IpNet;

use crate::{Classes, Node, World, class::subject};

/// Ranges that belong to the mesh, to every host itself, or to no host: a route into them would take over others' traffic.
const NEVER: [&str; 8] = [
    "100.64.0.0/10",
    "fd7a:115c:a1e0::/48",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "::1/128",
    "fe80::/10",
    "ff00::/8",
];

/// Why no node may serve the route, if so; exit routes cover everything and are steered by each client.
pub(crate) fn unservable(route: &IpNet, own: &BTreeSet<IpAddr>) -> Option<&'static str> {
    if route.prefix_len() == 0 {
        return None;
    }
    let overlaps = |net: IpNet| net.contains(route) || route.contains(&net);
    if NEVER.iter().filter_map(|text| text.parse().ok()).any(overlaps) {
        return Some("it overlaps the mesh's own addresses or addresses of no network");
    }
    // A private address has neighbours in a network that somebody may have to serve.
    let alone = route.prefix_len() == route.max_prefix_len();
    let takes = |address: &&IpAddr| route.contains(*address) && (alone || is_public(**address));
    own.iter().find(takes).map(|_| "it would take over the way to this server")
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified()),
        IpAddr::V6(v6) => {
            !(v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unspecified())
        }
    }
}

/// What the policy approves of the routes that the node advertises.
pub(crate) fn auto_approved(
    classes: &Classes,
    own: &BTreeSet<IpAddr>,
    node: &Node,
    login: Option<&str>,
) -> BTreeSet<IpNet> {
    if node.hostinfo.routable_ips.is_empty() {
        return BTreeSet::new();
    }
    let subject = subject(node, login, &[]);
    let approved = |r: &&IpNet| unservable(r, own).is_none() && classes.compiled().auto_approves(&subject, r);
    node.hostinfo.routable_ips.iter().filter(approved).copied().collect()
}

impl World {
    /// Drops who serves routes by tags that the policy does not send anybody by.
    pub(crate) fn forget_routers(&mut self) {
        let tags: BTreeSet<Tag> = self.classes.compiled().router_tags().cloned().collect();
        let known = std::mem::take(&mut self.via_primaries).into_iter();
        self.via_primaries = known.filter(|((_, tag), _)| tags.contains(tag)).collect();
    }

    /// Who serves routes by tags, at a start: the primary of the route if it has the tag, else the first that has.
    pub(crate) fn choose_routers(&mut self) {
        let compiled = self.policy.compiled.clone();
        for tag in compiled.router_tags() {
            for node in self.nodes.routers().filter(|node| node.owner.tags().contains(tag)) {
                for route in node.subnet_routes() {
                    let is_primary = self.primaries.get(&route) == Some(&node.id);
                    let first = self.via_primaries.entry((route, tag.clone())).or_insert(node.id);
                    if is_primary {
                        *first = node.id;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_routes_the_server_itself() {
        let own = ["203.0.113.9", "10.1.2.3", "2001:db8::9"].map(|text| text.parse().unwrap()).into();
        let servable = |text: &str| unservable(&text.parse().unwrap(), &own).is_none();
        for never in ["203.0.113.9/32", "203.0.113.0/24", "128.0.0.0/1", "10.1.2.3/32", "2001:db8::/32"] {
            assert!(!servable(never), "{never}");
        }
        for fine in ["0.0.0.0/0", "::/0", "203.0.113.10/32", "10.1.0.0/16", "10.1.2.2/32", "198.51.100.0/24"]
        {
            assert!(servable(fine), "{fine}");
        }
    }

    #[test]
    fn nobody_routes_the_mesh_itself() {
        let servable = |text: &str| super::unservable(&text.parse().unwrap(), &BTreeSet::new()).is_none();
        for never in ["100.64.0.7/32", "100.0.0.0/8", "fd7a:115c:a1e0::7/128", "127.0.0.1/32", "fe80::/64"] {
            assert!(!servable(never), "{never}");
        }
        for fine in ["10.0.0.0/8", "192.168.1.0/24", "0.0.0.0/0", "::/0", "2001:db8::/32", "100.128.0.0/16"] {
            assert!(servable(fine), "{fine}");
        }
    }
}
