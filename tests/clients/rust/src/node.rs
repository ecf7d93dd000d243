//! What the client knows of a node, as JSON.

use serde_json::{Value, json};
use tailscale::NodeInfo;

/// The parts of a node that a story looks at. `status` is the client's own wording: `online`, `unknown`, `offline, ...`.
pub fn describe(node: &NodeInfo) -> Value {
    json!({
        "id": node.id,
        "stable_id": node.stable_id.0,
        "hostname": node.hostname,
        "fqdn": node.fqdn(false),
        "ipv4": node.tailnet_address.ipv4.addr(),
        "ipv6": node.tailnet_address.ipv6.addr(),
        "node_key": node.node_key.to_string(),
        "status": node.status.to_string(),
        "tags": node.tags,
        "endpoints": node.underlay_addresses,
        "home_derp": node.derp_region.map(|region| region.0.get()),
        "routes": node.accepted_routes.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
