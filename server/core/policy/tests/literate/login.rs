//! What a scene's nodes are told of SSH and of themselves, in the words of the pages.

use std::collections::{BTreeMap, BTreeSet};

use policy::{Compiled, Login};
use serde_json::Value;

use crate::page::{Node, Scene};

/// A line for each rule that lets somebody log in to the node, and one for each person whom it lets in by name.
pub fn lets(scene: &Scene, compiled: &Compiled, node: &Node) -> BTreeSet<String> {
    let badge = |node: &Node| compiled.badge(&node.subject());
    let mut lines = BTreeSet::new();
    for rule in compiled.login_order() {
        let login = compiled.login(rule).unwrap();
        let sources: Vec<_> = scene.nodes.iter().filter(|node| badge(node).logs_in(rule)).collect();
        let own =
            |caller: &&Node| login.opens_own() && person(caller).is_some() && person(caller) == person(node);
        let callers: Vec<_> = match badge(node).is_logged_in_to(rule) {
            true => sources,
            false => sources.into_iter().filter(own).collect(),
        };
        let records = |node: &&Node| login.recorders().iter().any(|tag| node.tags.contains(tag));
        let recorders: Vec<_> = scene.nodes.iter().filter(records).collect();
        if callers.is_empty() || (login.must_record() && recorders.is_empty()) {
            continue;
        }
        let names: Vec<_> = callers.iter().map(|caller| caller.name.as_str()).collect();
        let users = login.users().into_iter().filter(|(_, local)| !local.is_empty());
        let users: Vec<_> = users.map(|(user, _)| user).collect();
        let verb = if login.checks() { "checks " } else { "" };
        if !users.is_empty() {
            let shown = shown(login, recorders);
            lines.insert(format!("{verb}{} as {}{shown}", names.join(" "), users.join(",")));
        }
        lines.extend(
            callers.iter().flat_map(|caller| by_name(login, caller)).map(|line| format!("{verb}{line}")),
        );
    }
    lines
}

/// Those who record it, in the order of their addresses.
fn shown(login: Login, mut recorders: Vec<&Node>) -> String {
    if recorders.is_empty() {
        return String::new();
    }
    recorders.sort_by_key(|node| node.subject().v4);
    let names: Vec<_> = recorders.iter().map(|node| node.name.as_str()).collect();
    let loosely = if login.must_record() { "" } else { " if they are there" };
    format!(", shown to {}{loosely}", names.join(" "))
}

/// Capabilities with how many parameters they have, if any.
pub fn told(caps: &BTreeMap<String, Vec<Value>>) -> String {
    let texts = caps.iter().map(|(name, parameters)| match parameters.len() {
        0 => name.clone(),
        many => format!("{name}({many})"),
    });
    let text = texts.collect::<Vec<_>>().join(" ");
    if text.is_empty() { "nothing".to_owned() } else { text }
}

fn by_name(login: Login, caller: &Node) -> Vec<String> {
    let names = person(caller).map(|person| login.names_of(person)).unwrap_or_default();
    names.into_iter().map(|name| format!("{} as {name}", caller.name)).collect()
}

fn person(node: &Node) -> Option<&str> {
    node.login.as_deref().filter(|_| node.tags.is_empty())
}
