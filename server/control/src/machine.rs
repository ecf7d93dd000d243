//! Requests inside a Noise channel. Every one that names a node proves that it is the node:
//! the channel's machine key must be the node's.

mod action;
mod answer;
mod login;
mod map;
mod pace;
mod parting;
mod polls;
mod register;
mod token;

use std::{error::Error, iter::successors, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use http::{StatusCode, header};
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;

use crate::{
    doors::Doors,
    quota::{Quota, Spent},
    ts2021::{Caller, NoRoom},
    writer::Failed,
};
use pace::Pace;
use polls::Polls;

/// Anybody can open a channel, so bodies are small.
const BODY: usize = 1 << 20;
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// The routes of the protocol.
pub fn routes(doors: Arc<Doors>) -> Router {
    Router::new()
        .route("/machine/register", post(register::register))
        .route("/machine/map", post(map::map))
        .route("/machine/ssh/action/{src}/to/{dst}", get(action::action))
        .route("/machine/answer/{id}", post(answer::answer))
        .route("/machine/id-token", post(token::token))
        .fallback(|| async { (StatusCode::NOT_FOUND, "unknown path\n") })
        .with_state(Arc::new(Machines {
            doors,
            pace: Pace::default(),
            polls: Polls::default(),
            partings: parting::places(),
        }))
}

/// What the routes need.
struct Machines {
    doors: Arc<Doors>,
    pace: Pace,
    polls: Polls,
    partings: Arc<Quota>,
}

/// A request that is not served, in words for the client's log.
struct Refused {
    status: StatusCode,
    text: String,
    later: Option<Duration>,
}

impl Refused {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), later: None }
    }
    fn not_yours() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no such node for this machine")
    }
    fn later(doors: &Doors, caller: Caller, Spent(wait): Spent) -> Self {
        doors.failed(caller.remote.ip(), "too_many_calls");
        let text = "this machine calls more often than any client needs to; come back later";
        Self { later: Some(wait), ..Self::new(StatusCode::TOO_MANY_REQUESTS, text) }
    }
}

impl From<Failed> for Refused {
    /// The client's log needs to know that it should come back, not what the database said.
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused(_) => Self::not_yours(),
            Failed::Fault(_) | Failed::Busy => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the server cannot store this now; nothing was changed",
            ),
            Failed::Unsure(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the server failed while it stored this; ask again to see whether it is there",
            ),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = (self.status, format!("{}\n", self.text)).into_response();
        if let Some(wait) = self.later {
            let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

async fn body(body: Body) -> Result<Bytes, Refused> {
    let collected = timeout(BODY_WITHIN, Limited::new(body, BODY).collect()).await;
    let late = |_| Refused::new(StatusCode::REQUEST_TIMEOUT, "the body does not come to an end");
    let collected = collected.map_err(late)?.map_err(|e| {
        let first: &(dyn Error + 'static) = &*e;
        let mut causes = successors(Some(first), |e| (*e).source());
        if causes.any(|e| e.is::<NoRoom>()) {
            return Refused::new(StatusCode::SERVICE_UNAVAILABLE, format!("{NoRoom}; come back later"));
        }
        Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB or was cut off")
    })?;
    Ok(collected.to_bytes())
}

fn decoded<T: wire::Request>(body: &[u8]) -> Result<T, Refused> {
    wire::decode(body).map_err(|e| Refused::new(StatusCode::BAD_REQUEST, wire::plain(&e.to_string())))
}

/// What a device says of itself, as the World keeps it: cleaned, and without what changes all the time.
fn lasting(hostinfo: wire::Hostinfo) -> Arc<wire::Hostinfo> {
    Arc::new(wire::Hostinfo { net_info: None, ..hostinfo.sanitised() })
}

/// Why a client of this version is not served. Versions travel in 16 bits, and peers are told them.
fn unsupported(version: wire::CapVer) -> Option<String> {
    let wanted = wire::CapVer::MIN_SUPPORTED;
    if version.0 > u32::from(u16::MAX) {
        return Some("this client names an impossible capability version".into());
    }
    (!version.is_supported()).then(|| {
        format!(
            "this client is too old: capability version {} is supported from 1.80 ({}) on",
            version.0, wanted.0
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    #[tokio::test]
    async fn a_body_is_small_whole_and_has_room() {
        let status = async |body: Body| super::body(body).await.map_err(|refused| refused.status);
        assert_eq!(status(Body::from("{}")).await, Ok(Bytes::from_static(b"{}")));
        let large = status(Body::from(vec![0; BODY + 1])).await;
        assert_eq!(large, Err(StatusCode::PAYLOAD_TOO_LARGE));
        let no_room = stream::iter([Err::<Bytes, _>(axum::Error::new(NoRoom))]);
        assert_eq!(status(Body::from_stream(no_room)).await, Err(StatusCode::SERVICE_UNAVAILABLE));
    }
}
