//! A device in headscale's words.

use api::v1::node::{Node, RegisterMethod};
use ipnet::IpNet;
use jiff::Timestamp;
use world::{Presence, World};

use super::super::{preauthkey, user};

/// As it is; who is connected was seen at that moment.
pub fn view(world: &World, node: &world::Node, now: Option<Timestamp>) -> Node {
    let seen = if is_connected(node) { now } else { node.live.last_seen };
    let key = node.auth_key.and_then(|id| world.auth_keys.get(&id));
    let tags: Vec<String> = node.owner.tags().iter().map(ToString::to_string).collect();
    let texts = |routes: &mut dyn Iterator<Item = IpNet>| routes.map(|r| r.to_string()).collect();
    let exit = node.served_routes().into_iter().filter(|r| r.prefix_len() == 0);
    Node {
        id: node.id.get(),
        machine_key: node.machine.to_string(),
        node_key: node.node_key.to_string(),
        disco_key: node.live.disco.map(|key| key.to_string()).unwrap_or_default(),
        ip_addresses: vec![node.v4.to_string(), node.v6.to_string()],
        name: node.hostinfo.hostname.clone(),
        user: node.owner.user().and_then(|id| world.users.get(&id)).map(|u| user::view(u)),
        last_seen: seen.map(Into::into),
        expiry: node.key_expiry.map(Into::into),
        pre_auth_key: key.map(|key| preauthkey::view(world, key)),
        created_at: Some(node.created.into()),
        register_method: match node.auth_key {
            Some(_) => RegisterMethod::AuthKey,
            None => RegisterMethod::Cli,
        }
        .into(),
        forced_tags: tags.clone(),
        invalid_tags: Vec::new(),
        valid_tags: Vec::new(),
        given_name: node.name.clone(),
        online: node.online(),
        approved_routes: texts(&mut node.approved_routes.union(&node.auto_routes).copied()),
        available_routes: texts(&mut node.hostinfo.routable_ips.iter().copied()),
        subnet_routes: texts(&mut world.primary_routes(node).chain(exit)),
        tags,
    }
}

/// Whether it listens.
pub fn is_connected(node: &world::Node) -> bool {
    matches!(node.live.presence, Presence::Connected { .. })
}
