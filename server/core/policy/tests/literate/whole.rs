//! What the whole language says to the nodes of a page: the slow reading of a policy, rule by rule and node by node.

//!
//! Beside `sees`, `allows` and `gets` it knows `NODE grants SRC -> CAPABILITY PARAMETERS`, all it grants to applications;
//! `NODE has CAPABILITY`, all capabilities of its own; each a line each, or `nothing`; and `fails TEXT`, all of the policy's
//! own tests that fail.

use std::collections::{BTreeMap, BTreeSet};

use policy::{Device, Document, FilterRule, Person, Policy, PortSpan, Roster, View};

use crate::{
    facts,
    page::{Node, Reading, Scene},
    play::refused,
};

/// The addresses of everybody, as filters write them.
const EVERYONE: [&str; 3] =
    ["100.115.94.0-100.127.255.255", "100.64.0.0-100.115.91.255", "fd7a:115c:a1e0::/48"];
const VERBS: [&str; 5] = ["sees", "allows", "gets", "grants", "has"];

/// What is not as expected.
pub fn play(scene: &Scene) -> Vec<String> {
    let document = match Document::parse(&scene.policy) {
        Ok(document) => document,
        Err(errors) => return refused(scene, &errors),
    };
    let claimed: Vec<_> = scene.expect.iter().filter_map(|line| line.strip_prefix("fails ")).collect();
    let views = match document.answer(&roster(scene)) {
        Ok(_) if !claimed.is_empty() => return vec!["none of its own tests fails".to_owned()],
        Ok(views) => views,
        Err(text) => {
            let fails: Vec<_> = text.lines().skip_while(|line| *line == "test(s) failed").collect();
            return Vec::from_iter((fails != claimed).then(|| format!("its own tests fail: {fails:#?}")));
        }
    };
    // What only a running server answers is not left unasked.
    let is_served = scene.reading == Reading::Both && Policy::parse(&scene.policy).is_ok();
    let mut wrong = Vec::new();
    let mut lists: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    for line in &scene.expect {
        let (subject, said) = line.split_once(' ').unwrap_or((line, ""));
        let (verb, object) = said.split_once(' ').unwrap_or((said, ""));
        if VERBS.contains(&verb) {
            let nothing = ["nobody", "nothing"].contains(&object);
            lists.entry((subject, verb)).or_default().extend((!nothing).then(|| object.to_owned()));
        } else if !is_served || subject == "error" {
            wrong.push(format!("not so: {line}"));
        }
    }
    for ((name, verb), expected) in lists {
        let node = scene.nodes.iter().find(|node| node.name == name);
        let Some((node, view)) = node.and_then(|node| Some((node, views.get(name)?))) else {
            wrong.push(format!("there is no node {name}"));
            continue;
        };
        let found = facts::of(&told(scene, node, view, verb));
        let expected = facts::of(&expected);
        if found != expected {
            let (missing, more) = (expected.difference(&found), found.difference(&expected));
            let lists = (Vec::from_iter(missing), Vec::from_iter(more));
            wrong.push(format!("by the whole language, {name} {verb} not {:?} but {:?}", lists.0, lists.1));
        }
    }
    wrong
}

fn told(scene: &Scene, node: &Node, view: &View, verb: &str) -> BTreeSet<String> {
    match verb {
        "sees" => BTreeSet::from([sees(scene, view)]).into_iter().filter(|s| !s.is_empty()).collect(),
        "allows" => allows(scene, node, view),
        "gets" => gets(scene, view),
        "grants" => grants(scene, view),
        _ => view.own.caps.keys().cloned().collect(),
    }
}

fn roster(scene: &Scene) -> Roster {
    let mut people: Vec<Person> = Vec::new();
    let logins = scene
        .people
        .iter()
        .map(|(login, _)| login)
        .chain(scene.nodes.iter().filter_map(|n| n.login.as_ref()));
    for login in logins {
        let email = if login.contains('@') { login.to_lowercase() } else { String::new() };
        let roles = scene.people.iter().find(|(known, _)| known == login).map(|(_, roles)| roles.clone());
        let person = Person { name: login.to_lowercase(), email, roles: Some(roles.unwrap_or_default()) };
        if !people.iter().any(|known| known.name == person.name) {
            people.push(person);
        }
    }
    let devices = scene.nodes.iter().map(|node| {
        let subject = node.subject();
        let owner = node.login.as_ref().map(|login| login.to_lowercase());
        Device {
            traits: node.traits.clone(),
            name: node.name.clone(),
            host: node.name.clone(),
            tags: node.tags.clone(),
            owner: owner.and_then(|login| people.iter().position(|person| person.name == login)),
            v4: subject.v4,
            v6: subject.v6,
            routes: node.routes.clone(),
        }
    });
    let devices = devices.collect();
    Roster { people, devices }
}

