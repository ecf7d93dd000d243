//! Capabilities of a node: what the policy gives it, and what its clients need to hear to do what the policy says.

use policy::SUGGEST_EXIT_NODE;
use wire::CapMap;
use world::{Node, World};

/// Without these a client runs no SSH server, and takes no variables from who logs in.
const SSH: [&str; 2] = ["https://tailscale.com/cap/ssh", "ssh-env-vars"];
/// As Macs call themselves.
const MAC: &str = "macOS";

/// What the node itself is told. That SSH is possible is told where the policy has a rule of SSH.
pub(crate) fn own(world: &World, node: &Node) -> CapMap {
    let compiled = world.classes.compiled();
    let mut caps = compiled.capabilities(&node.badge);
    if compiled.login(0).is_some() {
        caps.extend(SSH.map(|cap| (cap.to_owned(), Vec::new())));
    }
    if let Some(route) = compiled.mac_route().filter(|_| node.hostinfo.os == MAC) {
        caps.entry(route.to_owned()).or_default();
    }
    caps
}

/// What its peers are told of it: which exit nodes the policy suggests.
pub(crate) fn for_peers(world: &World, node: &Node) -> CapMap {
    let is_exit = || node.served_routes().iter().any(|route| route.prefix_len() == 0);
    let suggested = world.classes.compiled().has_attribute(&node.badge, SUGGEST_EXIT_NODE) && is_exit();
    suggested.then(|| (SUGGEST_EXIT_NODE.to_owned(), Vec::new())).into_iter().collect()
}
