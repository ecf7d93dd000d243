//! Laws of the whole language, against a reading of it that asks about single packets: slow, and too simple to be wrong.

#[cfg(test)]
#[path = "whole/filter.rs"]
mod filter;
#[cfg(test)]
#[path = "whole/oracle.rs"]
mod oracle;
#[cfg(test)]
#[path = "whole/script.rs"]
mod script;
#[cfg(test)]
#[path = "whole/tailnet.rs"]
mod tailnet;

use std::collections::BTreeMap;

use policy::{Document, View};
use proptest::prelude::*;
use tailnet::Tailnet;

#[cfg(test)]
fn views(tailnet: &Tailnet) -> BTreeMap<String, View> {
    let document =
        Document::parse(&tailnet.text()).unwrap_or_else(|errors| panic!("{errors}\n{}", tailnet.text()));
    document.answer(&tailnet.roster()).unwrap_or_else(|error| panic!("{error}\n{}", tailnet.text()))
}

fn pairs(tailnet: &Tailnet) -> impl Iterator<Item = (usize, usize)> + use<> {
    let count = tailnet.nodes.len();
    (0..count).flat_map(move |a| (0..count).filter(move |b| *b != a).map(move |b| (a, b)))
}

fn cases() -> u32 {
    if std::env::var_os("MESHCTL_TEST_FULL").is_some() { 5_000 } else { 400 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// A node's filter lets exactly the packets in that some rule allows.
    #[test]
    fn filters_let_in_what_a_rule_allows(tailnet in script::tailnet()) {
        let views = views(&tailnet);
        for (a, b) in pairs(&tailnet) {
            for packet in tailnet.packets(a, b) {
                let (found, right) = (filter::passes(&views[tailnet::NAMES[b]], &packet), tailnet.allows(&packet, b));
                prop_assert_eq!(found, right, "{}\n{:?} {} -> {}", tailnet.text(), packet, a, b);
            }
        }
    }

    /// Two nodes are peers iff some packet, or some word of an application, may go from one side to the other.
    #[test]
    fn peers_are_those_who_may_talk(tailnet in script::tailnet()) {
        let views = views(&tailnet);
        for (a, b) in pairs(&tailnet) {
            let right = tailnet.may_talk(a, b) || tailnet.may_talk(b, a);
            let found = views[tailnet::NAMES[a]].peers.contains_key(tailnet::NAMES[b]);
            prop_assert_eq!(found, right, "{}\n{} {}", tailnet.text(), a, b);
        }
    }

    /// Applications on a node hear of exactly those whom a grant names, each with its capabilities.
    #[test]
    fn applications_hear_what_a_grant_says(tailnet in script::tailnet()) {
        let views = views(&tailnet);
        for (a, b) in pairs(&tailnet) {
            for (from, to) in tailnet.addresses(a).into_iter().zip(tailnet.addresses(b)) {
                let found = filter::granted(&views[tailnet::NAMES[b]], from, to);
                prop_assert_eq!(found, tailnet.granted(from, to, b), "{}\n{} -> {}", tailnet.text(), from, to);
            }
        }
    }

    /// A route comes from one router: the first that serves it, or the first of those that the viewer is sent by; and
    /// only to those for whom something in it is of use.
    #[test]
    fn routes_come_from_the_router_in_charge(tailnet in script::tailnet()) {
        let views = views(&tailnet);
        for (viewer, router) in pairs(&tailnet) {
            let peer = views[tailnet::NAMES[viewer]].peers.get(tailnet::NAMES[router]);
            for route in tailnet.nodes[router].routes.iter() {
                let found = peer.is_some_and(|peer| peer.allowed_ips.contains(route));
                let right = peer.is_some() && match route.prefix_len() {
                    0 => tailnet.may_leave(viewer, router),
                    _ => tailnet.uses(viewer, route) && tailnet.in_charge(viewer, route) == Some(router),
                };
                prop_assert_eq!(found, right, "{}\n{} of {} for {}", tailnet.text(), route, router, viewer);
            }
        }
    }

    /// The same policy and tailnet give the same answer; another order of rules gives the same filter, rule by rule aside.
    #[test]
    fn the_order_of_rules_does_not_matter(tailnet in script::tailnet()) {
        let mut turned = tailnet.clone();
        turned.rules.reverse();
        let (once, other) = (views(&tailnet), views(&turned));
        prop_assert_eq!(&once, &views(&tailnet));
        for (a, b) in pairs(&tailnet) {
            let name = tailnet::NAMES[b];
            for packet in tailnet.packets(a, b) {
                prop_assert_eq!(filter::passes(&once[name], &packet), filter::passes(&other[name], &packet));
            }
            prop_assert_eq!(&once[name].peers, &other[name].peers);
        }
    }
}
