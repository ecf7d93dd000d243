//! Protocols and ports as sets, so that what one rule opens can be taken from what another does.

use std::{collections::BTreeMap, fmt};

use ident::Tag;

use crate::{PortRange, protocol};

/// What a rule without a protocol opens: ICMP, TCP, UDP, ICMPv6.
const USUAL: [i32; 4] = [1, 6, 17, 58];

/// Ports, ascending, neither touching nor overlapping. Port 0 is no port.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PortSet(Vec<(u16, u16)>);

/// One protocol, by these routers or, when none are named, by any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Lane {
    via: Vec<Tag>,
    protocol: i32,
}

/// What may pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Traffic(BTreeMap<Lane, PortSet>);

impl PortSet {
    pub(crate) fn of(ranges: &[PortRange]) -> Self {
        let mut spans: Vec<_> = ranges.iter().map(|range| (range.first.max(1), range.last.max(1))).collect();
        spans.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::new();
        for (first, last) in spans {
            match merged.last_mut() {
                Some(known) if first <= known.1.saturating_add(1) => known.1 = known.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    pub(crate) fn all() -> Self {
        Self(vec![(1, u16::MAX)])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn holds(&self, port: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&port))
    }

    fn minus(&self, holes: &Self) -> Self {
        let mut left = self.0.clone();
        for (from, to) in &holes.0 {
            let mut rest = Vec::new();
            for (first, last) in left {
                if *to < first || last < *from {
                    rest.push((first, last));
                    continue;
                }
                if first < *from {
                    rest.push((first, from - 1));
                }
                if *to < last {
                    rest.push((to + 1, last));
                }
            }
            left = rest;
        }
        Self(left)
    }

    fn plus(&self, more: &Self) -> Self {
        let range = |(first, last): &(u16, u16)| PortRange { first: *first, last: *last };
        Self::of(&self.0.iter().chain(&more.0).map(range).collect::<Vec<_>>())
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::all() {
            return f.write_str("*");
        }
        let texts = self.0.iter().map(|(first, last)| PortRange { first: *first, last: *last }.to_string());
        f.write_str(&texts.collect::<Vec<_>>().join(","))
    }
}

impl Traffic {
    pub(crate) fn of(protocols: &[i32], ports: &[PortRange], via: &[Tag]) -> Self {
        let ports = PortSet::of(ports);
        let protocols = if protocols.is_empty() { &USUAL } else { protocols };
        let lanes = protocols.iter().map(|protocol| {
            let mut via = via.to_vec();
            via.sort_unstable();
            let set = if protocol::has_ports(*protocol) { ports.clone() } else { PortSet::all() };
            (Lane { via, protocol: *protocol }, set)
        });
        Self(lanes.filter(|(_, ports)| !ports.is_empty()).collect())
    }

    /// Whether everything may pass, by whatever router.
    pub(crate) fn is_all(&self) -> bool {
        USUAL.iter().all(|protocol| {
            let lane = Lane { via: Vec::new(), protocol: *protocol };
            self.0.get(&lane).is_some_and(|ports| *ports == PortSet::all())
        })
    }

    /// Whether it may pass; without a port, whether some port of the protocol may; without a protocol, any.
    pub(crate) fn holds(&self, protocol: Option<i32>, port: Option<u16>) -> bool {
        self.0.iter().any(|(lane, ports)| {
            let speaks = protocol.is_none_or(|wanted| wanted == lane.protocol);
            let opens = port.is_none_or(|port| protocol::has_ports(lane.protocol) && ports.holds(port));
            speaks && opens
        })
    }

    pub(crate) fn add(&mut self, more: &Self) {
        for (lane, ports) in &more.0 {
            let known = self.0.entry(lane.clone()).or_default();
            *known = known.plus(ports);
        }
    }

    /// What passes here and does not pass there.
    pub(crate) fn minus(&self, known: &Self) -> Self {
        let mut left = self.clone();
        for (lane, ports) in &mut left.0 {
            for (_, open) in known.0.iter().filter(|(other, _)| other.covers(lane)) {
                *ports = ports.minus(open);
            }
        }
        left.0.retain(|_, ports| !ports.is_empty());
        left
    }
}

impl Lane {
    fn covers(&self, other: &Self) -> bool {
        let within = || !other.via.is_empty() && other.via.iter().all(|tag| self.via.contains(tag));
        self.protocol == other.protocol && (self.via.is_empty() || within())
    }
}

/// Only ports where the protocols are the usual ones: `22`, `*`; otherwise `udp 53`, `icmp`; several with `; `.
impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut by_router: BTreeMap<&[Tag], BTreeMap<i32, &PortSet>> = BTreeMap::new();
        for (lane, ports) in &self.0 {
            by_router.entry(&lane.via).or_default().insert(lane.protocol, ports);
        }
        let texts = by_router.into_iter().map(|(via, lanes)| {
            let via: Vec<_> = via.iter().map(Tag::as_str).collect();
            let by = if via.is_empty() { String::new() } else { format!(" via {}", via.join(",")) };
            format!("{}{by}", lanes_text(&lanes))
        });
        f.write_str(&texts.collect::<Vec<_>>().join("; "))
    }
}

