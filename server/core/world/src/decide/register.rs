//! Joining, coming back and leaving. A node is its machine key and its owner; a node key belongs to one machine for good.

use std::{collections::BTreeSet, sync::Arc};

use ident::{MachineKey, NodeKey, Tag, UserId};
use jiff::{SignedDuration, Timestamp};

use super::{
    Decision,
    address::addresses,
    lifetime::{earlier, persons_expiry, roles_expiry},
    name, presence,
};
use crate::{
    Answer, AuthKey, Context, DurableEvent, Event, Lifecycle, Live, Node, Owner, Presence, Refusal,
    Registered, Registration, World,
};

/// How long joining takes at most: a client that begins again by then has paid already.
const JOINS_WITHIN: SignedDuration = SignedDuration::from_mins(5);

pub(super) fn register(world: &World, r: &Registration, ctx: Context) -> Result<Decision, Refusal> {
    let known = known_node(world, r)?;
    match (&r.proof, known) {
        (None, Some(node)) => Ok(restarted(world, r, node, ctx)),
        (None, None) => Err(Refusal::AuthRequired),
        (Some(_), Some(node)) if paid_already(r, node) && proves(world, r) => {
            Ok(here_again(world, r, node, ctx))
        }
        // A key that was expired stays expired, and that of a person's device is no tagged one's: the device comes back
        // with a fresh one.
        (Some(_), Some(node)) if node.expired || node.owner.user().is_some() => {
            valid_key(world, r, ctx)?;
            Ok(Decision::nothing(Answer::Registered(Registered::KeyExpired)))
        }
        (Some(_), _) => with_key(world, r, ctx),
    }
}

pub(super) fn logout(world: &World, machine: MachineKey, node_key: NodeKey) -> Result<Decision, Refusal> {
    let node =
        world.nodes.by_node_key(&node_key).filter(|n| n.machine == machine).ok_or(Refusal::NotYourNode)?;
    let answer = Answer::Registered(Registered::KeyExpired);
    if node.ephemeral {
        return Ok(Decision::one(DurableEvent::NodeDeleted { node: node.id }, answer));
    }
    if node.lifecycle == Lifecycle::LoggedOut {
        return Ok(Decision::nothing(answer));
    }
    Ok(Decision::one(DurableEvent::NodeLoggedOut { node: node.id }, answer))
}

/// The node that has the key to register. The key must be the caller's, or nobody's yet.
pub(super) fn known_node<'a>(world: &'a World, r: &Registration) -> Result<Option<&'a Arc<Node>>, Refusal> {
    if world.bound.get(&r.node_key).is_some_and(|machine| *machine != r.machine) {
        return Err(Refusal::NodeKeyTaken);
    }
    Ok(world.nodes.by_node_key(&r.node_key))
}

/// No key, known node: it is in, or its key is no longer accepted.
fn restarted(world: &World, r: &Registration, node: &Node, ctx: Context) -> Decision {
    if node.accepted() {
        return here_again(world, r, node, ctx);
    }
    Decision::nothing(Answer::Registered(Registered::KeyExpired))
}

/// The same request again: the reply was lost, or the client restarted with its spent key still configured.
fn paid_already(r: &Registration, node: &Node) -> bool {
    node.accepted() && node.auth_key.is_some() && node.auth_key == r.proof.as_ref().map(|p| p.id)
}

fn proves(world: &World, r: &Registration) -> bool {
    r.proof
        .as_ref()
        .is_some_and(|p| world.auth_keys.get(&p.id).is_some_and(|k| k.verifier.matches(&p.verifier)))
}

/// It is in. An ephemeral node that was away has its time again until it listens.
fn here_again(world: &World, r: &Registration, node: &Node, ctx: Context) -> Decision {
    let mut events = super::report::hostinfo_events(world, node, &r.hostinfo, ctx);
    if node.ephemeral && node.live.presence == Presence::Offline {
        events.push(presence::changed(node, Presence::Offline, Some(ctx.now)).into());
    }
    Decision { events, answer: Answer::Registered(Registered::Active(node.id)) }
}

fn with_key(world: &World, r: &Registration, ctx: Context) -> Result<Decision, Refusal> {
    let key = valid_key(world, r, ctx)?;
    permitted_tags(&r.hostinfo.request_tags, |tag| key.tags().contains(tag))?;
    let owner = key.owner().ok_or(Refusal::AuthKey("of nobody"))?;
    match world.nodes.by_slot(r.machine, owner.slot()) {
        Some(node) => Ok(reauthenticated(world, r, node, key, ctx)),
        None => joined(world, r, key, owner, ctx),
    }
}

