//! A view read as its client reads it: texts of addresses, ports, protocols.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use policy::View;

use crate::oracle::Packet;

/// Whether the client lets the packet in.
pub fn passes(view: &View, packet: &Packet) -> bool {
    view.filter.iter().any(|rule| {
        let protocol = match rule.ip_proto.as_slice() {
            [] => [6, 17, 1, 58].contains(&packet.protocol),
            listed => listed.contains(&packet.protocol),
        };
        let to = |reached: &policy::Reached| {
            holds(&reached.ip, packet.to) && (reached.ports.first..=reached.ports.last).contains(&packet.port)
        };
        protocol && rule.src_ips.iter().any(|text| holds(text, packet.from)) && rule.dst_ports.iter().any(to)
    })
}

/// Capabilities of whoever has the one address on the other.
pub fn granted(view: &View, from: IpAddr, to: IpAddr) -> BTreeSet<String> {
    let rules = view.filter.iter().filter(|rule| rule.src_ips.iter().any(|text| holds(text, from)));
    let grants =
        rules.flat_map(|rule| &rule.cap_grant).filter(|grant| grant.dsts.iter().any(|net| net.contains(&to)));
    grants.flat_map(|grant| grant.cap_map.keys().cloned()).collect()
}

fn holds(text: &str, address: IpAddr) -> bool {
    if text == "*" {
        return true;
    }
    if let Some((first, last)) = text.split_once('-') {
        let (first, last): (IpAddr, IpAddr) = (first.parse().unwrap(), last.parse().unwrap());
        return first.is_ipv4() == address.is_ipv4() && (first..=last).contains(&address);
    }
    match text.parse::<IpAddr>() {
        Ok(one) => one == address,
        Err(_) => text.parse::<IpNet>().unwrap().contains(&address),
    }
}
