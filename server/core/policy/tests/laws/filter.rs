//! The packet filter of one node, put together from the compiled policy the way a server does it.

use std::net::IpAddr;

use ipnet::IpNet;
use policy::{Compiled, Policy, PortRange, Signature, SourceRange, Target};

use crate::{
    oracle::Packet,
    worlds::{Node, World},
};

pub struct Filter {
    rules: Vec<Rule>,
}

struct Rule {
    protocols: Vec<i32>,
    sources: Vec<SourceRange>,
    destinations: Vec<(SourceRange, Vec<PortRange>)>,
}

/// The world's policy, compiled, and the signatures of its nodes.
pub fn compiled(world: &World) -> (Compiled, Vec<Signature>) {
    let policy = Policy::parse(&world.text()).unwrap();
    let compiled = Compiled::compile(&policy);
    let signatures = world.nodes.iter().map(|node| compiled.signature(&node.subject())).collect();
    (compiled, signatures)
}

pub fn of(world: &World, compiled: &Compiled, signatures: &[Signature], node: usize) -> Filter {
    let (mut rules, own) = (Vec::new(), &signatures[node]);
    for (number, rule) in compiled.rules().iter().enumerate() {
        let protocols = rule.protocols.clone();
        if compiled.is_own_destination(own, number) {
            let ports = compiled.opened_to_own(number, own);
            let sources = world.nodes.iter().zip(signatures).filter(|(peer, signature)| {
                peer.is_of_same_person(&world.nodes[node]) && compiled.is_own_source(signature, number)
            });
            let sources = sources.flat_map(|(peer, _)| addresses(peer)).collect();
            let destinations = addresses(&world.nodes[node]).map(|address| (address, ports.clone())).to_vec();
            rules.push(Rule { protocols: protocols.clone(), sources, destinations });
        }
        if compiled.is_destination(own, number) {
            let sources = sources(world, compiled, signatures, number);
            rules.push(Rule {
                protocols,
                sources,
                destinations: destinations(world, compiled, number, node),
            });
        }
    }
    Filter { rules }
}

fn sources(world: &World, compiled: &Compiled, signatures: &[Signature], rule: usize) -> Vec<SourceRange> {
    let fixed = compiled.sources_fixed(rule);
    let mut sources = fixed.ranges.clone();
    let routes = world.nodes.iter().flat_map(|node| &node.routes).filter(|route| route.prefix_len() > 0);
    sources.extend(routes.filter(|_| fixed.approved_routes).map(|route| SourceRange::Prefix(*route)));
    for (peer, signature) in world.nodes.iter().zip(signatures) {
        let named = compiled.is_source(signature, rule);
        sources.extend(addresses(peer).into_iter().filter(|_| named));
    }
    sources
}

fn destinations(
    world: &World,
    compiled: &Compiled,
    rule: usize,
    node: usize,
) -> Vec<(SourceRange, Vec<PortRange>)> {
    let node = &world.nodes[node];
    let opened = compiled.destinations(rule, &node.subject()).into_iter().flat_map(|destination| {
        let whole: [IpNet; 2] = ["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
        let what: Vec<SourceRange> = match destination.what {
            Target::Everything => whole.map(SourceRange::Prefix).to_vec(),
            Target::SelfAddresses => addresses(node).to_vec(),
            Target::Prefix(net) => vec![SourceRange::Prefix(net)],
            Target::Range(first, last) => vec![SourceRange::Span(first, last)],
            Target::Internet => policy::internet().into_iter().map(SourceRange::Prefix).collect(),
        };
        what.into_iter().map(move |what| (what, destination.ports.clone()))
    });
    opened.collect()
}

fn addresses(node: &Node) -> [SourceRange; 2] {
    node.addresses().map(|address| SourceRange::Prefix(address.into()))
}

impl Filter {
    pub fn passes(&self, packet: &Packet) -> bool {
        self.rules.iter().any(|rule| {
            let by_default = rule.protocols.is_empty() && [6, 17, 1, 58].contains(&packet.protocol);
            let to = |(what, ports): &(SourceRange, Vec<PortRange>)| {
                let port = ports.iter().any(|range| (range.first..=range.last).contains(&packet.port));
                port && holds(what, packet.to)
            };
            (by_default || rule.protocols.contains(&packet.protocol))
                && rule.sources.iter().any(|source| holds(source, packet.from))
                && rule.destinations.iter().any(to)
        })
    }
}

fn holds(range: &SourceRange, address: IpAddr) -> bool {
    match range {
        SourceRange::Prefix(net) => net.contains(&address),
        SourceRange::Span(first, last) => {
            first.is_ipv4() == address.is_ipv4() && (*first..=*last).contains(&address)
        }
    }
}
