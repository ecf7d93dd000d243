//! What Ansible is told of one device.

use api::node::Node;
use serde_json::{Map, Value, json};

use super::Address;

/// The variables of a device. Addresses and moments are the server's own; everything else may come from whoever holds
/// the device, and is marked.
pub fn of(node: &Node, address: Address) -> Map<String, Value> {
    let place = match address {
        Address::Ipv4 => json!(node.ipv4),
        Address::Ipv6 => json!(node.ipv6),
        Address::Name => marked(&node.fqdn),
    };
    let tags: Vec<_> = node.tags.iter().map(|t| marked(t.as_str())).collect();
    let vars = json!({
        "ansible_host": place,
        "mesh_id": node.id,
        "mesh_name": marked(&node.name),
        "mesh_fqdn": marked(&node.fqdn),
        "mesh_ipv4": node.ipv4,
        "mesh_ipv6": node.ipv6,
        "mesh_online": node.online,
        "mesh_last_seen": node.last_seen,
        "mesh_expires": node.expires,
        "mesh_ephemeral": node.ephemeral,
        "mesh_tags": tags,
        "mesh_user": node.user.as_deref().map(marked),
        "mesh_os": marked(&node.os),
        "mesh_client_version": marked(&node.client_version),
        "mesh_routes": node.approved_routes,
    });
    match vars {
        Value::Object(vars) => vars,
        _ => Map::new(),
    }
}

/// A string that Ansible never takes for a template.
fn marked(text: &str) -> Value {
    json!({ "__ansible_unsafe": text })
}
