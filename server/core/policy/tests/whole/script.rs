//! Random tailnets in which rules and nodes meet often.

use proptest::{collection::vec, prelude::*, sample::subsequence};

use crate::tailnet::{
    CAPS, GROUPS, LITERALS, NAMES, Node, PEOPLE, PORTS, ROLES, ROUTES, Rule, TAGS, Tailnet, Who,
};

pub fn tailnet() -> impl Strategy<Value = Tailnet> {
    let nodes = vec(node(), 2..=NAMES.len());
    (vec(rule(), 0..5), nodes).prop_map(|(rules, nodes)| Tailnet { rules, nodes })
}

fn node() -> impl Strategy<Value = Node> {
    let tags = prop_oneof![3 => Just(vec![]), 4 => subsequence((0..TAGS.len()).collect::<Vec<_>>(), 1..=2)];
    let routes = prop_oneof![2 => Just(vec![]), 1 => subsequence(ROUTES.to_vec(), 1..=2)];
    (tags, 0..PEOPLE.len(), routes).prop_map(|(tags, owner, routes)| Node {
        tags,
        owner,
        routes: routes.iter().map(|route| route.parse().unwrap()).collect(),
    })
}

fn person() -> impl Strategy<Value = Who> {
    prop_oneof![
        3 => (0..PEOPLE.len()).prop_map(Who::Person),
        2 => (0..GROUPS.len()).prop_map(Who::Group),
        1 => Just(Who::Domain),
        1 => (0..ROLES.len()).prop_map(Who::Role),
        2 => Just(Who::Member),
    ]
}

fn both_sides() -> impl Strategy<Value = Who> {
    prop_oneof![
        4 => person(),
        4 => (0..TAGS.len()).prop_map(Who::Tag),
        5 => (0..LITERALS.len()).prop_map(Who::Literal),
        1 => Just(Who::Set),
        1 => Just(Who::Tagged),
        1 => Just(Who::Any),
        1 => Just(Who::Service),
    ]
}

fn source() -> impl Strategy<Value = Who> {
    prop_oneof![20 => both_sides(), 1 => Just(Who::Anywhere), 1 => Just(Who::Shared)]
}

fn destination() -> impl Strategy<Value = Who> {
    prop_oneof![12 => both_sides(), 1 => Just(Who::Internet)]
}

/// Rules as the language takes them: `autogroup:self` behind people alone, no application on the internet, and `via` in
/// grants alone.
fn rule() -> impl Strategy<Value = Rule> {
    let sides = prop_oneof![
        6 => (vec(source(), 1..3), vec(destination(), 1..3)),
        1 => (vec(person(), 1..3), vec(destination(), 0..2)).prop_map(|(from, mut to)| {
            to.push(Who::Own);
            (from, to)
        }),
    ];
    let via = prop_oneof![2 => Just(vec![]), 1 => subsequence((0..TAGS.len()).collect::<Vec<_>>(), 1..=2)];
    let cap = proptest::option::weighted(0.4, 0..CAPS.len());
    let ports = proptest::option::weighted(0.8, 0..PORTS.len());
    (sides, ports, any::<bool>(), any::<bool>(), via, cap).prop_map(
        |((from, to), ports, tcp_only, grant, via, cap)| {
            let cap = cap.filter(|_| grant && !to.contains(&Who::Internet));
            let ports = if cap.is_some() { ports } else { ports.or(Some(0)) };
            Rule { from, to, ports, tcp_only, grant, via: if grant { via } else { Vec::new() }, cap }
        },
    )
}
