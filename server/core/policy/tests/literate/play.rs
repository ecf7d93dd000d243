//! Says what of a scene is not as expected.
//!
//! Lines of an `expect` block:
//! `NODE sees A B` or `NODE sees nobody` - all of its peers;
//! `NODE allows [PROTO] SRC SRC -> TARGET:PORTS` - all rules of its filter, a line each, or `NODE allows nothing`;
//! `NODE gets PREFIX from ROUTER` - all routes it is given, a line each, or `NODE gets nothing`;
//! `NODE lets A B as USER,USER` or `NODE checks A B as USER` - all rules of SSH that a login to it can go by, a line each,
//! `*` being everybody but root, or `NODE lets nobody`; recorded sessions end in `, shown to A B`, and in `if they are there`
//! where they need not be recorded; `NODE is told CAP CAP` - all of its capabilities, or
//! `NODE is told nothing`; `TAG takes POOL` - where the addresses of such devices come from;
//! `NODE is approved PREFIX`, `NODE is not approved PREFIX`; `LOGIN owns TAG`, `LOGIN does not own TAG`;
//! `TAG opens something`, `TAG opens nothing`; `error LINE:COLUMN TEXT` - all errors, a line each.

#[path = "login.rs"]
mod login;

use std::collections::{BTreeMap, BTreeSet};

use ident::Tag;
use policy::{Compiled, Destination, Policy, Rule, Target};

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
            "sees" | "allows" | "gets" | "lets" | "checks" => {
                let object = if verb == "checks" { rest } else { object };
                let verb = if verb == "checks" { "lets" } else { verb };
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
            "lets" => login::lets(scene, &compiled, node),
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
    if let Some(told) = rest.strip_prefix("is told ") {
        let found = login::told(&compiled.capabilities(&compiled.badge(&node?.subject())));
        return Some(found == told);
    }
    let owns = || Some(policy.may_own(subject, &object.parse().ok()?));
    match (verb, object) {
        ("is approved", _) => approved(),
        ("is not approved", _) => approved().map(|approved| !approved),
        ("owns", _) => owns(),
        ("takes", _) => {
            let pools = compiled.pools(&[subject.parse().ok()?], None);
            Some(pools == [object.parse().ok()?])
        }
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
    let seen = peers.filter(|peer| {
        let theirs = compiled.signature(&peer.subject());
        let is_own = same_person(node, peer) && compiled.sees_own(&own, &theirs);
        is_own || compiled.sees(&own, &theirs)
    });
    seen.map(|peer| peer.name.as_str()).collect::<Vec<_>>().join(" ")
}

fn allows(scene: &Scene, compiled: &Compiled, node: &Node) -> BTreeSet<String> {
    let own = compiled.signature(&node.subject());
    let mut lines = BTreeSet::new();
    for (number, rule) in compiled.rules().iter().enumerate() {
        if compiled.is_own_destination(&own, number) {
            let is_source =
                |peer: &&Node| compiled.is_own_source(&compiled.signature(&peer.subject()), number);
            let devices = scene.nodes.iter().filter(|peer| same_person(node, peer)).filter(is_source);
            let devices: Vec<_> = devices.map(|peer| peer.name.as_str()).collect();
            let ports = compiled.opened_to_own(number, &own);
            let opened = destination(&Destination { what: Target::SelfAddresses, ports }, rule);
            if !devices.is_empty() {
                lines.insert(format!("{}{} -> {opened}", protocols(rule), devices.join(" ")));
            }
        }
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
        let opened: Vec<String> = opened.iter().map(|opened| destination(opened, rule)).collect();
        lines.insert(format!("{}{} -> {}", protocols(rule), sources.join(" "), opened.join(" ")));
    }
    lines
}

fn same_person(a: &Node, b: &Node) -> bool {
    a.tags.is_empty() && b.tags.is_empty() && a.login.is_some() && a.login == b.login
}

fn protocols(rule: &Rule) -> String {
    if rule.protocols.is_empty() { String::new() } else { format!("{:?} ", rule.protocols) }
}

/// The target with its ports, or with what applications are granted there.
fn destination(destination: &Destination, rule: &Rule) -> String {
    let what = match destination.what {
        Target::Everything => "*".to_owned(),
        Target::SelfAddresses => "self".to_owned(),
        Target::Prefix(net) => net.to_string(),
        Target::Range(first, last) => format!("{first}-{last}"),
        Target::Internet => "internet".to_owned(),
    };
    let ports: Vec<String> = match &rule.caps {
        Some(caps) => caps.keys().cloned().collect(),
        None => destination.ports.iter().map(ToString::to_string).collect(),
    };
    format!("{what}:{}", ports.join(","))
}

fn gets(scene: &Scene, compiled: &Compiled, node: &Node) -> BTreeSet<String> {
    let own = compiled.signature(&node.subject());
    let mut lines = BTreeSet::new();
    for router in scene.nodes.iter().filter(|router| router.name != node.name) {
        let theirs = compiled.signature(&router.subject());
        let carries = |route: &&ipnet::IpNet| {
            let tags = compiled.routers(&own, route);
            tags.is_empty() || tags.iter().any(|tag| router.tags.contains(tag))
        };
        let visible = router.routes.iter().filter(|route| compiled.route_visible(&own, route, &theirs));
        for route in visible.filter(carries) {
            lines.insert(format!("{route} from {}", router.name));
        }
    }
    lines
}
