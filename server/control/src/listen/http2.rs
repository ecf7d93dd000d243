//! HTTP/2 for those who ask for nothing else: gRPC clients.

use std::{future::Future, net::SocketAddr, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::arrival::{Proven, Stopping};

/// Requests that one connection has open at once.
const STREAMS: u32 = 16;
/// A peer that vanished is noticed so soon.
const PING_EVERY: Duration = Duration::from_secs(45);
const PING_WITHIN: Duration = Duration::from_secs(10);
/// What one connection may have sent without being asked for, and what one request may.
const WINDOW: u32 = 256 << 10;
const STREAM_WINDOW: u32 = 64 << 10;
const LONGEST_HEADERS: u32 = 16 << 10;

/// How the other end is known while it speaks.
#[derive(Clone)]
pub struct Peer {
    pub remote: SocketAddr,
    pub stop: CancellationToken,
    pub proven: CancellationToken,
}

/// Serves until the connection ends.
pub fn serve<S>(stream: S, router: Router, peer: Peer) -> impl Future<Output = hyper::Result<()>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        let Peer { remote, stop, proven } = peer.clone();
        request.extensions_mut().insert(ConnectInfo(remote));
        request.extensions_mut().insert(Stopping(stop));
        request.extensions_mut().insert(Proven(proven));
        router.clone().oneshot(request.map(Body::new))
    });
    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(LONGEST_HEADERS)
        .initial_connection_window_size(WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WITHIN)
        .serve_connection(TokioIo::new(stream), service)
}
