//! The corpus by way of a World: what nodes are told of SSH and of themselves is what the reference tells them, and the
//! tests in a policy come out as with the reference.
#![cfg(test)]

#[path = "cases/tailnet.rs"]
mod tailnet;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use netmap::{Logins, Site, full};
use serde_json::Value;
use wire::MapResponse;
use world::World;

const FILES: [&str; 5] = [
    include_str!("../../../../tests/policy/corpus/grant.jsonl"),
    include_str!("../../../../tests/policy/corpus/nodeattrs.jsonl"),
    include_str!("../../../../tests/policy/corpus/policytest.jsonl"),
    include_str!("../../../../tests/policy/corpus/ssh.jsonl"),
    include_str!("../../../../tests/policy/corpus/sshtest.jsonl"),
];

/// Capabilities that come from settings of an account, by the end of their names.
const OF_ACCOUNT: [&str; 12] = [
    "file-sharing",
    "ssh",
    "tailnet-lock",
    "is-owner",
    "is-admin",
    "probe-udp-lifetime",
    "ssh-behavior-v1",
    "ssh-env-vars",
    "store-appc-routes",
    "tailnet-display-name",
    "default-auto-update",
    "warn-funnel-no-https",
];

fn cases(category: &str) -> Vec<Value> {
    let all = FILES.iter().flat_map(|text| text.lines()).map(|line| serde_json::from_str(line).unwrap());
    all.filter(|case: &Value| case["category"] == category).collect()
}

/// To the reference people have roles; on a server nobody has one yet, so that what is for a role is for nobody.
const ROLES: [&str; 6] = ["admin", "owner", "it-admin", "network-admin", "billing-admin", "auditor"];

fn speaks_of_roles(case: &Value) -> bool {
    let policy = case["policy"].to_string();
    ROLES.iter().any(|role| policy.contains(&format!("autogroup:{role}")))
}

/// The cases whose policy a server takes, and the others by why it does not.
fn served(category: &str) -> (Vec<(Value, World)>, BTreeMap<String, String>) {
    let (mut served, mut others) = (Vec::new(), BTreeMap::new());
    for case in cases(category).into_iter().filter(|case| !speaks_of_roles(case)) {
        match tailnet::world(&case) {
            Ok(world) => served.push((case, world)),
            Err(why) => drop(others.insert(case["id"].as_str().unwrap().to_owned(), why)),
        }
    }
    (served, others)
}

/// What each node is told that the case says something of.
fn told(case: &Value, world: &World) -> Vec<(Value, MapResponse)> {
    let site = Site { derp_map: Default::default(), collect_logs: false };
    let expected = case["expect"].as_object().into_iter().flatten();
    let nodes = expected.map(|(name, expected)| {
        let node = world.nodes.by_name(name).unwrap_or_else(|| panic!("no node {name}"));
        (expected.clone(), full(world, node, &site, Timestamp::UNIX_EPOCH))
    });
    nodes.collect()
}

#[test]
fn nodes_are_told_the_rules_of_ssh_that_the_reference_tells_them() {
    let (mut rules, mut played) = (0, 0);
    for category in ["ssh", "sshtest"] {
        for (case, world) in served(category).0.iter().filter(|(case, _)| case["accepted"] == true) {
            played += 1;
            for (expected, map) in told(case, world) {
                let ours = serde_json::to_value(map.ssh_policy.unwrap_or_default()).unwrap();
                let (ours, theirs) = (logins(&ours["rules"]), logins(&expected["ssh"]));
                assert_eq!(ours, theirs, "{}", case["id"]);
                rules += theirs.len();
            }
        }
    }
    assert!(played >= 40 && rules >= 60, "{played} cases with {rules} rules");
}

#[test]
fn nodes_are_told_the_capabilities_that_the_reference_tells_them() {
    let (served, others) = served("nodeattrs");
    let mut seen = BTreeSet::new();
    for (case, world) in served.iter().filter(|(case, _)| case["accepted"] == true) {
        for (expected, map) in told(case, world) {
            let ours = serde_json::to_value(&map.node.unwrap().cap_map).unwrap();
            let (ours, theirs) = (caps(&ours), caps(&expected["self"]["caps"]));
            assert_eq!(ours, theirs, "{}", case["id"]);
            seen.extend(theirs);
            for peer in map.peers.iter().flatten() {
                let Some(theirs) = expected["peers"].get(peer.name.split('.').next().unwrap()) else {
                    continue;
                };
                let ours = serde_json::to_value(&peer.cap_map).unwrap();
                assert_eq!(caps(&ours), caps(&theirs["caps"]), "{}", case["id"]);
            }
        }
    }
    assert!(served.len() >= 26 && seen.len() >= 12, "{} cases with {seen:?}; {others:#?}", served.len());
}

#[test]
fn a_policys_own_tests_come_out_as_with_the_reference() {
    let mut outcomes = BTreeMap::new();
    for category in ["policytest", "sshtest"] {
        for (case, world) in served(category).0 {
            let outcome = world.try_policy(&world.policy.policy);
            assert_eq!(outcome.is_ok(), case["accepted"] == true, "{}: {outcome:?}", case["id"]);
            *outcomes.entry(outcome.is_ok()).or_insert(0) += 1;
        }
    }
    assert!(outcomes[&true] >= 10 && outcomes[&false] >= 15, "{outcomes:?}");
}

#[test]
fn nodes_that_are_alike_are_told_one_and_the_same_thing() {
    let mut cases = cases("ssh");
    let case = cases.iter_mut().find(|case| case["id"] == "ssh-c2").unwrap();
    let mut twin = case["nodes"]["beedrill"].clone();
    (twin["ipv4"], twin["ipv6"]) = ("100.64.9.9".into(), "fd7a:115c:a1e0::909".into());
    case["nodes"]["twin"] = twin;
    let world = tailnet::world(case).unwrap();
    let mut logins = Logins::default();
    let mut told = |name: &str| logins.of(&world, world.nodes.by_name(name).unwrap());
    let first = told("beedrill");
    assert!(!first.rules.is_empty() && Arc::ptr_eq(&first, &told("twin")));
    assert!(!Arc::ptr_eq(&first, &told("kakuna")));
}

/// The rules in their order, each with its lists in order.
fn logins(rules: &Value) -> Vec<Value> {
    rules.as_array().into_iter().flatten().map(sorted).collect()
}

/// Names of capabilities, those of an account left out.
fn caps(caps: &Value) -> BTreeSet<String> {
    let all = caps.as_object().into_iter().flatten().map(|(name, _)| name);
    all.filter(|name| !OF_ACCOUNT.contains(&name.rsplit('/').next().unwrap())).cloned().collect()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(list) => {
            let mut list: Vec<_> = list.iter().map(sorted).collect();
            list.sort_by_key(ToString::to_string);
            Value::Array(list)
        }
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect(),
        other => other.clone(),
    }
}
