//! Groups of devices, with names that Ansible takes.

use std::collections::{BTreeMap, BTreeSet};

use api::node::Node;

/// Longest name of a group: devices say what their system is called.
const LONGEST: usize = 60;

/// Every group with its hosts. Two things whose names become the same group stay two, with a number behind the later.
pub fn of(nodes: &[Node]) -> BTreeMap<String, Vec<&str>> {
    let mut things: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for node in nodes {
        let mut is = |kind, what| things.entry((kind, what)).or_default().push(node.name.as_str());
        is(if node.online { "online" } else { "offline" }, "");
        for tag in &node.tags {
            is("tag", tag.as_str().trim_start_matches("tag:"));
        }
        if let Some(user) = &node.user {
            is("user", user);
        }
        if !node.os.is_empty() {
            is("os", &node.os);
        }
        if node.ephemeral {
            is("ephemeral", "");
        }
        let served = || node.approved_routes.iter().filter(|r| node.advertised_routes.contains(r));
        if served().any(|r| r.prefix_len() == 0) {
            is("exit_nodes", "");
        }
        if served().any(|r| r.prefix_len() != 0) {
            is("routers", "");
        }
    }
    named(things)
}

fn named<'a>(things: BTreeMap<(&str, &str), Vec<&'a str>>) -> BTreeMap<String, Vec<&'a str>> {
    let mut taken =
        BTreeSet::from(["all".to_owned(), "ungrouped".to_owned(), "mesh".to_owned(), "_meta".to_owned()]);
    let mut groups = BTreeMap::new();
    for ((kind, what), hosts) in things {
        let wanted = if what.is_empty() { kind.to_owned() } else { format!("{kind}_{}", word(what)) };
        let free = (2..).map(|n| format!("{wanted}_{n}"));
        let name = std::iter::once(wanted.clone()).chain(free).find(|name| !taken.contains(name));
        let name = name.unwrap_or(wanted);
        taken.insert(name.clone());
        groups.insert(name, hosts);
    }
    groups
}

fn word(text: &str) -> String {
    let of_word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    text.chars().take(LONGEST).map(of_word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_things_stay_two_groups() {
        let things = BTreeMap::from([(("tag", "a-b"), vec!["x"]), (("tag", "a_b"), vec!["y"])]);
        let groups = named(things);
        assert_eq!(groups["tag_a_b"], ["x"]);
        assert_eq!(groups["tag_a_b_2"], ["y"]);
    }
}
