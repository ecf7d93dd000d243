//! The policy read rule by rule and packet by packet.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use crate::tailnet::{CAPS, GROUPS, LITERALS, Node, PEOPLE, PORTS, ROLES, ROUTES, Rule, SET, Tailnet, Who};

#[derive(Debug, Clone, Copy)]
pub struct Packet {
    pub from: IpAddr,
    pub to: IpAddr,
    pub protocol: i32,
    pub port: u16,
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Whether an alias names the address itself.
fn literally(who: Who, address: IpAddr) -> bool {
    let within = |(first, last): (&str, &str)| {
        let (first, last) = (ip(first), ip(last));
        first.is_ipv4() == address.is_ipv4() && (first..=last).contains(&address)
    };
    match who {
        Who::Anywhere => true,
        Who::Literal(at) => within((LITERALS[at].1, LITERALS[at].2)),
        Who::Set => SET.1.into_iter().any(within),
        _ => false,
    }
}

/// Whether an alias means the node by what it is.
fn is(who: Who, node: &Node) -> bool {
    let person = node.person();
    match who {
        Who::Person(at) => person == Some(at),
        Who::Group(at) => person.is_some_and(|person| GROUPS[at].1.contains(&person)),
        Who::Domain => person.is_some_and(|person| PEOPLE[person].1 == "example.com"),
        Who::Role(at) => person.is_some_and(|person| PEOPLE[person].2.contains(&ROLES[at])),
        Who::Member => person.is_some(),
        Who::Tagged => person.is_none(),
        Who::Tag(at) => node.tags.contains(&at),
        _ => false,
    }
}

impl Node {
    /// A device with tags is nobody's.
    fn person(&self) -> Option<usize> {
        self.tags.is_empty().then_some(self.owner)
    }
    fn subnets(&self) -> impl Iterator<Item = &IpNet> {
        self.routes.iter().filter(|route| route.prefix_len() > 0)
    }
    fn is_exit(&self) -> bool {
        self.routes.iter().any(|route| route.prefix_len() == 0)
    }
}

impl Tailnet {
    /// Every address in the networks that can make a difference: something begins there.
    fn points(&self) -> impl Iterator<Item = IpAddr> {
        let literals = LITERALS.iter().map(|literal| ip(literal.1));
        let set = SET.1.iter().map(|(first, _)| ip(first));
        let routes =
            ROUTES.iter().map(|route| route.parse::<IpNet>().unwrap()).filter(|route| route.prefix_len() > 0);
        literals.chain(set).chain(routes.map(|route| route.network()))
    }

    /// Addresses of the node and of what is behind it.
    fn ends(&self, node: usize) -> Vec<IpAddr> {
        let behind =
            self.points().filter(|point| self.nodes[node].subnets().any(|route| route.contains(point)));
        self.addresses(node).into_iter().chain(behind).collect()
    }

    /// Packets from a, or from behind it, to b or behind it.
    pub fn packets(&self, a: usize, b: usize) -> Vec<Packet> {
        let mut packets = Vec::new();
        for (from, to) in
            self.ends(a).iter().flat_map(|from| self.ends(b).into_iter().map(move |to| (*from, to)))
        {
            let kinds = [(6, 22), (6, 443), (17, 22), (17, 8080), (1, 0), (132, 22)];
            packets.extend(kinds.map(|(protocol, port)| Packet { from, to, protocol, port }));
        }
        packets
    }

    /// Whether some rule lets the packet into this node.
    pub fn allows(&self, packet: &Packet, node: usize) -> bool {
        self.rules.iter().any(|rule| {
            let speaks =
                if rule.tcp_only { packet.protocol == 6 } else { [6, 17, 1, 58].contains(&packet.protocol) };
            let open = rule.ports.is_some_and(|at| {
                PORTS[at].1.iter().any(|(first, last)| (*first..=*last).contains(&packet.port))
            });
            speaks && open && rule.to.iter().any(|to| self.is_let_in(rule, *to, packet.from, packet.to, node))
        })
    }

