//! HTTP on one connection, and how long somebody may stay who has proved nothing.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use arc_swap::ArcSwap;
use axum::{
    body::{Body, Bytes, HttpBody},
    extract::ConnectInfo,
    response::{IntoResponse, Response},
};
use http::{Request, StatusCode, header::RETRY_AFTER};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{Entrance, Face, http2, proxied};
use crate::{
    arrival::{Proven, Stopping},
    config::ProxyHeader,
    quota::{Party, Pass},
};

/// A client that has not said its request by then is cut.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Proxies keep connections for later; they are to be the ones that close them, nginx after 60 s.
const PROXY_HEAD_WITHIN: Duration = Duration::from_secs(90);

/// Whoever is on the other end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) remote: SocketAddr,
    /// Whether it is a proxy that says with each request who the client is.
    pub(super) speaks_for_others: bool,
}

impl Peer {
    /// Somebody whose connection has said no more than where it is from.
    pub(super) fn at(remote: SocketAddr, face: &Face) -> Self {
        let by_request = face.proxies.header != ProxyHeader::ProxyProtocol;
        Self { remote, speaks_for_others: by_request && face.proxies.has(remote.ip()) }
    }
}

/// What requests of a connection are served with.
#[derive(Clone)]
struct Desk {
    face: Arc<ArcSwap<Face>>,
    entrance: Arc<Entrance>,
    peer: Peer,
    stop: CancellationToken,
    /// Of the connection as a whole.
    proven: CancellationToken,
}

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Version {
    /// HTTP/1.1, with upgrades.
    One,
    /// HTTP/2.
    Two,
}

/// Serves the connection to its end.
pub(super) async fn serve<S>(
    io: S,
    version: Version,
    (face, entrance): (Arc<ArcSwap<Face>>, Arc<Entrance>),
    (peer, pass): (Peer, Pass),
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (proven, within) = (CancellationToken::new(), entrance.proven_within);
    let desk = Desk { face, entrance, peer, stop, proven: proven.clone() };
    let service = service_fn(move |request| {
        let desk = desk.clone();
        async move { Ok::<_, Infallible>(desk.answer(request).await) }
    });
    let head_within = if peer.speaks_for_others { PROXY_HEAD_WITHIN } else { HEAD_WITHIN };
    let connection: Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>> = match version {
        Version::One => Box::pin(
            hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(head_within)
                .max_headers(64)
                .serve_connection(TokioIo::new(io), service)
                .with_upgrades(),
        ),
        Version::Two => Box::pin(http2::bounded().serve_connection(TokioIo::new(io), service)),
    };
    let overdue = async {
        match peer.speaks_for_others {
            // Each of its requests has a time of its own.
            true => {
                let _held = pass;
                std::future::pending().await
            }
            false => overdue(proven, pass, within).await,
        }
    };
    let remote = peer.remote;
    tokio::select! {
        ended = connection => if let Err(e) = ended {
            tracing::debug!(%remote, error = %e, "connection ended");
        },
        () = overdue => tracing::debug!(%remote, "proved nothing in time"),
    }
}

impl Desk {
    async fn answer(self, request: Request<Incoming>) -> Response {
        let face = self.face.load_full();
        if !self.peer.speaks_for_others {
            return self.served(&face, self.peer.remote, self.proven.clone(), request).await;
        }
        let client = proxied::client(&face.proxies, self.peer.remote, request.headers());
        let Some(pass) = self.entrance.admit(Party::at(client)) else {
            let words = "too many connections that prove nothing; come back later\n";
            return (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "5")], words).into_response();
        };
        let (proven, within) = (CancellationToken::new(), self.entrance.proven_within);
        let mut overdue = Box::pin(overdue(proven.clone(), pass, within));
        let response = tokio::select! {
            response = self.served(&face, client, proven, request) => response,
            () = &mut overdue => {
                tracing::debug!(%client, "proved nothing in time");
                return StatusCode::REQUEST_TIMEOUT.into_response();
            }
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return response;
        }
        response.map(|body| Body::new(Timed { body, overdue: Some(overdue) }))
    }

    async fn served(
        &self,
        face: &Face,
        client: SocketAddr,
        proven: CancellationToken,
        mut request: Request<Incoming>,
    ) -> Response {
        request.extensions_mut().insert(ConnectInfo(client));
        request.extensions_mut().insert(Stopping(self.stop.clone()));
        request.extensions_mut().insert(Proven(proven));
        match face.router.clone().oneshot(request.map(Body::new)).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// Returns when nothing was proven in time; a proof gives the pass back.
async fn overdue(proven: CancellationToken, pass: Pass, within: Duration) {
    if timeout(within, proven.cancelled()).await.is_ok() {
        drop(pass);
        std::future::pending::<()>().await;
    }
}

/// An answer through a proxy, which is cut when its reader has proved nothing in time.
struct Timed {
    body: Body,
    /// None once it has come.
    overdue: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(overdue) = &mut self.overdue else { return Poll::Ready(None) };
        if overdue.as_mut().poll(cx).is_ready() {
            self.overdue = None;
            let late = io::Error::new(io::ErrorKind::TimedOut, "proved nothing in time");
            return Poll::Ready(Some(Err(axum::Error::new(late))));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
