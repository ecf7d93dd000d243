//! What a registered device says of itself. One whose key has expired is heard and changes nothing.

use std::sync::Arc;

use wire::Hostinfo;

use super::{Decision, name};
use crate::{
    Answer, Context, DurableEvent, Event, Lifecycle, Node, NodeReport, Presence, Refusal, VolatileEvent,
    World,
};

pub(super) fn report(world: &World, r: &NodeReport, ctx: Context) -> Result<Decision, Refusal> {
    let node = world
        .nodes
        .by_node_key(&r.node_key)
        .filter(|n| n.machine == r.machine && n.lifecycle == Lifecycle::Active)
        .ok_or(Refusal::NotYourNode)?;
    if node.expired {
        return Ok(Decision::nothing(Answer::Node(node.id)));
    }
    let mut events = Vec::new();
    if let Some(hostinfo) = &r.hostinfo {
        events.extend(hostinfo_events(world, node, hostinfo, ctx));
    }
    let live = &node.live;
    let endpoints = r.endpoints.clone().unwrap_or_else(|| live.endpoints.clone());
    let disco = r.disco.or(live.disco);
    let home_derp = r.home_derp.filter(|d| *d != 0).unwrap_or(live.home_derp);
    let capver = r.capver;
    if (&endpoints, disco, home_derp, capver) != (&live.endpoints, live.disco, live.home_derp, live.capver) {
        events.push(VolatileEvent::Reported { node: node.id, endpoints, disco, home_derp, capver }.into());
    }
    Ok(Decision { events, answer: Answer::Node(node.id) })
}

/// What changes when the device describes itself like this: its description and its name.
pub(super) fn hostinfo_events(
    world: &World,
    node: &Node,
    hostinfo: &Arc<Hostinfo>,
    ctx: Context,
) -> Vec<Event> {
    if node.hostinfo == *hostinfo {
        return Vec::new();
    }
    let renames = !node.renamed && node.hostinfo.hostname != hostinfo.hostname;
    let name = if renames {
        name::unique(world, &name::label(&hostinfo.hostname), Some(node.id))
    } else {
        node.name.clone()
    };
    let changed = DurableEvent::NodeHostinfoChanged { node: node.id, name, hostinfo: hostinfo.clone() };
    late_offer(node, hostinfo, ctx).into_iter().chain([changed.into()]).collect()
}

/// Nobody waits for a device that offers its first route after its stream has ended: it takes over from nobody.
fn late_offer(node: &Node, hostinfo: &Hostinfo, ctx: Context) -> Option<Event> {
    let Presence::Leaving { routes_until, .. } = node.live.presence else { return None };
    let offers = node.hostinfo.routable_ips.is_empty() && !hostinfo.routable_ips.is_empty();
    let is_late = offers && node.live.responsive && routes_until <= ctx.now;
    is_late.then(|| VolatileEvent::Responsive { node: node.id, responsive: false }.into())
}
