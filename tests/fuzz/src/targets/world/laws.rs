//! What must hold at the end of a history.

use std::sync::Arc;

use netmap::Site;
use serde_json::Value;
use world::{Rows, World};

use super::Tailnet;
use crate::targets::law;

/// Every node's map can be made and sent, names the node itself nowhere among its peers, and hides what the policy hides.
pub(super) fn maps(tailnet: &Tailnet) -> Result<(), String> {
    let (world, site) = (&tailnet.world, Site { derp_map: Arc::default(), collect_logs: false });
    for node in world.nodes.iter() {
        let map = netmap::full(world, node, &site, tailnet.now);
        let sent = wire::encode(&map).map_err(|error| format!("a map cannot be sent: {error}"))?;
        let json: Value =
            serde_json::from_slice(&sent).map_err(|error| format!("a map is no JSON: {error}"))?;
        law(!sent.contains(&b'\\'), || "a map holds an escape".to_owned())?;
        for peer in json.get("Peers").and_then(Value::as_array).into_iter().flatten() {
            let id = peer.get("ID").and_then(Value::as_u64);
            let seen = world.nodes.iter().find(|other| Some(other.id.get()) == id);
            let right = seen.is_some_and(|other| world.sees(node, other));
            law(right, || format!("node {} is told of {id:?}, which it may not see", node.id))?;
        }
    }
    Ok(())
}

/// What a store would keep gives the same World at the next start.
pub(super) fn reload(tailnet: &Tailnet) -> Result<(), String> {
    let world = &tailnet.world;
    let mut nodes = Vec::new();
    for node in world.nodes.iter() {
        let row =
            serde_json::to_string(&**node).map_err(|error| format!("a node cannot be stored: {error}"))?;
        nodes.push(serde_json::from_str(&row).map_err(|error| format!("stops a boot: {error} in {row}"))?);
    }
    let loaded = World::load(
        (*world.settings).clone(),
        Rows {
            users: world.users.values().map(|user| (**user).clone()).collect(),
            roles: world.roles.values().map(|role| (**role).clone()).collect(),
            auth_keys: world.auth_keys.values().map(|key| (**key).clone()).collect(),
            api_keys: world.api_keys.values().map(|key| (**key).clone()).collect(),
            nodes,
            bound: world.bound.iter().map(|(key, machine)| (*key, *machine)).collect(),
            primaries: world.primaries.iter().map(|(prefix, node)| (*prefix, *node)).collect(),
            policy: world.policy.clone(),
            dns: Some((*world.dns).clone()),
            next: world.next_ids(),
        },
    );
    loaded.check_invariants()?;
    let rows = |world: &World| -> Vec<String> {
        world.nodes.iter().filter_map(|node| serde_json::to_string(&**node).ok()).collect()
    };
    law(rows(&loaded) == rows(world), || "another World comes back from its rows".to_owned())
}
