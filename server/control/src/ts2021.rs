//! The door of the control protocol: the server's public key, and the Noise channel inside an upgraded connection.
//!
//! Sources: `GET /key`, `POST /ts2021` and its WebSocket form as the official clients speak them.

mod allowance;
mod answer;
mod session;
mod stream;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension, Router,
    extract::{ConnectInfo, Query, Request, State, WebSocketUpgrade},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, StatusCode, header};
use hyper_util::rt::TokioIo;
use ident::MachineKey;
use noise::{Accepted, HandshakeError};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::{arrival::Stopping, doors::Doors, keyring::ServerKey, websocket::bytes_of};
pub use allowance::NoRoom;
use allowance::{Allowances, Place};

const PROTOCOL: &str = "tailscale-control-protocol";
const HANDSHAKE: &str = "x-tailscale-handshake";
/// Clients send a record of 4 KiB per WebSocket message; nobody needs more than some of them.
const MESSAGE: usize = 64 << 10;
const BUFFER: usize = 8 << 10;

/// Who speaks on a Noise channel, and how its requests are served.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// Proved by the handshake.
    pub machine: MachineKey,
    /// Where the connection comes from.
    pub remote: SocketAddr,
    /// The server's key that the channel was opened with.
    pub server_key: MachineKey,
}

/// The channel that a request came on.
#[derive(Debug, Clone, Default)]
pub struct Channel(Arc<CancellationToken>);

impl Channel {
    /// Whether both are the same one.
    pub fn is(&self, other: &Channel) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
    /// Ends it with everything that is open on it.
    pub fn hang_up(&self) {
        self.0.cancel();
    }
    /// Whether it was ended from here.
    #[cfg(test)]
    pub fn is_hung_up(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// What the routes need.
#[derive(Clone)]
pub struct Ts2021 {
    doors: Arc<Doors>,
    machine: Router,
    allowances: Allowances,
}

/// `/key` and `/ts2021`; requests inside a channel go to `machine` with a [`Caller`] as an extension.
/// The number of channels is bounded by that of files the process may have open.
pub fn routes(doors: Arc<Doors>, machine: Router, open_files: usize) -> Router {
    let state = Ts2021 { doors, machine, allowances: Allowances::new(open_files) };
    Router::new()
        .route("/key", get(server_key))
        .route("/ts2021", get(upgrade_websocket).post(upgrade))
        .with_state(state)
}

#[derive(Deserialize)]
struct KeyQuery {
    v: Option<u32>,
}

async fn server_key(State(ts): State<Ts2021>, Query(query): Query<KeyQuery>) -> Response {
    if query.v.is_none() {
        return (
            StatusCode::BAD_REQUEST,
            "this server speaks to clients that name their version: /key?v=…\n",
        )
            .into_response();
    }
    let keys = wire::ServerKeys::new(ts.doors.keyring.noise.public());
    match wire::encode(&keys) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn upgrade(
    State(ts): State<Ts2021>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Extension(Stopping(stop)): Extension<Stopping>,
    mut request: Request,
) -> Response {
    if !names_protocol(request.headers()) {
        return (StatusCode::BAD_REQUEST, "missing or unknown Upgrade header\n").into_response();
    }
    let initiation = request.headers().get(HANDSHAKE).and_then(|h| STANDARD.decode(h.as_bytes()).ok());
    let opening = match ts.accept(remote, initiation) {
        Ok(opening) => opening,
        Err(bad) => return bad.into_response(),
    };
    let upgrade = hyper::upgrade::on(&mut request);
    // In a box, as what may be cancelled has room for it three times.
    tokio::spawn(stop.run_until_cancelled_owned(Box::pin(async move {
        let Ok(upgraded) = upgrade.await else { return };
        ts.serve(TokioIo::new(upgraded), opening, remote).await;
    })));
    let headers = [(header::UPGRADE, PROTOCOL), (header::CONNECTION, "upgrade")];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

#[derive(Deserialize)]
struct HandshakeQuery {
    #[serde(rename = "X-Tailscale-Handshake")]
    handshake: Option<String>,
}

async fn upgrade_websocket(
    State(ts): State<Ts2021>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Extension(Stopping(stop)): Extension<Stopping>,
    Query(query): Query<HandshakeQuery>,
    websocket: WebSocketUpgrade,
) -> Response {
    let initiation = query.handshake.and_then(|h| STANDARD.decode(h.as_bytes()).ok());
    let opening = match ts.accept(remote, initiation) {
        Ok(opening) => opening,
        Err(bad) => return bad.into_response(),
    };
    let websocket = websocket
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(MESSAGE)
        .max_frame_size(MESSAGE)
        .protocols([PROTOCOL]);
    websocket.on_upgrade(move |socket| async move {
        stop.run_until_cancelled(ts.serve(bytes_of(socket), opening, remote)).await;
    })
}

fn names_protocol(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|h| h.as_bytes().eq_ignore_ascii_case(PROTOCOL.as_bytes()))
}

/// A handshake that came to something.
struct Opening {
    accepted: Accepted,
    key: ServerKey,
    place: Place,
}

impl Ts2021 {
    fn accept(&self, remote: SocketAddr, initiation: Option<Vec<u8>>) -> Result<Opening, BadHandshake> {
        let accepted = match initiation {
            None => Err(BadHandshake::Undecodable),
            Some(bytes) => self.doors.keyring.noise.accept(&bytes).map_err(BadHandshake::from),
        };
        let entered = accepted.and_then(|(accepted, key)| {
            let is_member = self.doors.has_node(accepted.machine);
            let place = self.allowances.enter(accepted.machine, is_member, remote);
            Ok(Opening { accepted, key, place: place.ok_or(BadHandshake::NoPlace)? })
        });
        entered.inspect_err(|bad| self.doors.failed(remote.ip(), bad.kind()))
    }

    /// Until it ends, or its key is accepted no more.
    fn serve(
        self,
        io: impl session::Io,
        Opening { accepted, key, place }: Opening,
        remote: SocketAddr,
    ) -> impl Future<Output = ()> + Send {
        let caller = Caller { machine: accepted.machine, remote, server_key: key.public() };
        let stream = stream::NoiseStream::new(io, accepted.transport, &accepted.response);
        let served = Box::pin(session::serve(stream, caller, place, self.machine));
        let retired = key.retired().clone();
        async move {
            retired.run_until_cancelled(served).await;
        }
    }
}

/// The connection is answered and closed; nothing else has happened.
enum BadHandshake {
    Undecodable,
    Unauthentic,
    NoPlace,
}

impl From<HandshakeError> for BadHandshake {
    fn from(_: HandshakeError) -> Self {
        Self::Unauthentic
    }
}

impl BadHandshake {
    fn kind(&self) -> &'static str {
        match self {
            BadHandshake::Undecodable => "noise_header",
            BadHandshake::Unauthentic => "noise_handshake",
            BadHandshake::NoPlace => "too_many_channels",
        }
    }
}

impl IntoResponse for BadHandshake {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            BadHandshake::Undecodable => (StatusCode::BAD_REQUEST, "missing or undecodable handshake\n"),
            BadHandshake::Unauthentic => (
                StatusCode::BAD_REQUEST,
                "the handshake does not authenticate; is this the right server key?\n",
            ),
            BadHandshake::NoPlace => {
                (StatusCode::SERVICE_UNAVAILABLE, "too many connections; come back later\n")
            }
        };
        (status, text).into_response()
    }
}
