//! Rows to a World, at a start.

use std::sync::Arc;

use ident::{MachineKey, NodeId, NodeKey};
use ipnet::IpNet;

use crate::{
    ApiKey, AuthKey, Classes, Dns, Draft, Node, Prepared, Role, Settings, User, World, state::NextIds,
};

/// Everything that a store keeps of a tailnet.
#[derive(Debug, Clone)]
pub struct Rows {
    /// People.
    pub users: Vec<User>,
    /// Roles.
    pub roles: Vec<Role>,
    /// Pre-auth keys.
    pub auth_keys: Vec<AuthKey>,
    /// Credentials of the admin API.
    pub api_keys: Vec<ApiKey>,
    /// Devices with their last values, all offline.
    pub nodes: Vec<Node>,
    /// Node keys and the machines that they belong to; those of `nodes` need not be among them.
    pub bound: Vec<(NodeKey, MachineKey)>,
    /// Which node served each route.
    pub primaries: Vec<(IpNet, NodeId)>,
    /// The policy in force.
    pub policy: Prepared,
    /// DNS; none when nothing of it was ever changed.
    pub dns: Option<Dns>,
    /// The ids to give next.
    pub next: NextIds,
}

impl World {
    /// The World that these rows describe.
    pub fn load(settings: Settings, rows: Rows) -> World {
        let mut world = World::empty(settings);
        world.classes = Classes::new(1, rows.policy.compiled.clone());
        world.policy = rows.policy;
        world.dns = rows.dns.map_or(world.dns, Arc::new);
        world.users = rows.users.into_iter().map(|u| (u.id, Arc::new(u))).collect();
        world.roles = rows.roles.into_iter().map(|r| (r.name.clone(), Arc::new(r))).collect();
        world.auth_keys = rows.auth_keys.into_iter().map(|k| (k.id, Arc::new(k))).collect();
        world.api_keys = rows.api_keys.into_iter().map(|k| (k.id, Arc::new(k))).collect();
        world.bound = rows.bound.into_iter().collect();
        let mut draft = Draft { world, changes: Vec::new() };
        for node in rows.nodes {
            draft.join(node);
        }
        let mut world = draft.world;
        let serves = |(p, id): &(IpNet, NodeId)| {
            world.nodes.get(*id).is_some_and(|n| n.subnet_routes().any(|r| r == *p))
        };
        world.primaries = rows.primaries.iter().filter(|row| serves(row)).copied().collect();
        world.choose_routers();
        world.next = rows.next;
        world
    }
}
