//! Letting a device in that came without a key, because somebody who may has looked at it.

use ident::{Tag, UserId};
use jiff::Timestamp;

use super::{
    Decision,
    lifetime::{earlier, persons_expiry, roles_expiry},
    person, presence,
    register::{known_node, new_node, permitted_tags},
};
use crate::{
    Answer, Context, DurableEvent, Event, NewOwner, Node, NonEmpty, Owner, Presence, Refusal, Registration,
    World,
};

/// Whose a device becomes, and for how long.
struct Share {
    owner: Owner,
    responsible: Option<UserId>,
    expiry: Option<Timestamp>,
    ephemeral: bool,
}

/// The machine's node of that owner comes back with the new key; if there is none, the device is a new node.
pub(super) fn approve(
    world: &World,
    r: &Registration,
    owner: &NewOwner,
    ctx: Context,
) -> Result<Decision, Refusal> {
    let known = known_node(world, r)?;
    let share = match owner {
        NewOwner::User(user) => of_user(world, r, *user, ctx)?,
        NewOwner::Role(role) => of_role(world, r, role, ctx)?,
        NewOwner::Same => as_before(world, r, ctx)?,
    };
    if let Some(node) = known.filter(|node| node.owner.slot() != share.owner.slot()) {
        return Err(Refusal::Exists { noun: "node with this key", name: node.name.clone() });
    }
    if let Some(node) = known.filter(|node| node.accepted() && node.owner == share.owner) {
        return Ok(Decision::nothing(Answer::Node(node.id)));
    }
    match world.nodes.by_slot(r.machine, share.owner.slot()) {
        Some(node) => Ok(readmitted(r, node, share, ctx)),
        None => joined(world, r, share, ctx),
    }
}

/// Who is in already is not refused but deleted.
pub(super) fn deny(world: &World, r: &Registration) -> Result<Decision, Refusal> {
    let known = known_node(world, r)?;
    if let Some(node) = known.filter(|node| node.accepted()) {
        return Err(Refusal::Exists { noun: "node with this key", name: node.name.clone() });
    }
    let (machine, node_key, hostname) = (r.machine, r.node_key, r.hostinfo.hostname.clone());
    Ok(Decision::one(DurableEvent::LoginDenied { machine, node_key, hostname }, Answer::Done))
}

/// A person's own device; or a tagged one, when it asks for tags that the person may give.
fn of_user(world: &World, r: &Registration, id: UserId, ctx: Context) -> Result<Share, Refusal> {
    let user = person::find(world, id)?;
    let requested = &r.hostinfo.request_tags;
    permitted_tags(requested, |tag| world.policy.policy.may_own(&user.login, tag))?;
    let tags: Vec<Tag> = requested.iter().filter_map(|tag| tag.parse().ok()).collect();
    Ok(match NonEmpty::new(tags) {
        Some(tags) => Share {
            owner: Owner::Tags(tags),
            responsible: Some(id),
            expiry: earlier(None, r.expiry, ctx.now),
            ephemeral: r.ephemeral,
        },
        None => Share {
            owner: Owner::User(id),
            responsible: None,
            expiry: earlier(persons_expiry(world, ctx.now), r.expiry, ctx.now),
            ephemeral: r.ephemeral,
        },
    })
}

fn of_role(world: &World, r: &Registration, name: &str, ctx: Context) -> Result<Share, Refusal> {
    let missing = || Refusal::NotFound { noun: "role", name: name.to_owned() };
    let role = world.roles.get(name).ok_or_else(missing)?;
    permitted_tags(&r.hostinfo.request_tags, |tag| role.tags.contains(tag))?;
    Ok(Share {
        owner: Owner::Tags(role.tags.clone()),
        responsible: None,
        expiry: earlier(roles_expiry(role.key.node_expiry_seconds, ctx.now), r.expiry, ctx.now),
        ephemeral: role.key.ephemeral || r.ephemeral,
    })
}

/// The key before must be one of the same machine.
fn as_before(world: &World, r: &Registration, ctx: Context) -> Result<Share, Refusal> {
    let before = r.old_node_key.and_then(|key| world.nodes.by_node_key(&key));
    let held = before.or_else(|| world.nodes.by_node_key(&r.node_key));
    let node = held.filter(|node| node.machine == r.machine).ok_or(Refusal::WhoseDevice)?;
    let (owner, responsible) = (node.owner.clone(), node.responsible);
    permitted_tags(&r.hostinfo.request_tags, |tag| owner.tags().contains(tag))?;
    let usual = match &owner {
        Owner::User(_) => persons_expiry(world, ctx.now),
        Owner::Tags(tags) => {
            // Which role it came by is not known any more; the strictest one that gives these tags counts.
            let roles = world.roles.values().filter(|role| role.tags == *tags);
            roles_expiry(roles.filter_map(|role| role.key.node_expiry_seconds).min(), ctx.now)
        }
    };
    let expiry = earlier(usual, r.expiry, ctx.now);
    Ok(Share { owner, responsible, expiry, ephemeral: node.ephemeral || r.ephemeral })
}

fn readmitted(r: &Registration, node: &Node, share: Share, ctx: Context) -> Decision {
    let Share { owner, responsible, expiry, ephemeral } = share;
    let expiry = expiry.filter(|_| !node.never_expires);
    let (id, node_key) = (node.id, r.node_key);
    // What it says of itself comes whole with its next report.
    let back = DurableEvent::NodeReadmitted { node: id, node_key, owner, responsible, ephemeral, expiry };
    let mut events: Vec<Event> = vec![back.into()];
    if node.live.presence == Presence::Offline {
        events.push(presence::changed(node, Presence::Offline, Some(ctx.now)).into());
    }
    Decision { events, answer: Answer::Node(id) }
}

fn joined(world: &World, r: &Registration, share: Share, ctx: Context) -> Result<Decision, Refusal> {
    let Share { owner, responsible, expiry, ephemeral } = share;
    let node = new_node(world, r, owner, responsible, ctx)?;
    let node = Node { key_expiry: expiry, ephemeral, ..node };
    let id = node.id;
    Ok(Decision::one(DurableEvent::NodeRegistered { node: Box::new(node) }, Answer::Node(id)))
}
