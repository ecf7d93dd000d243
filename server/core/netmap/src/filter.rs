//! What a node lets in. Every rule of the policy is a part of its own, so that only changed rules travel.

use std::{collections::BTreeMap, sync::Arc};

use ipnet::IpNet;
use policy::Target;
use wire::{CapGrant, CapMap, FilterRule, NetPortRange, PortRange};
use world::{Node, World};

use crate::{peer::own_prefixes, source::own_sources};

/// Parts of a packet filter by name; none deletes a part.
pub(crate) type Filters = BTreeMap<String, Option<Vec<FilterRule>>>;

/// The parts for this node: a part per rule that opens something on it or behind it. A rule without sources or
/// destinations has no part.
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

/// One rule as a part, under its name; none when it opens nothing. What it opens to devices of the same person stands
/// behind what it opens to others.
pub(crate) fn part(
    world: &World,
    node: &Node,
    rule: usize,
    sources: &mut dyn FnMut(usize) -> Arc<[String]>,
) -> Option<(String, Option<Vec<FilterRule>>)> {
    let key = world.classes.compiled().rules().get(rule)?.key.clone();
    let Opened { to_others, to_own } = opened(world, node, rule);
    let mut rules = Vec::new();
    if !to_others.is_nothing() {
        rules.extend(to_others.rule(sources(rule).to_vec()));
    }
    if !to_own.is_nothing() {
        rules.extend(to_own.rule(own_sources(world, node, rule)));
    }
    (!rules.is_empty()).then_some((key, Some(rules)))
}

/// What a rule opens on one node.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    to_others: Opening,
    to_own: Opening,
}

/// A rule of a filter without its sources.
#[derive(Debug, Default, PartialEq, Eq)]
struct Opening {
    dst_ports: Vec<NetPortRange>,
    ip_proto: Vec<i32>,
    cap_grant: Vec<CapGrant>,
}

impl Opening {
    fn is_nothing(&self) -> bool {
        self.dst_ports.is_empty() && self.cap_grant.is_empty()
    }

    /// None without sources.
    fn rule(self, src_ips: Vec<String>) -> Option<FilterRule> {
        let Self { dst_ports, ip_proto, cap_grant } = self;
        (!src_ips.is_empty()).then_some(FilterRule { src_ips, dst_ports, ip_proto, cap_grant })
    }
}

/// Whether the rule opens something on the node to its sources, be they whose devices they may.
pub(crate) fn opens_to_others(world: &World, node: &Node, rule: usize) -> bool {
    let signature = node.class.and_then(|class| world.classes.signature(class));
    signature.is_some_and(|signature| world.classes.compiled().is_destination(signature, rule))
}

/// Whether the rule opens something on the node to devices of the same person.
pub(crate) fn opens_to_own(world: &World, node: &Node, rule: usize) -> bool {
    let signature = node.class.and_then(|class| world.classes.signature(class));
    signature.is_some_and(|signature| world.classes.compiled().is_own_destination(signature, rule))
}

/// What of this node the rule opens.
pub(crate) fn opened(world: &World, node: &Node, rule: usize) -> Opened {
    let compiled = world.classes.compiled();
    let signature = node.class.and_then(|class| world.classes.signature(class));
    let Some((signature, what)) = signature.zip(compiled.rules().get(rule)) else { return Opened::default() };
    let others = compiled.opened(rule, signature);
    let is_own = compiled.is_own_destination(signature, rule);
    if let Some(caps) = &what.caps {
        let dsts = own_prefixes(node).into_iter().filter(|own| others.iter().any(|d| includes(d.what, own)));
        let own = own_prefixes(node).into_iter().filter(|_| is_own);
        return Opened { to_others: grant(dsts, caps), to_own: grant(own, caps) };
    }
    let ports = |dst_ports| Opening { dst_ports, ip_proto: what.protocols.clone(), ..Opening::default() };
    let others =
        others.iter().flat_map(|d| texts(node, d.what).into_iter().map(|ip| (ip, d.ports.as_slice())));
    let own = compiled.opened_to_own(rule, signature);
    let own = texts(node, Target::SelfAddresses).into_iter().map(|ip| (ip, own.as_slice()));
    Opened { to_others: ports(ranges(others)), to_own: ports(ranges(own)) }
}

fn ranges<'p>(opened: impl Iterator<Item = (String, &'p [policy::PortRange])>) -> Vec<NetPortRange> {
    let range = |p: &policy::PortRange| PortRange { first: p.first, last: p.last };
    let each = |(ip, ports): (String, &'p [policy::PortRange])| {
        ports.iter().map(move |p| NetPortRange { ip: ip.clone(), ports: range(p) })
    };
    let mut out: Vec<_> = opened.flat_map(each).collect();
    out.sort();
    out.dedup();
    out
}

fn grant(dsts: impl Iterator<Item = IpNet>, caps: &CapMap) -> Opening {
    let dsts: Vec<_> = dsts.collect();
    let cap_grant = Vec::from_iter((!dsts.is_empty()).then(|| CapGrant { dsts, cap_map: caps.clone() }));
    Opening { cap_grant, ..Opening::default() }
}

/// Whether a grant to applications of this destination is about this address of the node.
fn includes(what: Target, own: &IpNet) -> bool {
    match what {
        Target::Everything | Target::SelfAddresses => true,
        Target::Prefix(net) => net.contains(own),
        Target::Range(first, last) => {
            let address = own.addr();
            first.is_ipv4() == address.is_ipv4() && (first..=last).contains(&address)
        }
        Target::Internet => false,
    }
}

/// A destination as the reference writes it: networks in the rule's own words, though they may be wider than what the
/// node serves. The client takes only packets to what it has.
fn texts(node: &Node, what: Target) -> Vec<String> {
    match what {
        Target::Everything => vec!["*".to_owned()],
        Target::SelfAddresses => own_prefixes(node).iter().map(text).collect(),
        Target::Prefix(net) => vec![text(&net)],
        Target::Range(first, last) => vec![format!("{first}-{last}")],
        Target::Internet => policy::internet().iter().map(text).collect(),
    }
}

fn text(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}
