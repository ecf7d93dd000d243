//! Clients of nodes that were deleted while they were away: their maps say that their key has expired, so that they ask for a
//! login. Refused, an official client would poll for ever and never say so.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::StatusCode;
use ident::NodeKey;
use wire::MapRequest;

use super::{
    Machines, Refused,
    map::{encoding, map_headers},
};
use crate::{
    doors::Doors,
    quota::{Party, Quota},
    ts2021::Caller,
};

/// Streams of such clients, in all and of one machine.
const STREAMS: usize = 1024;
const STREAMS_EACH: usize = 2;
const BEAT: Duration = Duration::from_secs(45);
/// Whoever still listens then asks again.
const LASTS: Duration = Duration::from_secs(15 * 60);

/// Places for them.
pub(super) fn places() -> Arc<Quota> {
    Quota::new(STREAMS, STREAMS_EACH)
}

/// The key of a node that was deleted, if it was the caller's and the caller has no other node.
pub(super) fn former(doors: &Doors, caller: Caller, request: &MapRequest) -> Option<NodeKey> {
    let world = doors.hub.world();
    let key = request.node_key.filter(|key| world.nodes.by_node_key(key).is_none())?;
    let was_theirs = world.bound.get(&key) == Some(&caller.machine);
    (was_theirs && !world.nodes.has_machine(caller.machine)).then_some(key)
}

/// One map, in a stream that is held open: ended at once, the client would ask for the next one at once. Updates are taken
/// and change nothing.
pub(super) fn farewell(
    Machines { doors, partings, .. }: &Machines,
    caller: Caller,
    key: NodeKey,
    request: &MapRequest,
) -> Result<Response, Refused> {
    if request.is_lite() {
        return Ok(StatusCode::OK.into_response());
    }
    let encoding = encoding(request);
    let place = partings.enter(Party::Machine(caller.machine)).ok_or_else(Refused::not_yours)?;
    let last = doors.hub.farewell(None, key, encoding).ok_or_else(Refused::not_yours)?;
    if !request.stream {
        return Ok((map_headers(), last).into_response());
    }
    let (hub, over) = (doors.hub.clone(), Instant::now() + LASTS);
    let messages = stream::unfold((Some(last), place), move |(last, place)| {
        let hub = hub.clone();
        async move {
            if let Some(last) = last {
                return Some((Ok::<_, Infallible>(last), (None, place)));
            }
            tokio::time::sleep(BEAT).await;
            (Instant::now() < over).then(|| (Ok(hub.keep_alive(encoding)), (None, place)))
        }
    });
    Ok((map_headers(), Body::from_stream(messages)).into_response())
}
