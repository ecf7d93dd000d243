//! People as nodes refer to them, and the pseudo user that stands for tags.

use std::collections::BTreeMap;

use ident::UserId;
use wire::UserProfile;
use world::{ClassId, Node, World};

use crate::peer::visible;

/// Owner of every tagged node.
const TAGGED: UserId = UserId::LAST;

/// The profile that the node's `User` refers to: its owner, or the pseudo user of tagged nodes.
pub fn owner_profile(world: &World, node: &Node) -> UserProfile {
    profile(world, owner_id(node))
}

/// Every user that the viewer or one of its peers refers to, in the order of their ids.
pub fn profiles(world: &World, viewer: &Node) -> Vec<UserProfile> {
    let owners = visible(world, viewer.class).map(|n| owner_id(n));
    named(world, owners.chain([owner_id(viewer)]))
}

pub(crate) fn owner_id(node: &Node) -> UserId {
    node.owner.user().unwrap_or(TAGGED)
}

/// Profiles of these users, each once, in the order of their ids.
pub(crate) fn named(world: &World, users: impl Iterator<Item = UserId>) -> Vec<UserProfile> {
    let mut found = BTreeMap::new();
    for id in users {
        found.entry(id).or_insert_with(|| profile(world, id));
    }
    found.into_values().collect()
}

/// Whether some node that the class sees belongs to the user.
pub(crate) fn refers_to(world: &World, viewer: Option<ClassId>, user: UserId) -> bool {
    visible(world, viewer).any(|n| owner_id(n) == user)
}

fn profile(world: &World, id: UserId) -> UserProfile {
    let (login, display) = match world.users.get(&id) {
        Some(user) => (user.login.as_str(), user.display_name.as_str()),
        None => ("tagged-devices", "Tagged Devices"),
    };
    let display = if display.is_empty() { login } else { display };
    UserProfile {
        id,
        login_name: login.to_owned(),
        display_name: display.to_owned(),
        profile_pic_url: String::new(),
    }
}