fn valid_key<'a>(world: &'a World, r: &Registration, ctx: Context) -> Result<&'a AuthKey, Refusal> {
    let unknown = Refusal::AuthKey("unknown or mistyped");
    let Some(proof) = &r.proof else { return Err(Refusal::AuthRequired) };
    let key = world.auth_keys.get(&proof.id).ok_or(unknown.clone())?;
    if !key.verifier.matches(&proof.verifier) {
        return Err(unknown);
    }
    if key.revoked.is_some() {
        return Err(Refusal::AuthKey("revoked"));
    }
    if key.expires <= ctx.now {
        return Err(Refusal::AuthKey("expired"));
    }
    if key.tags.is_none() && !world.settings.allow_untagged {
        return Err(Refusal::AuthKey("without a role, and such keys are not taken here"));
    }
    if !key.reusable && key.used > 0 && !has_just_paid(world, r, key, ctx) {
        return Err(Refusal::AuthKey("single-use and already used"));
    }
    Ok(key)
}

/// An official client that is told to join may begin twice, each time with a node key of its own (`tailscale up` starts a login
/// and, a moment later, another one), and only the machine that spent the key can say so.
fn has_just_paid(world: &World, r: &Registration, key: &AuthKey, ctx: Context) -> bool {
    let Some(owner) = key.owner() else { return false };
    let lately = key.last_used.is_some_and(|at| ctx.now.duration_since(at) <= JOINS_WITHIN);
    // Who has other tags since then would get back what was taken away.
    let is_as_it_joined =
        |node: &Arc<Node>| node.accepted() && node.auth_key == Some(key.id) && node.owner == owner;
    lately && world.nodes.by_slot(r.machine, owner.slot()).is_some_and(is_as_it_joined)
}

pub(super) fn permitted_tags(requested: &[String], may: impl Fn(&Tag) -> bool) -> Result<(), Refusal> {
    let permitted = |t: &&String| t.parse().is_ok_and(|tag| may(&tag));
    let refused: Vec<_> = requested.iter().filter(|t| !permitted(t)).map(|t| wire::plain(t)).collect();
    if refused.is_empty() { Ok(()) } else { Err(Refusal::TagsNotPermitted(refused.join(", "))) }
}

fn reauthenticated(world: &World, r: &Registration, node: &Node, key: &AuthKey, ctx: Context) -> Decision {
    let pays = key.reusable || key.used == 0;
    let used = pays.then_some(DurableEvent::AuthKeyUsed { key: key.id, node: node.id, at: ctx.now });
    let mut events: Vec<Event> = used.into_iter().map(Event::from).collect();
    events.push(
        DurableEvent::NodeReauthenticated {
            node: node.id,
            node_key: r.node_key,
            tags: key.tags.clone(),
            responsible: key.user,
            auth_key: key.id,
            ephemeral: key.ephemeral || r.ephemeral,
            expiry: usual_expiry(world, key, ctx).filter(|_| !node.never_expires),
        }
        .into(),
    );
    events.extend(super::report::hostinfo_events(world, node, &r.hostinfo, ctx));
    if node.live.presence == Presence::Offline {
        events.push(presence::changed(node, Presence::Offline, Some(ctx.now)).into());
    }
    Decision { events, answer: Answer::Registered(Registered::Active(node.id)) }
}

fn joined(
    world: &World,
    r: &Registration,
    key: &AuthKey,
    owner: Owner,
    ctx: Context,
) -> Result<Decision, Refusal> {
    let responsible = key.user.filter(|_| owner.user().is_none());
    let node = new_node(world, r, owner, responsible, ctx)?;
    let node = Node {
        auth_key: Some(key.id),
        key_expiry: earlier(usual_expiry(world, key, ctx), r.expiry, ctx.now),
        ephemeral: key.ephemeral || r.ephemeral,
        ..node
    };
    let id = node.id;
    let events = vec![
        DurableEvent::AuthKeyUsed { key: key.id, node: id, at: ctx.now }.into(),
        DurableEvent::NodeRegistered { node: Box::new(node) }.into(),
    ];
    Ok(Decision { events, answer: Answer::Registered(Registered::Active(id)) })
}

/// Until when the node key of a device is accepted that comes with this key.
fn usual_expiry(world: &World, key: &AuthKey, ctx: Context) -> Option<Timestamp> {
    match key.tags {
        Some(_) => roles_expiry(key.node_expiry_seconds, ctx.now),
        None => persons_expiry(world, ctx.now),
    }
}

/// A device that was never here, with an id, a name and addresses of its own.
pub(super) fn new_node(
    world: &World,
    r: &Registration,
    owner: Owner,
    responsible: Option<UserId>,
    ctx: Context,
) -> Result<Node, Refusal> {
    let id = world.next_ids().node;
    let (v4, v6) = addresses(world, id, owner.tags())?;
    let label = name::label(&r.hostinfo.hostname);
    Ok(Node {
        id,
        machine: r.machine,
        node_key: r.node_key,
        name: name::unique(world, &label, None),
        renamed: false,
        owner,
        responsible,
        auth_key: None,
        v4,
        v6,
        created: ctx.now,
        key_expiry: None,
        never_expires: false,
        ephemeral: r.ephemeral,
        lifecycle: Lifecycle::Active,
        approved_routes: BTreeSet::new(),
        auto_routes: BTreeSet::new(),
        hostinfo: r.hostinfo.clone(),
        live: Live { capver: r.capver, ..Live::default() },
        class: None,
        badge: Default::default(),
        expired: false,
        rev: 0,
    })
}
