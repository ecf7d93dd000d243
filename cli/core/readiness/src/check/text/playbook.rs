//! Tasks in the order in which they run, with the conditions under which they do.

use super::yaml::Node;

/// A task.
#[derive(Debug, Clone)]
pub struct Task<'a> {
    /// The mapping itself.
    pub node: &'a Node,
    /// Its own conditions and those of the blocks around it.
    pub when: Vec<String>,
}

const LISTS: [&str; 4] = ["pre_tasks", "tasks", "post_tasks", "handlers"];
const BLOCKS: [&str; 3] = ["block", "rescue", "always"];
/// Modules that define variables of all hosts or of one, without a condition of their own.
const SOURCES: [&str; 3] = ["vars", "vars_prompt", "defaults"];

/// The tasks of a file: of a playbook's plays, or of a list of tasks.
pub fn tasks(roots: &[Node]) -> Vec<Task<'_>> {
    let mut found = Vec::new();
    for item in roots.iter().flat_map(Node::items) {
        if item.get("hosts").is_some() {
            for list in LISTS.iter().filter_map(|name| item.get(name)) {
                list.items().iter().for_each(|task| collect(task, &[], &mut found));
            }
        } else {
            collect(item, &[], &mut found);
        }
    }
    found
}

/// Names that are defined wherever the file counts: variables of plays, or all keys of a file of variables.
pub fn variables(roots: &[Node]) -> Vec<String> {
    let mut names = Vec::new();
    for root in roots {
        names.extend(keys(root));
        for play in root.items() {
            for source in SOURCES.iter().filter_map(|name| play.get(name)) {
                names.extend(keys(source));
                names.extend(source.items().iter().filter_map(|i| i.get("name")?.text().map(str::to_owned)));
            }
        }
    }
    names
}

/// Conditions, one text each.
pub fn conditions(node: &Node, key: &str) -> Vec<String> {
    let Some(value) = node.get(key) else { return Vec::new() };
    let one = value.text().map(tidy);
    one.into_iter().chain(value.items().iter().filter_map(Node::text).map(tidy)).collect()
}

/// The arguments of a module, by its short or its full name.
pub fn module<'a>(task: &'a Node, name: &str) -> Option<&'a Node> {
    let is = |key: &str| {
        key == name || key.rsplit_once('.').is_some_and(|(head, tail)| tail == name && head.contains('.'))
    };
    task.pairs().iter().find(|(key, _)| key.text().is_some_and(is)).map(|(_, value)| value)
}

fn collect<'a>(node: &'a Node, outer: &[String], found: &mut Vec<Task<'a>>) {
    if node.pairs().is_empty() {
        return;
    }
    let mut when = outer.to_vec();
    when.extend(conditions(node, "when"));
    let inner: Vec<_> = BLOCKS.iter().filter_map(|name| node.get(name)).collect();
    if inner.is_empty() {
        found.push(Task { node, when });
        return;
    }
    inner.iter().flat_map(|list| list.items()).for_each(|task| collect(task, &when, found));
}

fn keys(node: &Node) -> Vec<String> {
    node.pairs().iter().filter_map(|(key, _)| key.text()).map(str::to_owned).collect()
}

fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::text::yaml::parse;

    #[test]
    fn blocks_hand_their_conditions_down() {
        let roots = parse(
            "- hosts: all\n  vars: {a: 1}\n  tasks:\n    - block:\n        - set_fact: {b: 2}\n          when: y\n      when: [x]\n    - debug: {}\n",
        )
        .unwrap();
        let tasks = tasks(&roots);
        assert_eq!(tasks[0].when, ["x", "y"]);
        assert!(tasks[1].when.is_empty() && tasks.len() == 2);
        assert_eq!(variables(&roots), ["a"]);
    }

    #[test]
    fn modules_have_short_and_full_names() {
        let roots = parse("- ansible.builtin.set_fact: {a: 1}\n").unwrap();
        assert!(module(&roots[0].items()[0], "set_fact").is_some());
        assert!(module(&roots[0].items()[0], "stat").is_none());
    }
}
