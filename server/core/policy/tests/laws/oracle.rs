//! The policy read rule by rule and packet by packet: slow, and too simple to be wrong.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::worlds::{GROUPS, Node, POSTURES, Rule, TAGS, USERS, Who, World};

const PUBLIC_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1));
const PUBLIC_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0, 0, 0, 1));

#[derive(Debug, Clone, Copy)]
pub struct Packet {
    pub from: IpAddr,
    pub to: IpAddr,
    pub protocol: i32,
    pub port: u16,
}

impl World {
    /// Whether some packet of node a, or of a network behind it, may go to node b or behind it.
    pub fn reaches(&self, a: usize, b: usize) -> bool {
        self.packets(a, b).iter().any(|packet| self.allows(packet, a, b))
    }

    /// Packets from a (or behind it) to b (or behind it) that can make a difference.
    pub fn packets(&self, a: usize, b: usize) -> Vec<Packet> {
        let (from, to) = (self.sends(a), self.takes(b));
        let mut packets = Vec::new();
        for (from, to) in from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to))) {
            for (protocol, port) in [(6, 22), (6, 443), (17, 8080), (1, 0)] {
                packets.push(Packet { from, to, protocol, port });
            }
        }
        packets
    }

    /// Whether the policy allows the packet, which a sends or forwards and b takes or forwards.
    pub fn allows(&self, packet: &Packet, a: usize, b: usize) -> bool {
        self.rules.iter().any(|rule| {
            let router = &self.nodes[b];
            if let Some(via) = rule.via {
                let own = router.addresses().contains(&packet.to);
                if own || !router.tags.iter().any(|tag| tag.as_str() == TAGS[via]) {
                    return false;
                }
            }
            let from = self.is_source(rule, packet, &self.nodes[a]);
            let to = (0..rule.to.len()).any(|at| {
                let ports =
                    rule.ports(at).iter().any(|(first, last)| (*first..=*last).contains(&packet.port));
                let own = rule.to[at].0 == Who::Own && self.is_own(packet, a, b);
                ports && (own || is_to(rule.to[at].0, packet, &self.nodes[b]))
            });
            from && to && rule.protocols().contains(&packet.protocol)
        })
    }

    /// Whether the viewer may leave to the internet through the exit node's route.
    pub fn may_leave(&self, viewer: usize, router: usize, route: &IpNet) -> bool {
        let public =
            |packet: &Packet| [PUBLIC_V4, PUBLIC_V6].contains(&packet.to) && route.contains(&packet.to);
        self.packets(viewer, router)
            .iter()
            .any(|packet| public(packet) && self.allows(packet, viewer, router))
    }

    /// Whether one device of a person sends to another.
    fn is_own(&self, packet: &Packet, a: usize, b: usize) -> bool {
        let (from, to) = (&self.nodes[a], &self.nodes[b]);
        let between = from.addresses().contains(&packet.from) && to.addresses().contains(&packet.to);
        between && from.is_of_same_person(to)
    }

    /// Tags of the routers by which the viewer is sent into the route.
    pub fn sent_by(&self, viewer: usize, route: &IpNet) -> Vec<&'static str> {
        let covers = |net: &IpNet| net.contains(route) || route.contains(net);
        let rules = self.rules.iter().filter(|rule| {
            let to = rule.to.iter().filter_map(|(who, _)| who.nets()).flatten().any(|net| covers(&net));
            let packets = self.sends(viewer).into_iter();
            let mut packets = packets.map(|from| Packet { from, to: from, protocol: 6, port: 1 });
            to && packets.any(|p| self.is_source(rule, &p, &self.nodes[viewer]))
        });
        rules.filter_map(|rule| Some(TAGS[rule.via?])).collect()
    }

    fn sends(&self, node: usize) -> Vec<IpAddr> {
        self.sends_of(&self.nodes[node])
    }

    fn sends_of(&self, node: &Node) -> Vec<IpAddr> {
        let behind =
            self.points().into_iter().filter(|point| subnets(node).any(|route| route.contains(point)));
        node.addresses().into_iter().chain(behind).collect()
    }

    fn takes(&self, node: usize) -> Vec<IpAddr> {
        let node = &self.nodes[node];
        let mut points = self.sends_of(node);
        points.extend(exits(node).map(|exit| if exit.addr().is_ipv4() { PUBLIC_V4 } else { PUBLIC_V6 }));
        points
    }

    /// Behind a posture, a source is a device that has it, known as whoever it is.
    fn is_source(&self, rule: &Rule, packet: &Packet, sender: &Node) -> bool {
        if rule.postures.is_empty() {
            return rule.from.iter().any(|who| self.is_from(*who, packet, sender));
        }
        let fits = rule.postures.iter().any(|at| {
            let (_, systems, oldest) = POSTURES[*at];
            sender.like.is_some_and(|(os, minor)| systems.contains(&os) && minor >= oldest)
        });
        let own = sender.addresses().contains(&packet.from);
        fits && own && rule.from.iter().any(|who| *who == Who::Any || is(*who, sender))
    }

    fn is_from(&self, who: Who, packet: &Packet, sender: &Node) -> bool {
        let own = sender.addresses().contains(&packet.from);
        match who {
            Who::Any => own || self.nodes.iter().flat_map(subnets).any(|route| route.contains(&packet.from)),
            Who::Internet | Who::Own => false,
            _ => who
                .nets()
                .map_or(own && is(who, sender), |nets| nets.iter().any(|net| net.contains(&packet.from))),
        }
    }
}

fn is_to(who: Who, packet: &Packet, receiver: &Node) -> bool {
    let own = receiver.addresses().contains(&packet.to);
    let public = [PUBLIC_V4, PUBLIC_V6].contains(&packet.to);
    match who {
        Who::Any => true,
        Who::Internet => public,
        // A network is reached through an exit node only if it is a whole family.
        _ => who.nets().map_or(own && is(who, receiver), |nets| {
            nets.iter().any(|net| net.contains(&packet.to) && (!public || net.prefix_len() == 0))
        }),
    }
}

fn is(who: Who, node: &Node) -> bool {
    let owner = node.user.filter(|_| node.tags.is_empty());
    match who {
        Who::User(at) => owner == Some(at),
        Who::Group(at) => owner.is_some_and(|owner| GROUPS[at].1.contains(&owner)),
        Who::Tag(at) => node.tags.iter().any(|tag| tag.as_str() == TAGS[at]),
        Who::Member => owner.is_some(),
        Who::Tagged => !node.tags.is_empty(),
        Who::Domain => owner.is_some_and(|owner| USERS[owner].0.ends_with("@example.com")),
        Who::Any | Who::Net(_) | Who::Written(_) | Who::Internet | Who::Own => false,
    }
}

fn subnets(node: &Node) -> impl Iterator<Item = &IpNet> {
    node.routes.iter().filter(|route| route.prefix_len() > 0)
}

fn exits(node: &Node) -> impl Iterator<Item = &IpNet> {
    node.routes.iter().filter(|route| route.prefix_len() == 0)
}
