//! The cases of the corpus that the reference took, as rosters, policies and what each node was told.

use std::collections::BTreeMap;

use policy::{Device, Person, Roster};
use serde_json::Value;

use crate::compare::Told;

const FILES: [&str; 7] = [
    include_str!("../../../../../tests/policy/corpus/acl.jsonl"),
    include_str!("../../../../../tests/policy/corpus/grant.jsonl"),
    include_str!("../../../../../tests/policy/corpus/nodeattrs.jsonl"),
    include_str!("../../../../../tests/policy/corpus/policytest.jsonl"),
    include_str!("../../../../../tests/policy/corpus/routes.jsonl"),
    include_str!("../../../../../tests/policy/corpus/ssh.jsonl"),
    include_str!("../../../../../tests/policy/corpus/sshtest.jsonl"),
];

/// Sections that say nothing of filters and peers.
const ELSEWHERE: [&str; 4] = ["ssh", "nodeAttrs", "tests", "sshTests"];

pub struct Case {
    pub id: String,
    pub roster: Roster,
    pub policy: String,
    pub says_nothing_of_access: bool,
    /// By the name of the device; nothing where the policy says nothing of access.
    pub expect: BTreeMap<String, Told>,
}

pub fn accepted() -> Vec<Case> {
    let lines = FILES.iter().flat_map(|text| text.lines());
    let cases = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    cases.filter(|case| case["accepted"] == true).map(|case| read(&case)).collect()
}

fn read(case: &Value) -> Case {
    let mut policy = case["policy"].as_object().unwrap().clone();
    ELSEWHERE.iter().for_each(|section| drop(policy.remove(*section)));
    let says_nothing_of_access = !policy.contains_key("acls") && !policy.contains_key("grants");
    let with_peers = ["routes", "grant"].contains(&case["category"].as_str().unwrap());
    let expect = case["expect"].as_object().into_iter().flatten().filter(|_| !says_nothing_of_access);
    Case {
        id: case["id"].as_str().unwrap().to_owned(),
        roster: roster(case),
        policy: Value::Object(policy).to_string(),
        says_nothing_of_access,
        expect: expect.map(|(name, told)| (name.clone(), Told::of_case(told, with_peers))).collect(),
    }
}

fn roster(case: &Value) -> Roster {
    let mut users: Vec<&Value> = case["users"].as_array().unwrap().iter().collect();
    users.sort_by_key(|user| user["id"].as_u64());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
    let people = users.iter().map(|user| Person {
        name: text(&user["name"]),
        email: text(&user["email"]),
        roles: Some(Vec::new()),
    });
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let devices = case["nodes"].as_object().unwrap().iter().map(|(name, node)| Device {
        traits: None,
        name: name.clone(),
        host: node["hostname"].as_str().unwrap_or(name).to_owned(),
        tags: strings(&node["tags"]).iter().map(|tag| tag.parse().unwrap()).collect(),
        owner: users.iter().position(|user| user["name"] == node["user"]),
        v4: node["ipv4"].as_str().unwrap().parse().unwrap(),
        v6: node["ipv6"].as_str().unwrap().parse().unwrap(),
        routes: strings(&node["approved_routes"]).iter().map(|route| route.parse().unwrap()).collect(),
    });
    let mut devices: Vec<_> = devices.collect();
    by_age(&mut devices);
    Roster { people: people.collect(), devices }
}

/// A case does not say which device is the oldest: more tags, then the last name, equal names by their number.
fn by_age(devices: &mut [Device]) {
    let number = |name: &str| {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        (stem.to_owned(), name[stem.len()..].parse::<u64>().ok())
    };
    devices.sort_by(|a, b| {
        let ((stem, count), (other, other_count)) = (number(&a.name), number(&b.name));
        b.tags.len().cmp(&a.tags.len()).then(other.cmp(&stem)).then(count.cmp(&other_count))
    });
}
