//! The packet filter of a node.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::Serialize;

use crate::{
    Device, PortRange, SourceRange,
    alias::Alias,
    answer::{
        Tailnet,
        members::{literals, overlaps},
    },
    compiled::IN_TURN,
    internet,
    policy::{Acl, App},
    source::span,
};

/// A rule as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FilterRule {
    /// Addresses, prefixes and ranges.
    #[serde(rename = "SrcIPs")]
    pub src_ips: BTreeSet<String>,
    /// What they reach.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dst_ports: Vec<Reached>,
    /// Protocol numbers; empty is what a client allows by default.
    #[serde(rename = "IPProto", skip_serializing_if = "Vec::is_empty")]
    pub ip_proto: Vec<i32>,
    /// What they may do in applications.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_grant: Vec<CapGrant>,
}

/// An address or prefix with ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// `*`, an address, a prefix or a range.
    #[serde(rename = "IP")]
    pub ip: String,
    /// Its ports.
    #[serde(rename = "Ports")]
    pub ports: PortSpan,
}

/// Ports from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PortSpan {
    /// Lowest port.
    pub first: u16,
    /// Highest port.
    pub last: u16,
}

/// Capabilities on addresses.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CapGrant {
    /// The node's addresses.
    pub dsts: Vec<IpNet>,
    /// Parameters by capability.
    pub cap_map: BTreeMap<String, serde_json::Value>,
}

impl Tailnet<'_> {
    pub(crate) fn filter(&self, node: &Device) -> Vec<FilterRule> {
        let mut rules = Vec::new();
        if self.policy.opens_all {
            rules.push(rule(self.texts(&Alias::Any), vec![reached("*".to_owned(), PortRange::ALL)], &[]));
        }
        for acl in &self.policy.acls {
            self.add_network(acl, node, &mut rules);
        }
        for app in &self.policy.apps {
            self.add_application(app, node, &mut rules);
        }
        merged(rules)
    }

    fn add_network(&self, acl: &Acl, node: &Device, rules: &mut Vec<FilterRule>) {
        if !acl.via.is_empty() && !acl.via.iter().any(|tag| node.tags.contains(tag)) {
            return;
        }
        let (mut open, mut own) = (Vec::new(), Vec::new());
        for (named, ports) in &acl.destinations {
            let is_own = named.alias == Alias::Own;
            let opened = match (&named.alias, acl.via.is_empty()) {
                (Alias::Own, true) if node.person().is_some() => addresses(node),
                (alias, true) => self.opened(alias, node),
                (alias, false) => routed(alias, node),
            };
            let list = if is_own { &mut own } else { &mut open };
            let each = |ip: String| ports.iter().map(move |range| reached(ip.clone(), *range));
            list.extend(opened.into_iter().flat_map(each));
        }
        let sources = acl.sources.iter().map(|named| &named.alias);
        let open_to = sources.clone().flat_map(|alias| self.texts(alias)).collect();
        rules.push(rule(open_to, open, &acl.protocols));
        rules.push(rule(self.owned_by_same(sources, node), own, &acl.protocols));
    }

    fn add_application(&self, app: &App, node: &Device, rules: &mut Vec<FilterRule>) {
        let (from, to) = (&app.sources, &app.destinations);
        self.add_caps(from, to, app.caps.clone(), node, rules);
        for (_, in_turn) in IN_TURN.iter().filter(|(cap, _)| app.caps.contains_key(*cap)) {
            let caps = BTreeMap::from([((*in_turn).to_owned(), serde_json::Value::Null)]);
            match to.contains(&Alias::Own) {
                true => self.add_caps(from, to, caps, node, rules),
                false => self.add_caps(to, from, caps, node, rules),
            }
        }
    }

    fn add_caps(
        &self,
        from: &[Alias],
        to: &[Alias],
        caps: BTreeMap<String, serde_json::Value>,
        node: &Device,
        rules: &mut Vec<FilterRule>,
    ) {
        let own = to.contains(&Alias::Own) && node.person().is_some();
        if own {
            let sources = self.owned_by_same(from.iter(), node);
            rules.push(grant(sources, addresses_as_nets(node), caps.clone()));
        }
        let dsts = self.granted(to, node);
        let sources = from.iter().flat_map(|alias| self.texts(alias)).collect();
        rules.push(grant(sources, dsts, caps));
    }

    /// What the alias opens on the node, as the reference writes it: in the policy's own words.
    fn opened(&self, alias: &Alias, node: &Device) -> Vec<String> {
        match alias {
            Alias::Any => vec!["*".to_owned()],
            Alias::Internet if node.is_exit_node() => internet().iter().map(text).collect(),
            Alias::Prefix(net) => Vec::from_iter(serves(node, alias).then(|| text(net))),
            Alias::Range(first, last) => {
                Vec::from_iter(serves(node, alias).then(|| SourceRange::Span(*first, *last).to_string()))
            }
            Alias::Set(nets) => {
                nets.iter().filter(|net| serves(node, &Alias::Prefix(**net))).map(text).collect()
            }
            _ if self.names(alias, node) => addresses(node),
            _ => Vec::new(),
        }
    }

    /// The node's part of the destinations of a grant to applications.
    fn granted(&self, to: &[Alias], node: &Device) -> Vec<IpNet> {
        if to.iter().any(|alias| *alias == Alias::Any || self.names(alias, node)) {
            return addresses_as_nets(node);
        }
        let spans: Vec<span::Span> = to.iter().flat_map(literals).collect();
        let own = addresses_as_nets(node).into_iter();
        own.filter(|net| spans.iter().any(|span| span::meet(span, &span::of(net)))).collect()
    }

    /// Addresses of the devices of the node's owner that the aliases include.
    fn owned_by_same<'s>(
        &self,
        aliases: impl Iterator<Item = &'s Alias> + Clone,
        node: &Device,
    ) -> BTreeSet<String> {
        let Some(owner) = node.person() else { return BTreeSet::new() };
        let devices = self.roster.devices.iter().filter(|device| device.person() == Some(owner));
        let devices = devices.filter(|device| aliases.clone().any(|alias| self.means(alias, device)));
        devices.flat_map(addresses).collect()
    }
}

