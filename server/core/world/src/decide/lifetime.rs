//! How long nodes and their keys last, and what the clock brings: nodes that stay away, keys that run out, ephemeral
//! nodes that are forgotten.

use ident::{NodeId, UserId};
use jiff::{SignedDuration, Timestamp};

use super::{Decision, node::find, person, presence};
use crate::{
    Answer, Context, DurableEvent, Event, Node, Owner, Presence, Refusal, VolatileEvent, World,
    state::hands_over,
};

const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 366);

/// When the key of a person's device runs out that is accepted now.
pub(super) fn persons_expiry(world: &World, now: Timestamp) -> Option<Timestamp> {
    let long = SignedDuration::try_from(world.settings.key_expiry?).ok()?;
    now.checked_add(long).ok()
}

/// The same for a device of a role.
pub(super) fn roles_expiry(seconds: Option<u64>, now: Timestamp) -> Option<Timestamp> {
    let seconds = i64::try_from(seconds?).unwrap_or(i64::MAX);
    now.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// A device may ask for an earlier expiry of its key, never for a later one.
pub(super) fn earlier(
    usual: Option<Timestamp>,
    asked: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    [usual, asked.filter(|at| *at > now)].into_iter().flatten().min()
}

pub(super) fn expire(world: &World, id: NodeId, ctx: Context) -> Result<Decision, Refusal> {
    let node = find(world, id)?;
    if node.expired {
        return Ok(Decision::nothing(Answer::Node(id)));
    }
    let events = vec![
        DurableEvent::NodeKeyExpirySet { node: id, expiry: Some(ctx.now) }.into(),
        VolatileEvent::KeyExpired { node: id }.into(),
    ];
    Ok(Decision { events, answer: Answer::Node(id) })
}

pub(super) fn set(
    world: &World,
    id: NodeId,
    expiry: Option<Timestamp>,
    ctx: Context,
) -> Result<Decision, Refusal> {
    let node = find(world, id)?;
    let longest = ctx.now.checked_add(LONGEST).unwrap_or(Timestamp::MAX);
    if expiry.is_some_and(|at| at <= ctx.now || at > longest) {
        return Err(Refusal::OutOfRange { what: "expiry", rule: "in the future and at most 366d away" });
    }
    if !node.expired && node.key_expiry == expiry && node.never_expires == expiry.is_none() {
        return Ok(Decision::nothing(Answer::Node(id)));
    }
    Ok(Decision::one(DurableEvent::NodeKeyExpirySet { node: id, expiry }, Answer::Node(id)))
}

/// A key that has run out stays so: the device has to come back, whosever it is.
pub(super) fn move_to(world: &World, id: NodeId, user: UserId, ctx: Context) -> Result<Decision, Refusal> {
    let node = find(world, id)?;
    person::find(world, user)?;
    if node.owner == Owner::User(user) {
        return Ok(Decision::nothing(Answer::Node(id)));
    }
    if let Some(other) = world.nodes.by_slot(node.machine, Some(user)) {
        return Err(Refusal::Exists {
            noun: "node of this person on this machine",
            name: other.name.clone(),
        });
    }
    let usual = persons_expiry(world, ctx.now).filter(|_| !node.never_expires);
    let expiry = if node.expired { node.key_expiry } else { usual };
    Ok(Decision::one(DurableEvent::NodeMoved { node: id, user, expiry }, Answer::Node(id)))
}

pub(super) fn tick(world: &World, ctx: Context) -> Decision {
    let due = world.due(ctx.now);
    let events = due.iter().flat_map(|node| at_deadline(world, node, ctx)).collect();
    Decision { events, answer: Answer::Done }
}

fn at_deadline(world: &World, node: &Node, ctx: Context) -> Vec<Event> {
    let mut events = Vec::new();
    if world.forget_at(node).is_some_and(|at| at <= ctx.now) {
        return vec![DurableEvent::NodeDeleted { node: node.id }.into()];
    }
    match node.live.presence {
        Presence::Leaving { until, .. } if until <= ctx.now => {
            let last_seen = node.live.last_seen.or(Some(ctx.now));
            events.push(presence::changed(node, Presence::Offline, last_seen).into());
        }
        Presence::Leaving { routes_until, .. } if routes_until <= ctx.now && hands_over(node) => {
            events.push(VolatileEvent::Responsive { node: node.id, responsive: false }.into());
        }
        Presence::Leaving { .. } | Presence::Connected { .. } | Presence::Offline => {}
    }
    if !node.expired && node.key_expiry.is_some_and(|at| at <= ctx.now) {
        events.push(VolatileEvent::KeyExpired { node: node.id }.into());
    }
    events
}
