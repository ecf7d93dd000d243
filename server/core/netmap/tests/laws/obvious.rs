//! The obvious, slow way: the policy is asked about everybody at once, as if there were no classes and no badges.

use std::collections::BTreeMap;

use policy::{Device, Document, Person, Roster, View};
use serde_json::{Value, json};
use wire::MapResponse;
use world::{Node, World};

/// Capabilities that say no more than that the policy has a rule of SSH.
const OF_SSH: [&str; 2] = ["https://tailscale.com/cap/ssh", "ssh-env-vars"];

/// What each node that takes part is told, by its name. None where the policy names a domain that is not the tailnet's.
pub fn answer(world: &World) -> Option<BTreeMap<String, View>> {
    let people: Vec<_> = world.users.values().collect();
    let device = |node: &Node| Device {
        traits: Some(node.traits()),
        name: node.name.clone(),
        host: node.name.clone(),
        tags: node.owner.tags().to_vec(),
        owner: node.owner.user().and_then(|id| people.iter().position(|user| user.id == id)),
        v4: node.v4,
        v6: node.v6,
        routes: node.served_routes(),
    };
    let devices = world.nodes.iter().filter(|node| node.class.is_some()).map(|node| device(node)).collect();
    let people = people.iter().map(|user| Person {
        name: user.login.clone(),
        email: user.login.split_once('@').map(|_| user.login.clone()).unwrap_or_default(),
        roles: None,
    });
    let roster = Roster { people: people.collect(), devices };
    Document::parse(world.policy.policy.text()).unwrap().answer(&roster).ok()
}

/// Rules of SSH, own capabilities, capabilities of peers: as found in an answer.
pub fn found(view: &View, map: &MapResponse) -> Value {
    let peer = |name: &str| view.peers.get(name).map(|peer| &peer.caps);
    let peers = map.peers.iter().flatten().map(|node| label(&node.name));
    let peers: BTreeMap<_, _> = peers.map(|name| (name, peer(name).map(caps))).collect();
    json!({"ssh": sorted(&json!(view.ssh)), "own": caps(&view.own.caps), "peers": peers})
}

/// The same as told in a map.
pub fn told(map: &MapResponse) -> Value {
    let listed = |caps: &wire::CapMap| -> BTreeMap<String, Value> {
        let own = caps.iter().filter(|(name, _)| !OF_SSH.contains(&name.as_str()));
        own.map(|(name, parameters)| (name.clone(), sorted(&json!(parameters)))).collect()
    };
    let ssh = map.ssh_policy.as_ref().map(|policy| json!(policy.rules)).unwrap_or_else(|| json!([]));
    let peers: BTreeMap<_, _> =
        map.peers.iter().flatten().map(|node| (label(&node.name), Some(listed(&node.cap_map)))).collect();
    let own = map.node.as_ref().map(|node| listed(&node.cap_map));
    json!({"ssh": sorted(&ssh), "own": own, "peers": peers})
}

fn label(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

fn caps(caps: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let listed = |value: &Value| if value.is_null() { json!([]) } else { sorted(value) };
    caps.iter().map(|(name, value)| (name.clone(), listed(value))).collect()
}

/// With all lists but the outermost in order: rules keep theirs.
fn sorted(rules: &Value) -> Value {
    fn within(value: &Value) -> Value {
        match value {
            Value::Array(list) => {
                let mut list: Vec<_> = list.iter().map(within).collect();
                list.sort_by_key(ToString::to_string);
                list.into()
            }
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), within(value))).collect(),
            other => other.clone(),
        }
    }
    rules.as_array().map_or_else(|| within(rules), |rules| rules.iter().map(within).collect())
}
