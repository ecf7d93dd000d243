//! Who holds a stream. The end of a stream is silent for a while; only the session that opened may close.

use ident::NodeId;
use jiff::{SignedDuration, Timestamp};

use super::Decision;
use crate::{Answer, Context, Lifecycle, Node, Presence, Refusal, VolatileEvent, World};

pub(super) fn opened(world: &World, id: NodeId, instance: u64, epoch: u64) -> Result<Decision, Refusal> {
    let node = super::node::find(world, id)?;
    if node.lifecycle != Lifecycle::Active {
        return Err(Refusal::NotYourNode);
    }
    let newer = matches!(node.live.presence, Presence::Connected { instance: i, epoch: e } if i == instance && e > epoch);
    if newer {
        return Ok(Decision::nothing(Answer::Node(id)));
    }
    let presence = Presence::Connected { instance, epoch };
    Ok(Decision::one(changed(node, presence, node.live.last_seen), Answer::Node(id)))
}

pub(super) fn closed(
    world: &World,
    id: NodeId,
    instance: u64,
    epoch: u64,
    ctx: Context,
) -> Result<Decision, Refusal> {
    let node = super::node::find(world, id)?;
    if node.live.presence != (Presence::Connected { instance, epoch }) {
        return Ok(Decision::nothing(Answer::Node(id)));
    }
    let grace = SignedDuration::try_from(world.settings.leaving_grace).unwrap_or(SignedDuration::ZERO);
    let until = ctx.now.checked_add(grace).unwrap_or(ctx.now);
    Ok(Decision::one(changed(node, Presence::Leaving { until }, Some(ctx.now)), Answer::Node(id)))
}

pub(super) fn expect_return(world: &World, nodes: &[NodeId], until: Timestamp, ctx: Context) -> Decision {
    let offline = |id: &&NodeId| world.nodes.get(**id).is_some_and(|n| n.live.presence == Presence::Offline);
    let back = |id: &NodeId| {
        world.nodes.get(*id).map(|n| changed(n, Presence::Leaving { until }, Some(ctx.now)).into())
    };
    Decision { events: nodes.iter().filter(offline).filter_map(back).collect(), answer: Answer::Done }
}

pub(super) fn changed(node: &Node, presence: Presence, last_seen: Option<Timestamp>) -> VolatileEvent {
    VolatileEvent::PresenceChanged { node: node.id, presence, last_seen }
}
