//! Says what of a scene is not as expected.
//!
//! Lines of an `expect` block:
//! `NODE sees A B` or `NODE sees nobody` - all of its peers;
//! `NODE allows [PROTO] SRC SRC -> TARGET:PORTS` - all rules of its filter, a line each, or `NODE allows nothing`;
//! `NODE gets PREFIX from ROUTER` - all routes it is given, a line each, or `NODE gets nothing`;
//! `NODE is approved PREFIX`, `NODE is not approved PREFIX`; `LOGIN owns TAG`, `LOGIN does not own TAG`;
//! `TAG opens something`, `TAG opens nothing`; `error LINE:COLUMN TEXT` - all errors, a line each.

use std::collections::{BTreeMap, BTreeSet};

use ident::Tag;
use policy::{Compiled, Policy, Target};

use crate::{
    facts,
    page::{Node, Scene},
};

type Wrong = Vec<String>;

pub fn play(scene: &Scene) -> Wrong {
    let policy = match Policy::parse(&scene.policy) {
        Ok(policy) => policy,
        Err(errors) => return refused(scene, &errors),
    };
    let compiled = Compiled::compile(&policy);
    let mut wrong = Wrong::new();
    let mut lists: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for line in &scene.expect {
        let (subject, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (verb, object) = rest.split_once(' ').unwrap_or((rest, ""));
        match verb {
            "sees" | "allows" | "gets" => {
                let list = lists.entry((subject, verb)).or_default();
                let nothing = ["nobody", "nothing"].contains(&object);
                list.extend((!nothing).then_some(object));
            }
            _ if says(scene, &policy, &compiled, subject, rest) == Some(true) => {}
            _ => wrong.push(format!("not so: {line}")),
        }
    }
    for ((name, verb), expected) in lists {
        let Some(node) = scene.nodes.iter().find(|node| node.name == name) else {
            wrong.push(format!("there is no node {name}"));
            continue;
        };
        let expected: BTreeSet<String> = expected.into_iter().map(str::to_owned).collect();
        let found: BTreeSet<String> = match verb {
            "sees" => {
                BTreeSet::from([sees(scene, &compiled, node)]).into_iter().filter(|s| !s.is_empty()).collect()
            }
            "allows" => allows(scene, &compiled, node),
            _ => gets(scene, &compiled, node),
        };
        if facts::of(&found) != facts::of(&expected) {
            wrong.push(format!("{name} {verb} {found:?}, expected {expected:?}"));
        }
    }
    wrong
}

pub fn refused(scene: &Scene, errors: &policy::PolicyErrors) -> Wrong {
    let mut expected = scene.expect.iter();
    let mut wrong = Wrong::new();
    for error in errors.iter() {
        let hint = error.hint.as_deref().unwrap_or_default();
        let said = format!("error {}:{} {} {hint}", error.line, error.column, error.message);
        let place_and_text = expected.next().and_then(|line| line.rsplit_once(" … ").or(Some((line, ""))));
        let right =
            place_and_text.is_some_and(|(start, hint)| said.starts_with(start) && said.contains(hint));
        if !right {
            wrong.push(said);
        }
    }
    wrong.extend(expected.map(|line| format!("no {line}")));
    wrong
}

fn says(scene: &Scene, policy: &Policy, compiled: &Compiled, subject: &str, rest: &str) -> Option<bool> {
    let (verb, object) = rest.rsplit_once(' ')?;
    let node = scene.nodes.iter().find(|node| node.name == subject);
    let approved = || Some(compiled.auto_approves(&node?.subject(), &object.parse().ok()?));
    let owns = || Some(policy.may_own(subject, &object.parse().ok()?));
    match (verb, object) {
        ("is approved", _) => approved(),
        ("is not approved", _) => approved().map(|approved| !approved),
        ("owns", _) => owns(),
        ("does not own", _) => owns().map(|owns| !owns),
        ("opens", _) => {
            let tags: Vec<Tag> = vec![subject.parse().ok()?];
            Some(compiled.opens(&tags).is_nothing() == (object == "nothing"))
        }
        _ => None,
    }
}

fn sees(scene: &Scene, compiled: &Compiled, node: &Node) -> String {
    let own = compiled.signature(&node.subject());
    let peers = scene.nodes.iter().filter(|peer| peer.name != node.name);
    let seen = peers.filter(|peer| compiled.sees(&own, &compiled.signature(&peer.subject())));
    seen.map(|peer| peer.name.as_str()).collect::<Vec<_>>().join(" ")
}

fn allows(scene: &Scene, compiled: &Compiled, node: &Node) -> BTreeSet<String> {
    let own = compiled.signature(&node.subject());
    let mut lines = BTreeSet::new();
    for (number, rule) in compiled.rules().iter().enumerate() {
        if !compiled.is_destination(&own, number) {
            continue;
        }
        let fixed = compiled.sources_fixed(number);
        let mut sources: Vec<String> = Vec::new();
        if fixed.approved_routes {
            sources.push("*".to_owned());
        }
        let literals = fixed.ranges.iter().map(ToString::to_string);
        sources.extend(literals.filter(|text| !fixed.approved_routes || !text.starts_with(['1', 'f'])));
        let named = scene.nodes.iter();
        let named = named.filter(|node| compiled.is_source(&compiled.signature(&node.subject()), number));
        sources.extend(named.map(|node| node.name.clone()));
        if sources.is_empty() {
            continue;
        }
        let opened = compiled.destinations(number, &node.subject());
        let opened: Vec<String> = opened.iter().map(destination).collect();
        let proto = if rule.protocols.is_empty() { String::new() } else { format!("{:?} ", rule.protocols) };
        lines.insert(format!("{proto}{} -> {}", sources.join(" "), opened.join(" ")));
    }
    lines
}

fn destination(destination: &policy::Destination) -> String {
    let what = match destination.what {
        Target::Everything => "*".to_owned(),
        Target::SelfAddresses => "self".to_owned(),
        Target::Prefix(net) => net.to_string(),
        Target::Internet => "internet".to_owned(),
    };
    let ports: Vec<String> = destination.ports.iter().map(ToString::to_string).collect();
    format!("{what}:{}", ports.join(","))
}

fn gets(scene: &Scene, compiled: &Compiled, node: &Node) -> BTreeSet<String> {
    let own = compiled.signature(&node.subject());
    let mut lines = BTreeSet::new();
    for router in scene.nodes.iter().filter(|router| router.name != node.name) {
        let theirs = compiled.signature(&router.subject());
        for route in router.routes.iter().filter(|route| compiled.route_visible(&own, route, &theirs)) {
            lines.insert(format!("{route} from {}", router.name));
        }
    }
    lines
}
