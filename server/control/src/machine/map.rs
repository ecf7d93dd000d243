//! `POST /machine/map`: the long poll, lite updates, and one map alone.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Extension,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::{StatusCode, header};
use ident::NodeId;
use wire::MapRequest;
use world::{Command, Lifecycle, Node, NodeReport};

use super::{
    Machines, Refused, body, decoded, lasting,
    parting::{farewell, former},
    unsupported,
};
use crate::{
    doors::Doors,
    fanout::Encoding,
    ts2021::{Caller, Channel},
    writer::Origin,
};

static EPOCHS: AtomicU64 = AtomicU64::new(1);

pub(super) async fn map(
    State(machines): State<Arc<Machines>>,
    Extension(caller): Extension<Caller>,
    Extension(channel): Extension<Channel>,
    request: Body,
) -> Result<Response, Refused> {
    let Machines { doors, pace, .. } = &*machines;
    pace.call(doors, caller).await?;
    let body = body(request).await?;
    let request: MapRequest = decoded(&body)?;
    if let Some(text) = unsupported(request.version) {
        return Err(Refused::new(StatusCode::BAD_REQUEST, text));
    }
    if let Some(key) = former(doors, caller, &request) {
        return farewell(&machines, caller, key, &request);
    }
    callers_node(doors, caller, &request)?;
    if request.is_lite() {
        pace.update(doors, caller, body.len()).await?;
    } else {
        pace.map(doors, caller, body.len()).await?;
    }
    // Once more: it may have waited.
    let node = callers_node(doors, caller, &request)?;
    doors.served(caller.machine, caller.server_key);
    report(&machines, caller, &node, &request, body.len()).await?;
    if request.is_lite() {
        return Ok(StatusCode::OK.into_response());
    }
    let encoding = encoding(&request);
    if request.stream {
        return long_poll(machines, node.id, encoding, channel).await;
    }
    let once = doors.hub.once(node.id, encoding).ok_or_else(Refused::not_yours)?;
    Ok((map_headers(), once).into_response())
}

/// The node that the request names, which must be the caller's own and registered. An expired one is served:
/// its map tells it that it has expired.
fn callers_node(doors: &Doors, caller: Caller, request: &MapRequest) -> Result<Arc<Node>, Refused> {
    let world = doors.hub.world();
    let named = request.node_key.and_then(|key| world.nodes.by_node_key(&key).cloned());
    let own = named.filter(|n| n.machine == caller.machine && n.lifecycle == Lifecycle::Active);
    own.ok_or_else(|| {
        doors.failed(caller.remote.ip(), "not_your_node");
        Refused::not_yours()
    })
}

/// A long poll changes nothing but the discovery key; a lite update says all there is.
async fn report(
    Machines { doors, pace, .. }: &Machines,
    caller: Caller,
    node: &Node,
    request: &MapRequest,
    bytes: usize,
) -> Result<(), Refused> {
    if request.read_only {
        return Ok(());
    }
    let lite = request.is_lite();
    let hostinfo = request.hostinfo.as_ref().filter(|_| lite);
    let home = hostinfo.and_then(|h| h.net_info.as_ref()).map(|n| n.preferred_derp);
    let described = hostinfo.cloned().map(lasting);
    if described.as_ref().is_some_and(|hostinfo| *hostinfo != node.hostinfo) {
        pace.description(doors, caller, bytes).await?;
    }
    let command = Command::Report(NodeReport {
        machine: caller.machine,
        node_key: node.node_key,
        hostinfo: described,
        endpoints: lite.then(|| sorted(request)),
        disco: request.disco_key,
        home_derp: home.and_then(|d| u16::try_from(d).ok()),
        capver: request.version.0,
    });
    let origin = Origin { actor: format!("node:{}", node.id), source: caller.remote.ip().to_string() };
    doors.writer.submit(command, origin).await?;
    Ok(())
}

fn sorted(request: &MapRequest) -> Vec<std::net::SocketAddr> {
    let mut endpoints = request.endpoints();
    endpoints.sort();
    endpoints.dedup();
    endpoints
}

async fn long_poll(
    machines: Arc<Machines>,
    node: NodeId,
    encoding: Encoding,
    channel: Channel,
) -> Result<Response, Refused> {
    let epoch = EPOCHS.fetch_add(1, Ordering::Relaxed);
    machines.polls.opened(node, epoch, channel);
    let poll = Poll { node, epoch, machines };
    let doors = &poll.machines.doors;
    let opened = Command::StreamOpened { node, instance: doors.instance, epoch };
    doors.writer.submit(opened, Origin::system()).await?;
    let session = doors.hub.subscribe(node, epoch, encoding);
    let messages = stream::unfold((session, poll), |(mut session, poll)| async move {
        let message = session.next().await?;
        Some((Ok::<_, std::convert::Infallible>(message), (session, poll)))
    });
    Ok((map_headers(), Body::from_stream(messages)).into_response())
}

pub(super) fn encoding(request: &MapRequest) -> Encoding {
    if request.wants_zstd() { Encoding::Zstd } else { Encoding::Plain }
}

pub(super) fn map_headers() -> [(header::HeaderName, &'static str); 1] {
    [(header::CONTENT_TYPE, "application/octet-stream")]
}

/// A long poll, from before it opens: its end is told to the World however it comes.
struct Poll {
    node: NodeId,
    epoch: u64,
    machines: Arc<Machines>,
}

impl Drop for Poll {
    fn drop(&mut self) {
        let Machines { doors, polls, .. } = &*self.machines;
        let (node, instance, epoch) = (self.node, doors.instance, self.epoch);
        polls.closed(node, epoch);
        doors.writer.tell(Command::StreamClosed { node, instance, epoch });
    }
}
