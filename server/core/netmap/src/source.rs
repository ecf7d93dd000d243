//! The sources of a rule, as few texts as possible.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use policy::{SourceRange, SourceSet};
use world::{ClassId, Members, Node, World};

/// Addresses from the first to the last, as numbers within one family.
type Run = (u128, u128);

/// The addresses that the rule lets in: those it names, those of nodes that are its sources, and for `*` the approved
/// subnets. Overlapping and adjacent ones are one; each is an address, a prefix or `first-last`; IPv4 first, ascending.
/// Every address there is is `*`.
pub fn sources(world: &World, rule: usize) -> Vec<String> {
    spelled(ranges(world, rule))
}

/// All that the sources of a rule depend on: of two that are the same, the sources are.
#[derive(Debug, Clone)]
pub struct Origin {
    fixed: SourceSet,
    classes: Vec<(ClassId, Members)>,
}

impl Origin {
    /// None where it cannot be told in few words: where routes count.
    pub fn of(world: &World, rule: usize) -> Option<Self> {
        let fixed = world.classes.compiled().sources_fixed(rule);
        let classes = world.nodes.classes().filter(|class| world.classes.is_source(*class, rule));
        let classes = classes.map(|class| (class, world.nodes.members(class)));
        (!fixed.approved_routes).then(|| Self { fixed: fixed.clone(), classes: classes.collect() })
    }

    /// Whether both are surely the same, be they of rules of different policies.
    pub fn is_same(&self, other: &Self) -> bool {
        let (a, b) = (&self.classes, &other.classes);
        let same =
            |((a, was), (b, now)): (&(ClassId, Members), &(ClassId, Members))| a == b && was.are_still(now);
        a.len() == b.len() && a.iter().zip(b).all(same) && self.fixed == other.fixed
    }
}

/// The addresses of the devices of the node's person that are the rule's sources, spelled in the same way; none for a
/// tagged node.
pub(crate) fn own_sources(world: &World, node: &Node, rule: usize) -> Vec<String> {
    let owner = node.owner.user();
    let devices = owner.into_iter().flat_map(|owner| world.nodes.owned_by(owner));
    let sources = devices.filter(|n| n.class.is_some_and(|class| world.classes.is_own_source(class, rule)));
    spelled(sources.flat_map(|n| addresses(n)).collect())
}

fn spelled(ranges: Vec<(IpAddr, IpAddr)>) -> Vec<String> {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for range in ranges {
        match range {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                v4.push((u32::from(first).into(), u32::from(last).into()))
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => v6.push((first.into(), last.into())),
            _ => {}
        }
    }
    let (v4, v6) = (merged(v4), merged(v6));
    if v4 == [(0, u32::MAX.into())] && v6 == [(0, u128::MAX)] {
        return vec!["*".to_owned()];
    }
    let v4 = v4.into_iter().map(|run| text(run, 32, |n| Ipv4Addr::from(n as u32).into()));
    let v6 = v6.into_iter().map(|run| text(run, 128, |n| Ipv6Addr::from(n).into()));
    v4.chain(v6).collect()
}

/// Whether the routes of nodes belong to the sources of the rule.
pub(crate) fn follows_routes(world: &World, rule: usize) -> bool {
    world.classes.compiled().sources_fixed(rule).approved_routes
}

/// Subnets of which the nodes behind are sources of rules for `*`.
pub(crate) fn approved_subnets(node: &Node) -> Vec<IpNet> {
    node.class.map(|_| node.subnet_routes().collect()).unwrap_or_default()
}

fn ranges(world: &World, rule: usize) -> Vec<(IpAddr, IpAddr)> {
    let compiled = world.classes.compiled();
    let fixed = compiled.sources_fixed(rule);
    let ends = |net: &IpNet| (net.network(), net.broadcast());
    let mut found: Vec<_> = fixed
        .ranges
        .iter()
        .map(|range| match range {
            SourceRange::Prefix(net) => ends(net),
            SourceRange::Span(first, last) => (*first, *last),
        })
        .collect();
    for class in world.nodes.classes().filter(|class| world.classes.is_source(*class, rule)) {
        found.extend(world.nodes.addresses_of(class));
    }
    if fixed.approved_routes {
        found.extend(world.nodes.routers().flat_map(|node| approved_subnets(node)).map(|net| ends(&net)));
    }
    found
}

fn addresses(node: &Node) -> [(IpAddr, IpAddr); 2] {
    [(node.v4.into(), node.v4.into()), (node.v6.into(), node.v6.into())]
}

fn merged(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_unstable();
    let mut out: Vec<Run> = Vec::new();
    for (first, last) in runs {
        match out.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => out.push((first, last)),
        }
    }
    out
}

fn text((first, last): Run, bits: u8, address: impl Fn(u128) -> IpAddr) -> String {
    let (from, to) = (address(first), address(last));
    if first == last {
        return from.to_string();
    }
    let host_bits = (last ^ first).count_ones();
    let length = bits - (host_bits as u8).min(bits);
    match IpNet::new(from, length) {
        Ok(net) if net.network() == from && net.broadcast() == to => net.to_string(),
        _ => format!("{from}-{to}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v4(n: u128) -> IpAddr {
        Ipv4Addr::from(n as u32).into()
    }

    #[test]
    fn runs_are_spelled_in_the_shortest_way() {
        assert_eq!(text((10, 10), 32, v4), "0.0.0.10");
        assert_eq!(text((8, 15), 32, v4), "0.0.0.8/29");
        assert_eq!(text((9, 15), 32, v4), "0.0.0.9-0.0.0.15");
        assert_eq!(text((0, u128::from(u32::MAX)), 32, v4), "0.0.0.0/0");
        assert_eq!(text((0, u128::MAX), 128, |n| Ipv6Addr::from(n).into()), "::/0");
    }

    proptest! {
        #[test]
        fn merging_keeps_the_set_and_leaves_gaps(runs in proptest::collection::vec((0..60u128, 0..5u128), 0..12)) {
            let runs: Vec<_> = runs.into_iter().map(|(first, more)| (first, first + more)).collect();
            let out = merged(runs.clone());
            let holds = |runs: &[Run], n| runs.iter().any(|(first, last)| (*first..=*last).contains(&n));
            for n in 0..70 {
                prop_assert_eq!(holds(&out, n), holds(&runs, n));
            }
            prop_assert!(out.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }
}
