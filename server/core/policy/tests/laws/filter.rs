//! The packet filter of one node, put together from the compiled policy the way a server does it.

use std::net::IpAddr;

use ipnet::IpNet;
use policy::{Compiled, Policy, PortRange, Signature, SourceRange, Target};

use crate::{oracle::Packet, worlds::World};

pub struct Filter {
    rules: Vec<Rule>,
}

struct Rule {
    protocols: Vec<i32>,
    sources: Vec<SourceRange>,
    destinations: Vec<(IpNet, Vec<PortRange>)>,
}

/// The world's policy, compiled, and the signatures of its nodes.
pub fn compiled(world: &World) -> (Compiled, Vec<Signature>) {
    let policy = Policy::parse(&world.text()).unwrap();
    let compiled = Compiled::compile(&policy);
    let signatures = world.nodes.iter().map(|node| compiled.signature(&node.subject())).collect();
    (compiled, signatures)
}

pub fn of(world: &World, compiled: &Compiled, signatures: &[Signature], node: usize) -> Filter {
    let numbers =
        (0..compiled.rules().len()).filter(|rule| compiled.is_destination(&signatures[node], *rule));
    let rules = numbers.map(|number| {
        let fixed = compiled.sources_fixed(number);
        let mut sources = fixed.ranges.clone();
        let routes = world.nodes.iter().flat_map(|node| &node.routes).filter(|route| route.prefix_len() > 0);
        sources.extend(routes.filter(|_| fixed.approved_routes).map(|route| SourceRange::Prefix(*route)));
        for (peer, signature) in world.nodes.iter().zip(signatures) {
            let named = compiled.is_source(signature, number);
            sources.extend(
                peer.addresses().into_iter().filter(|_| named).map(|a| SourceRange::Prefix(a.into())),
            );
        }
        let subject = world.nodes[node].subject();
        let destinations = compiled.destinations(number, &subject).into_iter().flat_map(|destination| {
            let nets: Vec<IpNet> = match destination.what {
                Target::Everything => vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
                Target::SelfAddresses => world.nodes[node].addresses().map(IpNet::from).to_vec(),
                Target::Prefix(net) => vec![net],
                Target::Range(..) => unreachable!("no rule of these worlds has a range"),
                Target::Internet => policy::internet(),
            };
            nets.into_iter().map(move |net| (net, destination.ports.clone()))
        });
        let protocols = compiled.rules()[number].protocols.clone();
        Rule { protocols, sources, destinations: destinations.collect() }
    });
    Filter { rules: rules.collect() }
}

impl Filter {
    pub fn passes(&self, packet: &Packet) -> bool {
        self.rules.iter().any(|rule| {
            let by_default = rule.protocols.is_empty() && [6, 17, 1, 58].contains(&packet.protocol);
            let to = |(net, ports): &(IpNet, Vec<PortRange>)| {
                let port = ports.iter().any(|range| (range.first..=range.last).contains(&packet.port));
                port && net.contains(&packet.to)
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
        SourceRange::Span(first, last) => (*first..=*last).contains(&address),
    }
}
