//! What an operator does to a node.

use std::sync::Arc;

use ident::{NodeId, Tag};

use super::{Decision, name};
use crate::{Answer, DurableEvent, Node, NonEmpty, Owner, Refusal, World};

pub(super) fn rename(world: &World, id: NodeId, to: &str) -> Result<Decision, Refusal> {
    let node = find(world, id)?;
    name::check_node(to)?;
    if node.name == to && node.renamed {
        return Ok(Decision::nothing(Answer::Node(id)));
    }
    if world.nodes.by_name(to).is_some_and(|other| other.id != id) {
        return Err(Refusal::Exists { noun: "node", name: to.to_owned() });
    }
    Ok(Decision::one(DurableEvent::NodeRenamed { node: id, name: to.to_owned() }, Answer::Node(id)))
}

pub(super) fn tag(world: &World, id: NodeId, tags: &[Tag]) -> Result<Decision, Refusal> {
    let node = find(world, id)?;
    if let Some(tag) = tags.iter().find(|t| !world.policy.policy.defines_tag(t)) {
        return Err(Refusal::UnknownTag { tag: tag.clone() });
    }
    let tags =
        NonEmpty::new(tags.to_vec()).ok_or(Refusal::OutOfRange { what: "tags", rule: "at least one tag" })?;
    if node.owner == Owner::Tags(tags.clone()) {
        return Ok(Decision::nothing(Answer::Node(id)));
    }
    let taken = world.nodes.by_slot(node.machine, None).filter(|other| other.id != id);
    if let Some(other) = taken {
        return Err(Refusal::Exists { noun: "tagged node of this machine", name: other.name.clone() });
    }
    Ok(Decision::one(DurableEvent::NodeTagged { node: id, tags }, Answer::Node(id)))
}

pub(super) fn delete(world: &World, id: NodeId) -> Result<Decision, Refusal> {
    find(world, id)?;
    Ok(Decision::one(DurableEvent::NodeDeleted { node: id }, Answer::Done))
}

/// Only a login that a rule in force wants confirmed can be.
pub(super) fn confirm(
    world: &World,
    from: NodeId,
    to: NodeId,
    user: &str,
    allowed: bool,
) -> Result<Decision, Refusal> {
    let (source, target) = (find(world, from)?, find(world, to)?);
    if !world.confirms_logins(source, target) {
        return Err(Refusal::NotFound { noun: "login to confirm", name: format!("to {}", target.name) });
    }
    let event = DurableEvent::LoginConfirmed { from, to, user: wire::plain(user), allowed };
    Ok(Decision::one(event, Answer::Done))
}

pub(super) fn acknowledge(world: &World, id: NodeId) -> Result<Decision, Refusal> {
    find(world, id)?;
    Ok(Decision::one(DurableEvent::NoticeAcknowledged { node: id }, Answer::Node(id)))
}

pub(super) fn note_health(
    world: &World,
    id: NodeId,
    state: &str,
    failing: &[String],
) -> Result<Decision, Refusal> {
    find(world, id)?;
    let event =
        DurableEvent::NodeHealthChanged { node: id, state: state.to_owned(), failing: failing.to_vec() };
    Ok(Decision::one(event, Answer::Node(id)))
}

pub(super) fn find(world: &World, id: NodeId) -> Result<&Arc<Node>, Refusal> {
    world.nodes.get(id).ok_or_else(|| Refusal::NotFound { noun: "node", name: id.to_string() })
}
