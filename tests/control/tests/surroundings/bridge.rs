//! A way to a server through which only WebSockets get: what a client in a browser has.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, future::ready};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest},
};
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};
use wire::ServerKeys;

pub const PROTOCOL: &str = "tailscale-control-protocol";

/// An open WebSocket to the server.
pub type Web = WebSocketStream<TcpStream>;

/// Opens a WebSocket at this path; a refusal is an error.
pub async fn dial(to: SocketAddr, path: &str, origin: &str) -> tungstenite::Result<(Web, HeaderMap)> {
    let mut request = format!("ws://{to}{path}").into_client_request()?;
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    request.headers_mut().insert(header::ORIGIN, HeaderValue::try_from(origin).unwrap());
    let (web, answer) = client_async(request, TcpStream::connect(to).await?).await?;
    Ok((web, answer.headers().clone()))
}

/// The path of the upgrade with this handshake, which is base64 already.
pub fn path(handshake: &str) -> String {
    format!("/ts2021?X-Tailscale-Handshake={}", api::escape(handshake))
}

/// A server that turns every upgrade into a WebSocket of this origin to `to`.
pub async fn open(to: &harness::Server, address: SocketAddr, origin: &'static str) -> harness::Server {
    let keys = ServerKeys::new(to.key);
    let router = Router::new()
        .route("/key", get(move || ready(Json(keys))))
        .route("/ts2021", post(upgrade))
        .with_state((address, origin));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    harness::Server::find(&format!("http://{here}"), None).await.unwrap()
}

async fn upgrade(State((to, origin)): State<(SocketAddr, &'static str)>, mut request: Request) -> Response {
    let handshake = request.headers()["x-tailscale-handshake"].to_str().unwrap().to_owned();
    let (web, _) = dial(to, &path(&handshake), origin).await.unwrap();
    let client = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut client = TokioIo::new(client.await.unwrap());
        let _ = copy_bidirectional(&mut client, &mut bytes_of(web)).await;
    });
    let headers = [(header::UPGRADE, PROTOCOL), (header::CONNECTION, "upgrade")];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// The bytes of binary messages; anything else is an error.
fn bytes_of(web: Web) -> impl AsyncRead + AsyncWrite + Unpin {
    let (sink, stream) = web.split();
    let stream = stream.map(|message| match message {
        Ok(Message::Binary(bytes)) => Ok(bytes),
        other => Err(std::io::Error::other(format!("{other:?}"))),
    });
    let message = |bytes: Bytes| ready(Ok::<_, std::io::Error>(Message::Binary(bytes)));
    let sink = sink.sink_map_err(std::io::Error::other).with(message);
    tokio::io::join(StreamReader::new(stream), SinkWriter::new(CopyToBytes::new(sink)))
}
