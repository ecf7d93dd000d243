//! Cases with rules moved, repeated and taken apart: what follows must be the same, or the sum of its parts.

use std::collections::BTreeSet;

use policy::{CaseAnswer, View, answer_case};
use serde_json::{Value, json};

/// What all nodes are told, as single facts that know neither the order of rules nor how they are grouped.
type Facts = BTreeSet<String>;

/// Sections whose rules add up.
const SECTIONS: [&str; 2] = ["acls", "grants"];

/// Every case with such rules, without the policy's own tests, which do not add up.
pub fn ground(cases: &[Value]) -> Vec<Value> {
    let usable = cases.iter().filter(|case| case["accepted"] == true && case["policy"].is_object());
    let bare = usable.cloned().map(|mut case| {
        let policy = case["policy"].as_object_mut().unwrap();
        policy.retain(|name, _| !["tests", "sshTests"].contains(&name.as_str()));
        case
    });
    bare.filter(|case| !rules(case).is_empty()).collect()
}

/// The same case with its rules in another order, and each of them twice.
pub fn shuffled(case: &Value) -> Value {
    let mut case = case.clone();
    for section in SECTIONS {
        if let Some(list) = case["policy"][section].as_array_mut() {
            let again = list.clone();
            list.reverse();
            list.extend(again);
        }
    }
    case
}

/// The same case with what nothing refers to beside what is there.
pub fn cluttered(case: &Value) -> Value {
    let mut case = case.clone();
    let policy = &mut case["policy"];
    for (section, name, value) in [
        ("groups", "group:of-nobody", json!(["nobody@nowhere.example"])),
        ("hosts", "nowhere", json!("192.0.2.1")),
        ("tagOwners", "tag:of-nothing", json!([])),
        ("ipsets", "ipset:unused", json!(["192.0.2.0/24"])),
        ("postures", "posture:unasked", json!(["node:os == 'linux'"])),
    ] {
        if policy[section].is_null() {
            policy[section] = json!({});
        }
        policy[section][name] = value;
    }
    case
}

/// Two cases with one rule after the other in turn.
pub fn halves(case: &Value) -> [Value; 2] {
    [0, 1].map(|half| {
        let mut case = case.clone();
        for section in SECTIONS {
            if let Some(list) = case["policy"][section].as_array_mut() {
                let mut at = 0;
                list.retain(|_| {
                    at += 1;
                    at % 2 == half
                });
            }
        }
        case
    })
}

pub fn rules(case: &Value) -> Vec<&Value> {
    SECTIONS.iter().flat_map(|section| case["policy"][section].as_array().into_iter().flatten()).collect()
}

pub fn answer(case: &Value) -> CaseAnswer {
    let answer = answer_case(&case.to_string());
    assert!(answer.accepted, "{}: {}", answer.id, answer.error);
    answer
}

/// Who reaches what, who may do what there, and who sees whom.
pub fn facts(answer: &CaseAnswer) -> Facts {
    answer.nodes.iter().flat_map(|(name, view)| of_node(name, view)).collect()
}

fn of_node(node: &str, view: &View) -> Facts {
    let mut facts = Facts::new();
    for rule in &view.filter {
        for source in &rule.src_ips {
            let from = format!("{node} {source} {:?}", rule.ip_proto);
            facts.extend(rule.dst_ports.iter().map(|to| format!("{from} {to:?}")));
            for grant in &rule.cap_grant {
                let each = grant.dsts.iter().flat_map(|to| grant.cap_map.iter().map(move |cap| (to, cap)));
                facts.extend(each.map(|(to, (cap, value))| format!("{from} {to} {cap} {value}")));
            }
        }
    }
    facts.extend(view.peers.keys().map(|peer| format!("{node} sees {peer}")));
    facts
}
