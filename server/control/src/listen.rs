//! Listeners: TCP with or without TLS, the local socket; HTTP with bounds on what strangers can hold open.

mod http2;
mod local;
mod tls;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    arrival::{Proven, Stopping},
    quota::{Party, Pass, Quota, Rate},
    relay::{Gulp, Relay, Sniffed, sniff},
};
pub use local::{bind_local, serve_local};
pub use tls::{TlsError, from_files, from_self_signed};

/// A client that has not said its request by then is cut.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
const TLS_WITHIN: Duration = Duration::from_secs(10);
/// A peer that vanished without a word is noticed by the kernel's probes.
const QUIET: Duration = Duration::from_secs(45);
const PROBE: Duration = Duration::from_secs(10);
/// A connection that is no channel, no relay client and brought no credential by then is cut, whatever it does.
const PROVEN_WITHIN: Duration = Duration::from_secs(60);
/// New connections of one household, each worth two handshakes: two thousand clients with their relays at once.
const ARRIVE_EVERY: Duration = Duration::from_millis(5);
const ARRIVE_AT_ONCE: u32 = 4000;
/// What is tried again after an error of the kernel, such as too many open files.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// One TCP listener and what is behind it.
#[derive(Clone)]
pub struct Listener {
    tls: Option<TlsAcceptor>,
    router: Router,
    relay: Option<Arc<Relay>>,
    strangers: Arc<Quota>,
    arrivals: Arc<Rate>,
    proven_within: Duration,
    stop: CancellationToken,
}

impl Listener {
    /// `strangers` bounds the connections that have proved nothing; over it, newcomers are dropped. `relay` gets the
    /// connections that start with relay frames at once.
    pub fn new(
        tls: Option<Arc<ServerConfig>>,
        router: Router,
        relay: Option<Arc<Relay>>,
        strangers: Arc<Quota>,
        stop: CancellationToken,
    ) -> Self {
        let tls = tls.map(TlsAcceptor::from);
        let arrivals = Arc::new(Rate::new(ARRIVE_EVERY, ARRIVE_AT_ONCE));
        Self { tls, router, relay, strangers, arrivals, proven_within: PROVEN_WITHIN, stop }
    }

    /// Accepts until told to stop.
    pub async fn serve(self, socket: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => {
                    let Some(pass) = self.lets_in(remote) else {
                        tracing::debug!(%remote, "too many connections that prove nothing");
                        continue;
                    };
                    let (this, stop) = (self.clone(), self.stop.clone());
                    tokio::spawn(async move {
                        tokio::select! {
                            () = stop.cancelled() => {}
                            () = this.connection(stream, remote, pass) => {}
                        }
                    });
                }
                Err(e) => {
                    tracing::warn!(error = %e, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    /// A place for a newcomer; before anything is spent on it.
    fn lets_in(&self, remote: SocketAddr) -> Option<Pass> {
        let party = Party::at(remote);
        let pass = self.strangers.enter(party)?;
        self.arrivals.admits(party).is_ok().then_some(pass)
    }

    async fn connection(self, stream: TcpStream, remote: SocketAddr, pass: Pass) {
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream)
            .set_tcp_keepalive(&TcpKeepalive::new().with_time(QUIET).with_interval(PROBE));
        match self.tls.clone() {
            None => self.sniffed(stream, remote, pass).await,
            Some(acceptor) => match timeout(TLS_WITHIN, acceptor.accept(Gulp::new(stream))).await {
                Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(tls::HTTP2) => {
                    self.http2(stream, remote, pass).await;
                }
                Ok(Ok(stream)) => self.sniffed(stream, remote, pass).await,
                Ok(Err(e)) => tracing::debug!(%remote, error = %e, "TLS handshake failed"),
                Err(_) => tracing::debug!(%remote, "TLS handshake took too long"),
            },
        }
    }

    async fn sniffed<S>(self, stream: S, remote: SocketAddr, pass: Pass)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(relay) = self.relay.clone() else {
            return self.http(stream, remote, pass).await;
        };
        match sniff(stream).await {
            Ok(Sniffed::FastStart(stream)) => {
                drop(pass);
                relay.serve_connection(stream, remote).await;
            }
            Ok(Sniffed::Http(stream)) => self.http(stream, remote, pass).await,
            Err(e) => tracing::debug!(%remote, error = %e, "said nothing"),
        }
    }

    async fn http<S>(self, stream: S, remote: SocketAddr, pass: Pass)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { router, stop, proven_within, .. } = self;
        let proven = CancellationToken::new();
        let overdue = overdue(proven.clone(), pass, proven_within);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(remote));
            request.extensions_mut().insert(Stopping(stop.clone()));
            request.extensions_mut().insert(Proven(proven.clone()));
            router.clone().oneshot(request.map(Body::new))
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_headers(64)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::select! {
            ended = connection => if let Err(e) = ended {
                tracing::debug!(%remote, error = %e, "connection ended");
            },
            () = overdue => tracing::debug!(%remote, "proved nothing in time"),
        }
    }

    async fn http2<S>(self, stream: S, remote: SocketAddr, pass: Pass)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let proven = CancellationToken::new();
        let overdue = overdue(proven.clone(), pass, self.proven_within);
        let peer = http2::Peer { remote, stop: self.stop, proven };
        tokio::select! {
            ended = http2::serve(stream, self.router, peer) => if let Err(e) = ended {
                tracing::debug!(%remote, error = %e, "connection ended");
            },
            () = overdue => tracing::debug!(%remote, "proved nothing in time"),
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

#[cfg(test)]
mod tests;
