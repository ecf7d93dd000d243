//! What a page expects of a node as single facts, so that it does not matter how rules are grouped.

use std::collections::BTreeSet;

/// What some lines say.
pub fn of(lines: &BTreeSet<String>) -> BTreeSet<String> {
    lines.iter().flat_map(|line| facts(line)).collect()
}

/// `[6] a b -> self:22,80 10.0.0.0/8:*` says six things: who, what and one range of ports each.
fn facts(line: &str) -> BTreeSet<String> {
    let (protocol, rest) = match line.split_once("] ") {
        Some((protocol, rest)) if line.starts_with('[') => (format!("{protocol}] "), rest),
        _ => (String::new(), line),
    };
    let Some((from, to)) = rest.split_once(" -> ") else { return BTreeSet::from([line.to_owned()]) };
    let mut facts = BTreeSet::new();
    for source in from.split(' ') {
        for target in to.split(' ') {
            let (what, ports) = target.rsplit_once(':').unwrap_or((target, "*"));
            let what = host(what);
            facts.extend(ports.split(',').map(|range| format!("{protocol}{source} -> {what}:{range}")));
        }
    }
    facts
}

/// An address without the length of a prefix that is nothing but this address.
fn host(text: &str) -> &str {
    match text.strip_suffix("/128") {
        Some(address) => address,
        None if !text.contains(':') => text.strip_suffix("/32").unwrap_or(text),
        None => text,
    }
}

#[test]
fn one_line_says_many_things() {
    let found: Vec<_> = facts("[6] a b -> self:22,80 fd00::1/128:*").into_iter().collect();
    let right =
        ["a -> fd00::1:*", "a -> self:22", "a -> self:80", "b -> fd00::1:*", "b -> self:22", "b -> self:80"];
    assert_eq!(found, right.map(|fact| format!("[6] {fact}")));
    assert_eq!(facts("x"), BTreeSet::from(["x".to_owned()]));
}
