//! What a node's resolver is told.

use std::{collections::BTreeMap, net::IpAddr};

use wire::{DnsConfig, DnsRecord, Resolver};
use world::{Nameserver, Node, Records, World};

use super::nextdns::NextDns;
use crate::Span;

/// The resolver's configuration: MagicDNS with the tailnet's domain first in the search list, nameservers, split DNS,
/// extra names. Global nameservers that do not take the place of a machine's own are fallbacks. It is the same for every
/// node but for the URLs of NextDNS.
pub fn dns(world: &World, viewer: &Node) -> DnsConfig {
    let settings = &world.dns.settings;
    let nextdns = NextDns::of(world, viewer);
    let resolvers = |servers: &[Nameserver]| resolvers(servers, nextdns.as_ref());
    let global = resolvers(&settings.resolvers);
    let (nameservers, fallback_resolvers) =
        if settings.override_local { (global, Vec::new()) } else { (Vec::new(), global) };
    let own = settings.magic.then(|| world.settings.domain.clone());
    let search = settings.search.iter().filter(|domain| Some(*domain) != own.as_ref()).cloned();
    DnsConfig {
        resolvers: nameservers,
        fallback_resolvers,
        routes: settings.split.iter().map(|(suffix, to)| (suffix.clone(), resolvers(to))).collect(),
        domains: own.iter().cloned().chain(search).collect(),
        proxied: settings.magic,
        extra_records: records(&world.dns.records, &world.dns.watched),
        ..DnsConfig::default()
    }
}

impl Span {
    /// Whether all resolvers are told something else.
    pub fn changes_dns(&self) -> bool {
        self.dns && self.old.dns != self.new.dns
    }

    /// Whether the resolver of this node is told something else.
    pub(crate) fn changes_dns_of(&self, was: Option<&Node>, now: &Node) -> bool {
        let may_differ = self.touches(now.id) || self.changes_policy();
        let differs = || was.and_then(|was| NextDns::of(&self.old, was)) != NextDns::of(&self.new, now);
        self.changes_dns() || (may_differ && differs())
    }
}

fn resolvers(servers: &[Nameserver], nextdns: Option<&NextDns>) -> Vec<Resolver> {
    let address = |server: &Nameserver| nextdns.map_or_else(|| server.to_string(), |own| own.address(server));
    servers.iter().map(|server| Resolver { addr: address(server), ..Resolver::default() }).collect()
}

/// A name that was set by command is not looked up in the file.
fn records(set: &Records, watched: &Records) -> Vec<DnsRecord> {
    let all: BTreeMap<_, _> = watched.iter().chain(set).collect();
    let record = |(name, value): (&String, &IpAddr)| DnsRecord {
        name: name.clone(),
        kind: if value.is_ipv4() { "A" } else { "AAAA" }.to_owned(),
        value: value.to_string(),
    };
    all.into_iter().flat_map(|(name, values)| values.iter().map(move |value| record((name, value)))).collect()
}
