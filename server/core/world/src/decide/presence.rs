//! Who holds a stream. The end of a stream is silent for a while; only the session that opened may close.

use std::{collections::BTreeSet, sync::Arc};

use ident::NodeId;
use jiff::{SignedDuration, Timestamp};

use super::Decision;
use crate::{Answer, Context, Event, Lifecycle, Node, Presence, Refusal, VolatileEvent, World};

/// A client that begins its poll anew is back by then; so soon are its routes served by another if it is not.
const ROUTES_WAIT: SignedDuration = SignedDuration::from_secs(1);

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
    let routes_until = ctx.now.checked_add(ROUTES_WAIT).unwrap_or(ctx.now);
    let presence = Presence::Leaving { until, routes_until };
    Ok(Decision::one(changed(node, presence, Some(ctx.now)), Answer::Node(id)))
}

pub(super) fn questioned(
    world: &World,
    id: NodeId,
    instance: u64,
    epoch: u64,
    answered: bool,
) -> Result<Decision, Refusal> {
    let node = super::node::find(world, id)?;
    let asked = node.live.presence == (Presence::Connected { instance, epoch });
    if !asked || node.live.responsive == answered {
        return Ok(Decision::nothing(Answer::Node(id)));
    }
    Ok(Decision::one(VolatileEvent::Responsive { node: id, responsive: answered }, Answer::Node(id)))
}

pub(super) fn expect_return(world: &World, nodes: &[NodeId], until: Timestamp, ctx: Context) -> Decision {
    let third = until.duration_since(ctx.now).as_millis().max(0) / 3;
    let longer = |id: NodeId| {
        let millis = ctx.spread(id.get(), u64::try_from(third).unwrap_or_default());
        until.checked_add(SignedDuration::from_millis(millis.cast_signed())).unwrap_or(until)
    };
    let gone = nodes.iter().filter_map(|id| world.nodes.get(*id));
    let gone = gone.filter(|node| node.live.presence == Presence::Offline);
    let back = |node: &Arc<Node>| {
        let until = longer(node.id);
        let presence = Presence::Leaving { until, routes_until: until };
        changed(node, presence, Some(ctx.now)).into()
    };
    let mut events: Vec<Event> = gone.map(back).collect();
    // The time in which nobody could listen is not held against those who are forgotten when they are away.
    let expected: BTreeSet<_> = nodes.iter().collect();
    let away =
        world.nodes.iter().filter(|node| world.forget_at(node).is_some() && !expected.contains(&node.id));
    events.extend(away.map(|node| changed(node, Presence::Offline, Some(ctx.now)).into()));
    Decision { events, answer: Answer::Done }
}

pub(super) fn changed(node: &Node, presence: Presence, last_seen: Option<Timestamp>) -> VolatileEvent {
    VolatileEvent::PresenceChanged { node: node.id, presence, last_seen }
}