    fn is_let_in(&self, rule: &Rule, to: Who, from: IpAddr, address: IpAddr, node: usize) -> bool {
        let receiver = &self.nodes[node];
        if !rule.via.is_empty() {
            // A router carries what lies behind it, and is no destination itself.
            let carries = receiver.tags.iter().any(|tag| rule.via.contains(tag))
                && receiver.subnets().any(|route| route.contains(&address));
            return carries && to != Who::Any && literally(to, address) && self.is_source(rule, from);
        }
        let own = self.addresses(node).contains(&address);
        match to {
            Who::Any => self.is_source(rule, from),
            Who::Own => own && self.is_same_person(rule, from, receiver),
            Who::Internet => false,
            // A network that has nothing to do with the node stays out of its filter.
            _ => {
                let named = (own && is(to, receiver)) || (literally(to, address) && self.touches(to, node));
                named && self.is_source(rule, from)
            }
        }
    }

    fn touches(&self, who: Who, node: usize) -> bool {
        self.ends(node).into_iter().any(|end| literally(who, end))
    }

    /// Whether the address belongs to those from whom the rule lets in.
    fn is_source(&self, rule: &Rule, from: IpAddr) -> bool {
        rule.from.iter().any(|who| self.is_from(*who, from))
    }

    fn is_from(&self, who: Who, from: IpAddr) -> bool {
        let sender = (0..self.nodes.len()).find(|node| self.addresses(*node).contains(&from));
        match who {
            Who::Any => {
                sender.is_some()
                    || self.nodes.iter().flat_map(Node::subnets).any(|route| route.contains(&from))
            }
            _ => literally(who, from) || sender.is_some_and(|sender| is(who, &self.nodes[sender])),
        }
    }

    fn is_same_person(&self, rule: &Rule, from: IpAddr, receiver: &Node) -> bool {
        let sender = (0..self.nodes.len()).find(|node| self.addresses(*node).contains(&from));
        sender.is_some_and(|sender| {
            let sender = &self.nodes[sender];
            sender.person().is_some()
                && sender.person() == receiver.person()
                && rule.from.iter().any(|who| is(*who, sender))
        })
    }

    /// Whether a, or something behind it, may say something to b or to something that b leads to.
    pub fn may_talk(&self, a: usize, b: usize) -> bool {
        self.rules.iter().any(|rule| {
            let network = rule.ports.is_some() && self.is_led(rule, &rule.via, a, b);
            // An application is told of on a node, so `via` has no meaning for it.
            network || (rule.cap.is_some() && self.is_led(rule, &[], a, b))
        })
    }

    fn is_led(&self, rule: &Rule, via: &[usize], a: usize, b: usize) -> bool {
        let receiver = &self.nodes[b];
        let sends = |from: &IpAddr| self.is_source(rule, *from);
        let takes = |who: &Who| match who {
            Who::Internet => receiver.is_exit(),
            Who::Any => via.is_empty(),
            _ if via.is_empty() => is(*who, receiver) || self.touches(*who, b),
            _ => self.ends(b).into_iter().skip(2).any(|end| literally(*who, end)),
        };
        let carried = via.is_empty() || receiver.tags.iter().any(|tag| via.contains(tag));
        let other = carried && self.ends(a).iter().any(sends) && rule.to.iter().any(takes);
        let own = rule.to.contains(&Who::Own)
            && via.is_empty()
            && self.addresses(a).into_iter().any(|from| self.is_same_person(rule, from, receiver));
        other || own
    }

    /// Names of the capabilities that whoever has `from` has on the node's address `to`.
    pub fn granted(&self, from: IpAddr, to: IpAddr, node: usize) -> BTreeSet<String> {
        let mut caps = BTreeSet::new();
        for rule in &self.rules {
            let Some(cap) = rule.cap else { continue };
            if self.is_granted(rule, from, to, node) {
                caps.insert(CAPS[cap].to_owned());
            }
            if CAPS[cap] == "tailscale.com/cap/drive" && self.is_granted_in_turn(rule, from, to, node) {
                caps.insert("tailscale.com/cap/drive-sharer".to_owned());
            }
        }
        caps
    }

