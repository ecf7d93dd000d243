//! What a node lets in. Every rule of the policy is a part of its own, so that only changed rules travel.

use std::{collections::BTreeMap, sync::Arc};

use ipnet::IpNet;
use policy::{Destination, Target};
use wire::{FilterRule, NetPortRange, PortRange};
use world::{Node, World};

use crate::peer::own_prefixes;

/// Parts of a packet filter by name; none deletes a part.
pub(crate) type Filters = BTreeMap<String, Option<Vec<FilterRule>>>;

/// The parts for this node: a part per rule that opens something on it, to nothing but its own addresses, the routes
/// it serves and, on an exit node, the internet. A rule without sources or destinations has no part.
pub fn filters(
    world: &World,
    node: &Node,
    sources: &mut dyn FnMut(usize) -> Arc<[String]>,
) -> BTreeMap<String, Option<Vec<FilterRule>>> {
    rules_of(world, node).into_iter().filter_map(|rule| part(world, node, rule, sources)).collect()
}

/// The rules that open something on the node.
pub(crate) fn rules_of(world: &World, node: &Node) -> Vec<usize> {
    node.class.map(|class| world.classes.rules_to(class)).unwrap_or_default()
}

/// One rule as a part, under its name; none when it opens nothing.
pub(crate) fn part(
    world: &World,
    node: &Node,
    rule: usize,
    sources: &mut dyn FnMut(usize) -> Arc<[String]>,
) -> Option<(String, Option<Vec<FilterRule>>)> {
    let dst_ports = destinations(world, node, rule);
    if dst_ports.is_empty() {
        return None;
    }
    let src_ips = sources(rule).to_vec();
    if src_ips.is_empty() {
        return None;
    }
    let rule = world.classes.compiled().rules().get(rule)?;
    let ip_proto = rule.protocols.clone();
    let rules = vec![FilterRule { src_ips, dst_ports, ip_proto, cap_grant: Vec::new() }];
    Some((rule.key.clone(), Some(rules)))
}

/// What of this node the rule opens, sorted.
pub(crate) fn destinations(world: &World, node: &Node, rule: usize) -> Vec<NetPortRange> {
    let Some(signature) = node.class.and_then(|c| world.classes.signature(c)) else { return Vec::new() };
    let mut out = Vec::new();
    for Destination { what, ports } in world.classes.compiled().opened(rule, signature) {
        for net in nets(node, what) {
            let range = |p: &policy::PortRange| PortRange { first: p.first, last: p.last };
            out.extend(ports.iter().map(|p| NetPortRange { ip: text(&net), ports: range(p) }));
        }
    }
    out.sort();
    out.dedup();
    out
}

fn nets(node: &Node, what: Target) -> Vec<IpNet> {
    let own = own_prefixes(node).into_iter();
    match what {
        Target::SelfAddresses => own.collect(),
        Target::Everything => own.chain(node.served_routes()).collect(),
        Target::Prefix(net) => own.chain(node.served_routes()).filter_map(|have| common(net, have)).collect(),
        Target::Internet => policy::internet(),
    }
}

/// What a prefix of a rule and one that the node has share. A rule about some network does not open it on every exit
/// node: only a rule about a whole family opens the exit route.
fn common(named: IpNet, have: IpNet) -> Option<IpNet> {
    if have.prefix_len() == 0 {
        return (named == have).then_some(have);
    }
    let longer = if named.contains(&have) { have } else { named };
    (named.contains(&have) || have.contains(&named)).then_some(longer.trunc())
}

fn text(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common_text(named: &str, have: &str) -> Option<String> {
        common(named.parse().unwrap(), have.parse().unwrap()).map(|net| net.to_string())
    }

    #[test]
    fn a_destination_is_never_wider_than_what_the_node_has() {
        assert_eq!(common_text("10.0.0.0/8", "10.1.0.0/16").as_deref(), Some("10.1.0.0/16"));
        assert_eq!(common_text("10.1.2.3/32", "10.1.0.0/16").as_deref(), Some("10.1.2.3/32"));
        assert_eq!(common_text("10.2.0.0/16", "10.1.0.0/16"), None);
        assert_eq!(common_text("10.0.0.0/8", "0.0.0.0/0"), None);
        assert_eq!(common_text("0.0.0.0/0", "0.0.0.0/0").as_deref(), Some("0.0.0.0/0"));
        assert_eq!(common_text("0.0.0.0/0", "fd00::/64"), None);
    }
}
