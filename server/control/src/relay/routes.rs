//! The relay's HTTP paths.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Query, Request, State, WebSocketUpgrade},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use derp::{MAX_CLIENT_INFO_BYTES, PROTOCOL_VERSION};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::Relay;
use crate::{arrival::Stopping, websocket::bytes_of};

/// Names a client without working DNS may ask for, lower case and without a final dot, and their addresses.
pub type BootstrapNames = BTreeMap<String, Vec<IpAddr>>;

/// The WebSocket subprotocol that means DERP.
const SUBPROTOCOL: &str = "derp";
const FAST_START: &str = "derp-fast-start";
const CHALLENGE: &str = "x-tailscale-challenge";
const RESPONSE: HeaderName = HeaderName::from_static("x-tailscale-response");
const MAX_CHALLENGE_BYTES: usize = 64;
const NEVER_CACHED: &str = "no-cache, no-store, must-revalidate, no-transform, max-age=0";
/// The largest frame and its header fit into one message.
const MAX_MESSAGE_BYTES: usize = MAX_CLIENT_INFO_BYTES + 1024;
/// Reserved for each connection, idle or not.
const BUFFER_BYTES: usize = 8 << 10;

/// The paths `/derp`, `/derp/latency-check`, `/derp/probe`, `/generate_204` and `/bootstrap-dns`.
///
/// The listener puts the client's own address into each request as `ConnectInfo<SocketAddr>`; without it all
/// unfinished hellos share one quota. Fast starts never get here: [`super::sniff`] takes them before.
pub fn routes(relay: Arc<Relay>, names: BootstrapNames) -> Router {
    Router::new()
        .route("/derp", get(derp).post(derp))
        .with_state(relay)
        .route("/derp/latency-check", get(probe))
        .route("/derp/probe", get(probe))
        .route("/generate_204", get(generate_204))
        .route("/bootstrap-dns", get(bootstrap_dns).with_state(Arc::new(names)))
}

async fn derp(
    State(relay): State<Arc<Relay>>,
    websocket: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
    mut request: Request,
) -> Response {
    let (remote, stop) = (remote(&request), stopping(&request));
    let headers = request.headers();
    if let Ok(websocket) = websocket
        && lists(headers, header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL)
    {
        return websocket
            .protocols([SUBPROTOCOL])
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_message_size(MAX_MESSAGE_BYTES)
            .max_frame_size(MAX_MESSAGE_BYTES)
            .on_upgrade(move |socket| async move {
                stop.run_until_cancelled_owned(relay.serve_connection(bytes_of(socket), remote)).await;
            });
    }
    if !["derp", "websocket"].iter().any(|protocol| lists(headers, header::UPGRADE, protocol)) {
        return (
            StatusCode::UPGRADE_REQUIRED,
            [(header::UPGRADE, "DERP")],
            "DERP requires connection upgrade\n",
        )
            .into_response();
    }
    if headers.contains_key(FAST_START) {
        return (StatusCode::BAD_REQUEST, "no fast start through a proxy\n").into_response();
    }
    let upgrade = hyper::upgrade::on(&mut request);
    let public_key = hex::encode(relay.public_key());
    tokio::spawn(async move {
        match upgrade.await {
            Ok(io) => {
                stop.run_until_cancelled_owned(relay.serve_connection(TokioIo::new(io), remote)).await;
            }
            Err(reason) => tracing::debug!(%remote, %reason, "relay: left during the upgrade"),
        }
    });
    let headers = [
        (header::UPGRADE, "DERP".to_owned()),
        (header::CONNECTION, "Upgrade".to_owned()),
        (HeaderName::from_static("derp-version"), PROTOCOL_VERSION.to_string()),
        (HeaderName::from_static("derp-public-key"), public_key),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

async fn probe() -> impl IntoResponse {
    [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")]
}

async fn generate_204(headers: HeaderMap) -> Response {
    let mut answer =
        (StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, HeaderValue::from_static(NEVER_CACHED))])
            .into_response();
    if let Some(response) = headers.get(CHALLENGE).and_then(response_to) {
        answer.headers_mut().insert(RESPONSE, response);
    }
    answer
}

#[derive(Deserialize)]
struct Question {
    q: Option<String>,
}

async fn bootstrap_dns(
    State(names): State<Arc<BootstrapNames>>,
    question: Result<Query<Question>, axum::extract::rejection::QueryRejection>,
) -> Json<BootstrapNames> {
    let asked = question.ok().and_then(|Query(question)| question.q).unwrap_or_default().to_lowercase();
    let known = names.get_key_value(asked.trim_end_matches('.'));
    Json(known.into_iter().map(|(name, addresses)| (name.clone(), addresses.clone())).collect())
}

fn remote(request: &Request) -> SocketAddr {
    let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    request.extensions().get::<ConnectInfo<SocketAddr>>().map_or(unknown, |ConnectInfo(remote)| *remote)
}

/// When to end the connection; never by itself without a listener that says so.
fn stopping(request: &Request) -> CancellationToken {
    request.extensions().get::<Stopping>().map(|Stopping(stop)| stop.clone()).unwrap_or_default()
}

/// Whether a comma-separated header has this value, in any case.
fn lists(headers: &HeaderMap, name: HeaderName, value: &str) -> bool {
    let lines = headers.get_all(name);
    let mut values = lines.iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    values.any(|one| one.trim().eq_ignore_ascii_case(value))
}

/// What proves to the client that no captive portal answered; strange challenges get none.
fn response_to(challenge: &HeaderValue) -> Option<HeaderValue> {
    let challenge = challenge.to_str().ok().filter(|text| text.len() <= MAX_CHALLENGE_BYTES)?;
    let plain = challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte));
    HeaderValue::try_from(format!("response {challenge}")).ok().filter(|_| plain && !challenge.is_empty())
}
