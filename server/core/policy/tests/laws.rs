//! Laws of the compiled policy, against a slow obvious oracle, and of the parser, against nonsense.

#[cfg(test)]
#[path = "laws/filter.rs"]
mod filter;
#[cfg(test)]
#[path = "laws/nonsense.rs"]
mod nonsense;
#[cfg(test)]
#[path = "laws/oracle.rs"]
mod oracle;
#[cfg(test)]
#[path = "laws/worlds.rs"]
mod worlds;

use filter::compiled;
use oracle::Packet;
use proptest::prelude::*;
use worlds::World;

fn pairs(world: &World) -> impl Iterator<Item = (usize, usize)> + use<> {
    let count = world.nodes.len();
    (0..count).flat_map(move |a| (0..count).filter(move |b| *b != a).map(move |b| (a, b)))
}

fn has_some_of(node: &worlds::Node, tags: &[&str]) -> bool {
    node.tags.iter().any(|tag| tags.contains(&tag.as_str()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// A peer is in view iff the policy lets either side reach the other.
    #[test]
    fn who_sees_whom(world in worlds::world()) {
        let (compiled, signatures) = compiled(&world);
        for (a, b) in pairs(&world) {
            let right = world.reaches(a, b) || world.reaches(b, a);
            let is_own = world.nodes[a].is_of_same_person(&world.nodes[b]) && compiled.sees_own(&signatures[a], &signatures[b]);
            prop_assert_eq!(is_own || compiled.sees(&signatures[a], &signatures[b]), right, "{}: {} {}", world.text(), a, b);
        }
    }

    /// A filter lets exactly the packets pass that the policy allows, read rule by rule.
    #[test]
    fn filters_agree_with_the_policy(world in worlds::world()) {
        let (compiled, signatures) = compiled(&world);
        let filters: Vec<_> = (0..world.nodes.len()).map(|b| filter::of(&world, &compiled, &signatures, b)).collect();
        for (a, b) in pairs(&world) {
            for packet in world.packets(a, b) {
                let right = world.allows(&packet, a, b);
                prop_assert_eq!(filters[b].passes(&packet), right, "{}: {:?} {} {}", world.text(), packet, a, b);
            }
        }
    }

    /// A viewer that sees a router gets a route of it iff it may reach something in it, something in it may reach the
    /// viewer, or it serves the same route; where it is sent by some tags, by a router with one of these alone.
    #[test]
    fn who_gets_which_route(world in worlds::world()) {
        let (compiled, signatures) = compiled(&world);
        for (viewer, router) in pairs(&world) {
            for route in &world.nodes[router].routes {
                let there = |packet: &Packet| route.contains(&packet.to) && world.allows(packet, viewer, router);
                let back = |packet: &Packet| route.contains(&packet.from) && world.allows(packet, router, viewer);
                let is_exit = route.prefix_len() == 0;
                let own = world.nodes[router].addresses();
                let mut out = world.packets(viewer, router).into_iter().filter(|p| !own.contains(&p.to));
                let mut home = world.packets(router, viewer).into_iter();
                let tags = if is_exit { vec![] } else { world.sent_by(viewer, route) };
                let is_sent = tags.is_empty() || has_some_of(&world.nodes[router], &tags);
                let shares = world.nodes[viewer].routes.contains(route);
                let seen = world.reaches(viewer, router) || world.reaches(router, viewer);
                let right = if is_exit { world.may_leave(viewer, router, route) }
                    else { seen && is_sent && (shares || out.any(|p| there(&p)) || home.any(|p| back(&p))) };
                let (a, b) = (&signatures[viewer], &signatures[router]);
                let by = compiled.routers(a, route);
                let by: Vec<_> = by.iter().map(|tag| tag.as_str()).collect();
                let own = world.nodes[viewer].is_of_same_person(&world.nodes[router]) && compiled.sees_own(a, b);
                let found = (own || compiled.sees(a, b)) && compiled.route_visible(a, route, b)
                    && (by.is_empty() || has_some_of(&world.nodes[router], &by));
                prop_assert_eq!(found, right, "{}: {} {} {}", world.text(), viewer, router, route);
            }
        }
    }

    /// Equal signatures are one class: the same view and the same filter shape.
    #[test]
    fn equal_signatures_are_interchangeable(world in worlds::world()) {
        let (compiled, signatures) = compiled(&world);
        for (a, b) in pairs(&world).filter(|(a, b)| signatures[*a] == signatures[*b]) {
            for rule in 0..compiled.rules().len() {
                let of = |node: usize| compiled.destinations(rule, &world.nodes[node].subject());
                prop_assert_eq!(of(a), of(b));
                prop_assert_eq!(!of(a).is_empty(), compiled.is_destination(&signatures[a], rule));
            }
        }
    }

    /// The same text gives the same answers.
    #[test]
    fn twice_is_once(world in worlds::world()) {
        let ((first, a), (second, b)) = (compiled(&world), compiled(&world));
        prop_assert_eq!(&a, &b);
        prop_assert_eq!(format!("{:?}", first), format!("{second:?}"));
    }

    /// What tags are said to open, a device with them has; tags that open nothing give a device that sees nobody.
    #[test]
    fn tags_that_open_nothing_reach_nobody(world in worlds::world()) {
        let (compiled, signatures) = compiled(&world);
        for (at, node) in world.nodes.iter().enumerate().filter(|(_, node)| !node.tags.is_empty()) {
            let access = compiled.opens(&node.tags);
            let own = compiled.reach(&node.tags);
            prop_assert_eq!(access.as_source.is_empty(), own.reaches.is_empty());
            prop_assert_eq!(access.as_destination.is_empty(), own.reached_by.is_empty());
            let literal = world.names_address_of(node);
            if access.is_nothing() && node.routes.is_empty() && !literal {
                let sees = (0..world.nodes.len()).any(|b| b != at && compiled.sees(&signatures[at], &signatures[b]));
                prop_assert!(!sees, "{}: {}", world.text(), at);
            }
        }
    }
}
