//! Addresses from a first to a last one.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

/// First and last address, of one family.
pub(crate) type Span = (IpAddr, IpAddr);

/// All addresses of a prefix.
pub(crate) fn of(net: &IpNet) -> Span {
    (net.network(), net.broadcast())
}

pub(crate) fn one(address: IpAddr) -> Span {
    (address, address)
}

pub(crate) fn meet(a: &Span, b: &Span) -> bool {
    a.0.is_ipv4() == b.0.is_ipv4() && a.0 <= b.1 && b.0 <= a.1
}

/// The first spans without the addresses of the second.
pub(crate) fn without(spans: &[Span], holes: &[Span]) -> Vec<Span> {
    let mut left = spans.to_vec();
    for hole in holes {
        let mut rest = Vec::new();
        for span in left {
            if !meet(&span, hole) {
                rest.push(span);
                continue;
            }
            rest.extend(
                before(hole.0).filter(|end| span.0 <= *end && span.0 < hole.0).map(|end| (span.0, end)),
            );
            rest.extend(
                after(hole.1).filter(|start| *start <= span.1 && span.1 > hole.1).map(|s| (s, span.1)),
            );
        }
        left = rest;
    }
    left
}

/// The fewest prefixes for each span.
pub(crate) fn nets(spans: &[Span]) -> Vec<IpNet> {
    let mut out = Vec::new();
    for span in spans {
        match *span {
            (IpAddr::V4(a), IpAddr::V4(b)) => out.extend(Ipv4Subnets::new(a, b, 0).map(IpNet::V4)),
            (IpAddr::V6(a), IpAddr::V6(b)) => out.extend(Ipv6Subnets::new(a, b, 0).map(IpNet::V6)),
            _ => {}
        }
    }
    out.sort();
    out.dedup();
    out
}

fn before(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(a) => u32::from(a).checked_sub(1).map(|n| IpAddr::V4(n.into())),
        IpAddr::V6(a) => u128::from(a).checked_sub(1).map(|n| IpAddr::V6(n.into())),
    }
}

fn after(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(a) => u32::from(a).checked_add(1).map(|n| IpAddr::V4(n.into())),
        IpAddr::V6(a) => u128::from(a).checked_add(1).map(|n| IpAddr::V6(n.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_leaves_what_is_around_it() {
        let net = |text: &str| of(&text.parse().unwrap());
        let left = without(&[net("10.0.0.0/30")], &[net("10.0.0.1/32")]);
        let texts: Vec<_> = nets(&left).iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["10.0.0.0/32", "10.0.0.2/31"]);
        assert!(without(&[net("10.0.0.0/30")], &[net("0.0.0.0/0")]).is_empty());
        assert_eq!(without(&[net("fd00::/64")], &[net("0.0.0.0/0")]).len(), 1);
    }
}