/// The peers, by name in the order of the scene.
fn sees(scene: &Scene, view: &View) -> String {
    let names = scene.nodes.iter().map(|node| node.name.as_str());
    names.filter(|name| view.peers.contains_key(*name)).collect::<Vec<_>>().join(" ")
}

/// Who reaches what of the node, and who is granted which capabilities there.
fn allows(scene: &Scene, node: &Node, view: &View) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    let internet: Vec<String> = policy::internet().iter().map(ToString::to_string).collect();
    for rule in &view.filter {
        let proto = if rule.ip_proto.is_empty() { String::new() } else { format!("{:?} ", rule.ip_proto) };
        let own = own(node);
        let opens = |ip: &str, ports: PortSpan| {
            rule.dst_ports.iter().any(|reached| reached.ip == ip && reached.ports == ports)
        };
        let reached = rule.dst_ports.iter().map(|reached| {
            let all =
                |of: &[String]| of.contains(&reached.ip) && of.iter().all(|ip| opens(ip, reached.ports));
            let what = match reached.ip.as_str() {
                _ if all(&own) => "self",
                _ if all(&internet) => "internet",
                literal => literal,
            };
            format!("{what}:{}", ports(reached.ports))
        });
        let granted = rule.cap_grant.iter().flat_map(|grant| grant.cap_map.keys());
        let targets: BTreeSet<String> = reached.chain(granted.map(|name| format!("self:{name}"))).collect();
        let targets = Vec::from_iter(targets).join(" ");
        lines.insert(format!("{proto}{} -> {targets}", sources(scene, rule)));
    }
    lines
}

/// Lines about applications: who may do what on the node.
fn grants(scene: &Scene, view: &View) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for rule in &view.filter {
        for (name, parameters) in rule.cap_grant.iter().flat_map(|grant| &grant.cap_map) {
            let parameters = if parameters.is_null() { String::new() } else { format!(" {parameters}") };
            lines.insert(format!("{} -> {name}{parameters}", sources(scene, rule)));
        }
    }
    lines
}

/// Routes, and by whom.
fn gets(scene: &Scene, view: &View) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for router in &scene.nodes {
        let peer = view.peers.get(&router.name);
        let given = peer.iter().flat_map(|peer| &peer.allowed_ips).filter(|net| router.routes.contains(net));
        lines.extend(given.map(|net| format!("{net} from {}", router.name)));
    }
    lines
}

fn sources(scene: &Scene, rule: &FilterRule) -> String {
    let mut left = rule.src_ips.clone();
    let mut words = Vec::new();
    if left.remove("*") {
        words.extend(["0.0.0.0/0".to_owned(), "::/0".to_owned()]);
    }
    for node in &scene.nodes {
        let own = own(node);
        if own.iter().all(|ip| left.contains(ip)) {
            left.retain(|text| !own.contains(text));
            words.push(node.name.clone());
        }
    }
    if EVERYONE.iter().all(|range| left.contains(*range)) {
        let routes = scene.nodes.iter().flat_map(|node| &node.routes).filter(|net| net.prefix_len() > 0);
        let behind: BTreeSet<String> = routes.map(ToString::to_string).collect();
        left.retain(|text| !EVERYONE.contains(&text.as_str()) && !behind.contains(text));
        words.insert(0, "*".to_owned());
    }
    words.extend(left);
    words.join(" ")
}

fn own(node: &Node) -> [String; 2] {
    let subject = node.subject();
    [subject.v4.to_string(), subject.v6.to_string()]
}

fn ports(span: PortSpan) -> String {
    match (span.first, span.last) {
        (0, u16::MAX) => "*".to_owned(),
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    }
}
