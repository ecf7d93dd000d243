//! The World's people and devices, as questions about a policy want them.

use std::collections::{BTreeMap, BTreeSet};

use ident::Tag;
use policy::{Device, Person, Roster};
use world::World;

/// Everybody who is there, and the sets of tags that devices can get by a role or a key.
pub(super) fn of(world: &World) -> (Roster, Vec<Vec<Tag>>) {
    let places: BTreeMap<_, _> = world.users.keys().zip(0..).collect();
    let people = world.users.values().map(|user| {
        let name = user.login.to_lowercase();
        let email = if name.contains('@') { name.clone() } else { String::new() };
        Person { name, email, roles: Some(Vec::new()) }
    });
    let devices = world.nodes.iter().map(|node| Device {
        name: node.name.clone(),
        host: node.name.clone(),
        tags: node.owner.tags().to_vec(),
        owner: node.owner.user().and_then(|user| places.get(&user).copied()),
        v4: node.v4,
        v6: node.v6,
        routes: node.approved_routes.union(&node.auto_routes).copied().collect(),
        traits: Some(node.traits()),
    });
    let keys = world.auth_keys.values().filter(|key| key.revoked.is_none());
    let kinds: BTreeSet<Vec<Tag>> = world
        .roles
        .values()
        .map(|role| role.tags.as_slice().to_vec())
        .chain(keys.map(|key| key.tags().to_vec()).filter(|tags| !tags.is_empty()))
        .collect();
    (Roster { people: people.collect(), devices: devices.collect() }, kinds.into_iter().collect())
}
