//! Names that clients must find before the mesh is up, and what would keep them from it.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use crate::{Dns, Nameserver, World, is_within};

/// A name that clients must find before the mesh is up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bootstrap {
    /// In lower case, without a final dot. An address is in no danger.
    pub name: String,
    /// For people: `the control server`.
    pub what: String,
}

/// What would keep clients from one of the names, or from the host of a nameserver's URL, a sentence each. A nameserver
/// counts as within the mesh when its address is of the mesh, behind an approved subnet route, or private and behind a
/// route that some node offers.
pub fn dangers(world: &World, dns: &Dns, bootstrap: &[Bootstrap]) -> Vec<String> {
    let hosts = dns.settings.nameservers().filter_map(Nameserver::name);
    let hosts = hosts.map(|host| Bootstrap { name: host.to_owned(), what: "a nameserver's URL".to_owned() });
    let names: BTreeSet<_> = bootstrap.iter().cloned().chain(hosts).collect();
    let mesh = Mesh::of(world);
    let named = names.iter().filter(|name| name.name.parse::<IpAddr>().is_err());
    named.filter_map(|name| danger(world, dns, &mesh, name)).collect()
}

fn danger(world: &World, dns: &Dns, mesh: &Mesh, Bootstrap { name, what }: &Bootstrap) -> Option<String> {
    let domain = &world.settings.domain;
    if dns.settings.magic && is_within(name, domain) {
        return Some(format!("{name} ({what}) is in {domain}, for which MagicDNS answers"));
    }
    if dns.records.contains_key(name) || dns.watched.contains_key(name) {
        return Some(format!("{name} ({what}) would be answered by an extra record"));
    }
    let (suffix, servers) = dns.settings.asked_for(name);
    if servers.is_empty() || !servers.iter().all(|server| mesh.holds(server)) {
        return None;
    }
    let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
    let servers = servers.join(", ");
    let way = suffix.map_or("as global nameserver".to_owned(), |suffix| format!("as nameserver of {suffix}"));
    Some(format!("{name} ({what}) would be asked of {servers} {way}, only reachable through the mesh"))
}

/// What is reached through the mesh.
struct Mesh<'a> {
    domain: &'a str,
    served: BTreeSet<IpNet>,
    offered: BTreeSet<IpNet>,
}

impl<'a> Mesh<'a> {
    fn of(world: &'a World) -> Self {
        let subnet = |route: &IpNet| route.prefix_len() > 0;
        let served = world.nodes.iter().flat_map(|n| n.served_routes()).filter(subnet).collect();
        let offered = world.nodes.iter().flat_map(|n| n.hostinfo.routable_ips.clone()).filter(subnet);
        Self { domain: &world.settings.domain, served, offered: offered.collect() }
    }

    fn holds(&self, server: &Nameserver) -> bool {
        match (server.ip(), server.name()) {
            (Some(ip), _) => {
                let within = |routes: &BTreeSet<IpNet>| routes.iter().any(|route| route.contains(&ip));
                is_mesh(ip) || within(&self.served) || (is_private(ip) && within(&self.offered))
            }
            (None, Some(name)) => is_within(name, self.domain),
            (None, None) => false,
        }
    }
}

/// 100.64.0.0/10 and fd7a:115c:a1e0::/48.
fn is_mesh(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64,
        IpAddr::V6(ip) => ip.segments()[..3] == [0xfd7a, 0x115c, 0xa1e0],
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
