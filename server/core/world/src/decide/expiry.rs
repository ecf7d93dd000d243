//! What the clock brings: nodes that stay away, keys that run out, ephemeral nodes that are forgotten.

use super::{Decision, presence};
use crate::{Answer, Context, DurableEvent, Event, Node, Presence, VolatileEvent, World, state::hands_over};

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