fn lanes_text(lanes: &BTreeMap<i32, &PortSet>) -> String {
    if lanes.keys().eq(&USUAL) && lanes.get(&6) == lanes.get(&17) {
        return lanes.get(&6).map(ToString::to_string).unwrap_or_default();
    }
    let mut by_ports: BTreeMap<Option<&PortSet>, Vec<i32>> = BTreeMap::new();
    for (protocol, ports) in lanes {
        by_ports.entry(protocol::has_ports(*protocol).then_some(*ports)).or_default().push(*protocol);
    }
    let text = |(ports, protocols): (Option<&PortSet>, Vec<i32>)| {
        let name = protocol::name(&protocols);
        ports.map_or_else(|| name.clone(), |ports| format!("{name} {ports}"))
    };
    by_ports.into_iter().rev().map(text).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(text: &str) -> Vec<PortRange> {
        PortRange::parse_list(text).unwrap()
    }

    #[test]
    fn words_are_as_short_as_they_can_be() {
        for (protocols, list, text) in [
            (vec![], "*", "*"),
            (vec![], "22,80-443", "22,80-443"),
            (vec![6], "22", "tcp 22"),
            (vec![6, 17], "1-65535", "tcp,udp *"),
            (vec![1], "*", "icmp"),
        ] {
            assert_eq!(Traffic::of(&protocols, &ports(list), &[]).to_string(), text);
        }
    }

    #[test]
    fn what_is_known_is_taken_away() {
        let minus = |a: &str, b: &str| {
            Traffic::of(&[6], &ports(a), &[]).minus(&Traffic::of(&[], &ports(b), &[])).to_string()
        };
        assert_eq!(minus("20-30", "22"), "tcp 20-21,23-30");
        assert_eq!(minus("22", "*"), "");
        assert_eq!(minus("*", "1-65535"), "");
        assert_eq!(minus("1,65535", "2-65534"), "tcp 1,65535");
        let all = Traffic::of(&[], &ports("22"), &[]);
        assert_eq!(all.minus(&Traffic::of(&[6], &ports("22"), &[])).to_string(), "udp 22; icmp,ipv6-icmp");
    }

    #[test]
    fn another_router_is_another_way() {
        let via = |name: &str| vec![name.parse::<Tag>().unwrap()];
        let by = |via: &[Tag]| Traffic::of(&[6], &ports("22"), via);
        let two = [via("tag:a"), via("tag:b")].concat();
        assert_eq!(by(&via("tag:a")).minus(&by(&[])), Traffic::default());
        assert_eq!(by(&via("tag:a")).minus(&by(&two)), Traffic::default());
        assert_eq!(by(&[]).minus(&by(&via("tag:a"))).to_string(), "tcp 22");
        assert_eq!(by(&two).minus(&by(&via("tag:a"))).to_string(), "tcp 22 via tag:a,tag:b");
    }
}
