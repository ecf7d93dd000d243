//! What a node's resolver is told.

use std::{collections::BTreeMap, net::IpAddr};

use wire::{DnsConfig, DnsRecord, Resolver};
use world::{Nameserver, Records, World};

use crate::Span;

/// The resolver's configuration, the same for every node: MagicDNS with the tailnet's domain first in the search list,
/// nameservers, split DNS, extra names. Global nameservers that do not take the place of a machine's own are fallbacks.
pub fn dns(world: &World) -> DnsConfig {
    let settings = &world.dns.settings;
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
    /// Whether resolvers are told something else.
    pub fn changes_dns(&self) -> bool {
        self.dns && self.old.dns != self.new.dns
    }
}

fn resolvers(servers: &[Nameserver]) -> Vec<Resolver> {
    servers.iter().map(|server| Resolver { addr: server.to_string(), ..Resolver::default() }).collect()
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