/// Whether the prefix or range covers an address of the node or shares one with a subnet behind it.
fn serves(node: &Device, alias: &Alias) -> bool {
    let own = addresses_as_nets(node);
    own.iter().chain(node.subnets()).any(|net| overlaps(alias, net))
}

/// What a router opens of a rule that names it: subnets, and the internet of an exit node.
fn routed(alias: &Alias, node: &Device) -> Vec<String> {
    let behind = |alias: &Alias| node.subnets().any(|net| overlaps(alias, net));
    match alias {
        Alias::Internet if node.is_exit_node() => internet().iter().map(text).collect(),
        Alias::Prefix(net) if behind(alias) => vec![text(net)],
        Alias::Range(first, last) if behind(alias) => vec![SourceRange::Span(*first, *last).to_string()],
        Alias::Set(nets) => nets.iter().filter(|net| behind(&Alias::Prefix(**net))).map(text).collect(),
        _ => Vec::new(),
    }
}

fn addresses(node: &Device) -> Vec<String> {
    node.addresses().iter().map(ToString::to_string).collect()
}

pub(super) fn addresses_as_nets(node: &Device) -> Vec<IpNet> {
    node.addresses().into_iter().map(IpNet::from).collect()
}

fn text(net: &IpNet) -> String {
    SourceRange::Prefix(*net).to_string()
}

fn reached(ip: String, PortRange { first, last }: PortRange) -> Reached {
    Reached { ip, ports: PortSpan { first, last } }
}

fn rule(src_ips: BTreeSet<String>, dst_ports: Vec<Reached>, protocols: &[i32]) -> FilterRule {
    FilterRule { src_ips, dst_ports, ip_proto: protocols.to_vec(), cap_grant: Vec::new() }
}

fn grant(
    src_ips: BTreeSet<String>,
    dsts: Vec<IpNet>,
    cap_map: BTreeMap<String, serde_json::Value>,
) -> FilterRule {
    let cap_grant = Vec::from_iter((!dsts.is_empty()).then_some(CapGrant { dsts, cap_map }));
    FilterRule { src_ips, dst_ports: Vec::new(), ip_proto: Vec::new(), cap_grant }
}

/// Without rules that say nothing; rules with the same sources and protocols are one, where the first stood.
fn merged(rules: Vec<FilterRule>) -> Vec<FilterRule> {
    let mut out: Vec<FilterRule> = Vec::new();
    for rule in rules {
        if rule.src_ips.is_empty() || (rule.dst_ports.is_empty() && rule.cap_grant.is_empty()) {
            continue;
        }
        let same = |known: &&mut FilterRule| {
            known.src_ips == rule.src_ips && known.ip_proto == rule.ip_proto && known.cap_grant.is_empty()
        };
        match out.iter_mut().find(same).filter(|_| rule.cap_grant.is_empty()) {
            Some(known) => known.dst_ports.extend(rule.dst_ports),
            None => out.push(rule),
        }
    }
    out
}
