//! Where our answer to a case is another one than the reference's.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Capabilities that come from settings of an account.
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

pub fn differences(case: &Value) -> Result<(), String> {
    let mut question = case.as_object().unwrap().clone();
    for answer in ["accepted", "error", "expect"] {
        question.remove(answer);
    }
    let answer = policy::answer_case(&Value::Object(question).to_string());
    let answer = serde_json::to_value(answer).unwrap();
    if answer["accepted"] != case["accepted"] {
        return Err(format!("accepted is {}: {}", answer["accepted"], answer["error"]));
    }
    if case["accepted"] == false {
        let (ours, theirs) = (answer["error"].as_str().unwrap(), case["error"].as_str().unwrap());
        return if ours.contains(theirs) { Ok(()) } else { Err(format!("{ours:?} instead of {theirs:?}")) };
    }
    let none = Map::new();
    for (name, expected) in case["expect"].as_object().unwrap_or(&none) {
        let ours = &answer["nodes"][name];
        node(case["category"].as_str().unwrap(), ours, expected).map_err(|what| format!("{name}: {what}"))?;
    }
    Ok(())
}

fn node(category: &str, ours: &Value, theirs: &Value) -> Result<(), String> {
    same("filter", filter(&ours["filter"]), filter(&theirs["filter"]))?;
    same("ssh", ssh(&ours["ssh"]), ssh(&theirs["ssh"]))?;
    if ["routes", "grant"].contains(&category) {
        same("peers", peers(&ours["peers"]), peers(&theirs["peers"]))?;
    }
    if category == "nodeattrs" {
        same("caps", caps(&ours["self"]["caps"]), caps(&theirs["self"]["caps"]))?;
    }
    Ok(())
}

fn same<T: PartialEq + serde::Serialize>(what: &str, ours: T, theirs: T) -> Result<(), String> {
    let text = |value: &T| serde_json::to_string(value).unwrap();
    if ours == theirs { Ok(()) } else { Err(format!("{what} {}\n   not {}", text(&ours), text(&theirs))) }
}

/// The rules as a set; within a rule the order does not matter.
fn filter(rules: &Value) -> Vec<String> {
    let mut rules: Vec<_> =
        rules.as_array().into_iter().flatten().map(|rule| sorted(rule).to_string()).collect();
    rules.sort();
    rules
}

/// The rules in their order, without the address that a check asks.
fn ssh(rules: &Value) -> Vec<Value> {
    let mut rules: Vec<_> = rules.as_array().into_iter().flatten().map(sorted).collect();
    for rule in &mut rules {
        if let Some(address) = rule["action"].get_mut("holdAndDelegate") {
            *address = Value::Null;
        }
    }
    rules
}

/// Peers with what is compared; capabilities without parameters are null.
fn peers(peers: &Value) -> BTreeMap<String, Value> {
    let mut out = BTreeMap::new();
    for (name, peer) in peers.as_object().into_iter().flatten() {
        let list =
            |key: &str| peer.get(key).map(sorted).filter(|v| !v.is_null()).unwrap_or(Value::Array(vec![]));
        let caps = serde_json::to_value(caps(&peer["caps"])).unwrap();
        out.insert(name.clone(), serde_json::json!([list("allowed_ips"), list("primary_routes"), caps]));
    }
    out
}

fn caps(caps: &Value) -> BTreeMap<String, Value> {
    let all = caps.as_object().into_iter().flatten();
    let mine = all.filter(|(name, _)| !OF_ACCOUNT.contains(&name.rsplit('/').next().unwrap()));
    mine.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The value with all its lists in order.
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
