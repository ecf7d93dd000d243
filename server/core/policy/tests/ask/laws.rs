//! Differences and explanations against the policy read packet by packet.

use std::{collections::BTreeSet, net::IpAddr};

use policy::{Compiled, Device, Document, Kind, Person, Policy, Question, Roster, Shift, Side};
use proptest::prelude::*;

use crate::{
    oracle::Packet,
    worlds::{self, USERS, World},
};

/// A port of each kind that the rules of the worlds tell apart.
const PROBES: [(i32, u16); 10] =
    [(6, 22), (6, 80), (6, 300), (6, 5000), (6, 8080), (17, 22), (17, 80), (17, 300), (17, 5000), (17, 8080)];

fn roster(world: &World) -> Roster {
    let people = USERS.map(|(login, _)| {
        let email = if login.contains('@') { login.to_owned() } else { String::new() };
        Person { name: login.to_owned(), email, roles: Some(Vec::new()) }
    });
    let devices = world.nodes.iter().enumerate().map(|(at, node)| Device {
        traits: node.traits.clone(),
        name: format!("n{at}"),
        host: format!("n{at}"),
        tags: node.tags.clone(),
        owner: node.user,
        v4: node.v4,
        v6: node.v6,
        routes: node.routes.clone(),
    });
    Roster { people: people.into(), devices: devices.collect() }
}

/// Whether the policy lets a reach b itself, by any of the addresses of both.
fn opens(world: &World, a: usize, b: usize, (protocol, port): (i32, u16)) -> bool {
    let (from, to) = (world.nodes[a].addresses(), world.nodes[b].addresses());
    from.iter()
        .any(|from| to.iter().any(|to| world.allows(&Packet { from: *from, to: *to, protocol, port }, a, b)))
}

fn pairs(world: &World) -> Vec<(usize, usize)> {
    let count = world.nodes.len();
    (0..count).flat_map(|a| (0..count).filter(move |b| *b != a).map(move |b| (a, b))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Exactly the pairs of devices between which something opens are told as gains, and likewise losses.
    #[test]
    fn who_gains_and_who_loses(old in worlds::world(), new in worlds::world()) {
        let new = World { rules: new.rules, nodes: old.nodes.clone() };
        let roster = roster(&old);
        let (before, after) = (Document::parse(&old.text()).unwrap(), Document::parse(&new.text()).unwrap());
        let found = before.difference(&after, &roster, &[]).unwrap();
        prop_assert!(found.complete);
        for (shifts, first, second) in [(&found.gained, &old, &new), (&found.lost, &new, &old)] {
            let is_device = |side: &Side| {
                let address = side.name.contains('/') || side.name.parse::<IpAddr>().is_ok();
                !address && side.name != "autogroup:internet"
            };
            let is_probed = |shift: &&Shift| shift.kind == Kind::Network && !shift.what.starts_with("icmp");
            let network = shifts.iter().filter(is_probed);
            let told: BTreeSet<_> = network
                .filter(|shift| shift.from.iter().chain(&shift.to).all(is_device))
                .flat_map(|shift| shift.each(&roster))
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .collect();
            for (a, b) in pairs(&old) {
                let opened = PROBES.iter().any(|probe| opens(second, a, b, *probe) && !opens(first, a, b, *probe));
                let pair = (format!("n{a}"), format!("n{b}"));
                if opened {
                    let all = shifts.iter().filter(|shift| shift.kind == Kind::Network);
                    let named = all.flat_map(|shift| shift.each(&roster)).any(|(from, to)| from == pair.0 && to == pair.1);
                    prop_assert!(named, "{pair:?} is missing\n{}\n{}", first.text(), second.text());
                } else {
                    prop_assert!(!told.contains(&pair), "{pair:?} is wrong\n{}\n{}", first.text(), second.text());
                }
            }
        }
    }

    /// A policy opens the same as itself, whatever the order of its rules.
    #[test]
    fn the_same_is_the_same(mut world in worlds::world()) {
        let before = Document::parse(&world.text()).unwrap();
        world.rules.reverse();
        let after = Document::parse(&world.text()).unwrap();
        let found = before.difference(&after, &roster(&world), &[]).unwrap();
        prop_assert!(found.is_narrowing() && found.gained.is_empty() && found.lost.is_empty(), "{found:?}");
    }

    /// The compiled rules and the whole language say the same of who sees whom.
    #[test]
    fn both_readings_agree_on_peers(world in worlds::world()) {
        let compiled = Compiled::compile(&Policy::parse(&world.text()).unwrap());
        let views = Document::parse(&world.text()).unwrap().answer(&roster(&world)).unwrap();
        let signature = |at: usize| compiled.signature(&world.nodes[at].subject());
        for (a, b) in pairs(&world) {
            let own = world.nodes[a].is_of_same_person(&world.nodes[b]) && compiled.sees_own(&signature(a), &signature(b));
            let seen = own || compiled.sees(&signature(a), &signature(b));
            let told = views[&format!("n{a}")].peers.contains_key(&format!("n{b}"));
            prop_assert_eq!(seen, told, "{}: {} {}", world.text(), a, b);
        }
    }

    /// What is explained is what is so; what is denied has no rule, and what is allowed has one.
    #[test]
    fn verdicts_are_right(world in worlds::world()) {
        let (document, roster) = (Document::parse(&world.text()).unwrap(), roster(&world));
        for (a, b) in pairs(&world) {
            for (protocol, port) in PROBES {
                let question = Question {
                    from: format!("n{a}"),
                    to: format!("n{b}"),
                    port: Some(port),
                    protocol: Some(protocol.to_string()),
                    ssh_user: None,
                };
                let found = document.explain(&roster, &question).unwrap();
                let right = opens(&world, a, b, (protocol, port));
                prop_assert_eq!(found.allowed, right, "{:?}\n{}", question, world.text());
                prop_assert_eq!(found.because.is_empty(), !right);
            }
        }
    }
}
