//! What a rule opens on one node.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::PortRange;

/// One thing a rule opens on a node, and the ports it opens there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// What is opened.
    pub what: Target,
    /// At least one range.
    pub ports: Vec<PortRange>,
}

/// What is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// `*`: every address, including the node's routes and, on an exit node, the internet. On the wire `*`.
    Everything,
    /// The node's own addresses, as /32 and /128.
    SelfAddresses,
    /// A prefix in the rule's own words that covers an address of the node or overlaps one of its approved routes.
    /// It may be wider than what the node serves; the reference sends it unchanged.
    Prefix(IpNet),
    /// The same from a first to a last address.
    Range(IpAddr, IpAddr),
    /// The internet, on an approved exit node: [`internet`].
    Internet,
}

/// Ranges that `autogroup:internet` opens on an exit node: all addresses but private, shared, link-local, loopback,
/// multicast and reserved ones.
pub fn internet() -> Vec<IpNet> {
    let v4 = ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"];
    let not_public = v4.into_iter().chain(["192.168.0.0/16", "224.0.0.0/3"]);
    let not_public: Vec<Ipv4Net> = not_public.filter_map(|text| text.parse().ok()).collect();
    let mut out = Vec::new();
    subtract(Ipv4Net::default(), &not_public, &mut out);
    // Global unicast; every other IPv6 range is local, multicast or unassigned.
    let global = Ipv6Net::new(std::net::Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
    out.extend(global.map(IpNet::V6));
    out
}

fn subtract(net: Ipv4Net, without: &[Ipv4Net], out: &mut Vec<IpNet>) {
    if without.iter().any(|hole| hole.contains(&net)) {
        return;
    }
    if !without.iter().any(|hole| net.contains(hole)) {
        out.push(net.into());
        return;
    }
    let halves = net.subnets(net.prefix_len() + 1).into_iter().flatten();
    halves.for_each(|half| subtract(half, without, out));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_internet_is_what_is_public() {
        let ranges = internet();
        let holds = |address: &str| {
            let address: std::net::IpAddr = address.parse().unwrap();
            ranges.iter().filter(|net| net.contains(&address)).count()
        };
        for public in ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.32.0.1", "223.255.255.255"]
        {
            assert_eq!(holds(public), 1, "{public}");
        }
        assert_eq!(holds("2606:4700::1111"), 1);
        for private in
            ["10.0.0.1", "100.64.0.1", "127.0.0.1", "192.168.1.1", "224.0.0.1", "fd7a:115c:a1e0::1"]
        {
            assert_eq!(holds(private), 0, "{private}");
        }
    }
}