    fn is_granted(&self, rule: &Rule, from: IpAddr, to: IpAddr, node: usize) -> bool {
        let receiver = &self.nodes[node];
        let whole = rule.to.iter().any(|who| *who == Who::Any || is(*who, receiver));
        let here = whole || rule.to.iter().any(|who| literally(*who, to));
        let own = rule.to.contains(&Who::Own) && self.is_same_person(rule, from, receiver);
        own || (here && self.is_source(rule, from))
    }

    /// The other side hears of it, too: with the sides exchanged, unless the rule is about one's own devices.
    fn is_granted_in_turn(&self, rule: &Rule, from: IpAddr, to: IpAddr, node: usize) -> bool {
        if rule.to.contains(&Who::Own) {
            return self.is_granted(rule, from, to, node);
        }
        let turned = Rule { from: rule.to.clone(), to: rule.from.clone(), ..rule.clone() };
        self.is_granted(&turned, from, to, node)
    }

    /// Whether the viewer may use the internet through the node.
    pub fn may_leave(&self, viewer: usize, exit: usize) -> bool {
        self.rules.iter().any(|rule| {
            let by =
                |via: &[usize]| via.is_empty() || self.nodes[exit].tags.iter().any(|tag| via.contains(tag));
            let wide = rule.to.iter().any(|who| matches!(who, Who::Any | Who::Internet));
            let network = rule.ports.is_some() && by(&rule.via);
            let application = rule.cap.is_some();
            (network || application)
                && wide
                && self.ends(viewer).into_iter().any(|from| self.is_source(rule, from))
        })
    }

    /// Whether the viewer, or something behind it, may talk with something in the network, or serves it itself.
    pub fn uses(&self, viewer: usize, route: &IpNet) -> bool {
        let inside: Vec<IpAddr> = self.points().filter(|point| route.contains(point)).collect();
        let covers = |who: &Who| *who == Who::Any || inside.iter().any(|point| literally(*who, *point));
        let serves = self.nodes[viewer].subnets().any(|own| own == route);
        serves
            || self.rules.iter().any(|rule| {
                let there = rule.to.iter().any(covers)
                    && self.ends(viewer).into_iter().any(|from| self.is_source(rule, from));
                let via: &[usize] = if rule.ports.is_some() { &rule.via } else { &[] };
                let home = rule.from.iter().any(covers) && self.is_opened(rule, via, viewer);
                let home_by_application =
                    rule.cap.is_some() && rule.from.iter().any(covers) && self.is_opened(rule, &[], viewer);
                there || home || home_by_application
            })
    }

    /// Whether the rule opens something of the node, whoever asks.
    fn is_opened(&self, rule: &Rule, via: &[usize], node: usize) -> bool {
        let receiver = &self.nodes[node];
        let takes = |who: &Who| match who {
            Who::Internet => receiver.is_exit(),
            Who::Any => via.is_empty(),
            _ if via.is_empty() => is(*who, receiver) || self.touches(*who, node),
            _ => self.ends(node).into_iter().skip(2).any(|end| literally(*who, end)),
        };
        let carried = via.is_empty() || receiver.tags.iter().any(|tag| via.contains(tag));
        carried && rule.to.iter().any(takes)
    }

    /// The first router of the network; of those that a rule sends the viewer by, where one does.
    pub fn in_charge(&self, viewer: usize, route: &IpNet) -> Option<usize> {
        let inside: Vec<IpAddr> = self.points().filter(|point| route.contains(point)).collect();
        let covers = |who: &Who| *who == Who::Any || inside.iter().any(|point| literally(*who, *point));
        let sent = self.rules.iter().filter(|rule| {
            let mine = self.ends(viewer).into_iter().any(|from| self.is_source(rule, from));
            rule.ports.is_some() && mine && rule.to.iter().any(covers)
        });
        let tags: BTreeSet<usize> = sent.flat_map(|rule| rule.via.iter().copied()).collect();
        let mut serving = (0..self.nodes.len()).filter(|node| self.nodes[*node].routes.contains(route));
        serving.find(|node| tags.is_empty() || self.nodes[*node].tags.iter().any(|tag| tags.contains(tag)))
    }
}
