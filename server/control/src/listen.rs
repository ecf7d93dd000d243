//! Listeners: TCP with or without TLS, the local socket; HTTP/1.1 with bounds on what strangers can hold open.

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
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    arrival::Stopping,
    relay::{Relay, Sniffed, sniff},
};
pub use local::{bind_local, serve_local};
pub use tls::{TlsError, from_files, from_self_signed};

/// A client that has not said its request by then is cut.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
const TLS_WITHIN: Duration = Duration::from_secs(10);
/// A peer that vanished without a word is noticed by the kernel's probes.
const QUIET: Duration = Duration::from_secs(45);
const PROBE: Duration = Duration::from_secs(10);
/// Connections that have not become a channel or a relay client, all sources together.
const UNPROVEN: usize = 4096;

/// One TCP listener and what is behind it.
#[derive(Clone)]
pub struct Listener {
    tls: Option<TlsAcceptor>,
    router: Router,
    relay: Option<Arc<Relay>>,
    unproven: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Listener {
    /// `relay` gets the connections that start with relay frames at once.
    pub fn new(
        tls: Option<Arc<ServerConfig>>,
        router: Router,
        relay: Option<Arc<Relay>>,
        stop: CancellationToken,
    ) -> Self {
        let unproven = Arc::new(Semaphore::new(UNPROVEN));
        Self { tls: tls.map(TlsAcceptor::from), router, relay, unproven, stop }
    }

    /// Accepts until told to stop. Over the bound of unproven connections, strangers wait in the kernel's queue.
    pub async fn serve(self, socket: TcpListener) {
        loop {
            let permit = tokio::select! {
                () = self.stop.cancelled() => return,
                permit = self.unproven.clone().acquire_owned() => permit,
            };
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => {
                    let (this, stop) = (self.clone(), self.stop.clone());
                    tokio::spawn(async move {
                        tokio::select! {
                            () = stop.cancelled() => {}
                            () = this.connection(stream, remote, permit.ok()) => {}
                        }
                    });
                }
                Err(e) => {
                    tracing::warn!(error = %e, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn connection(self, stream: TcpStream, remote: SocketAddr, permit: Option<OwnedSemaphorePermit>) {
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream)
            .set_tcp_keepalive(&TcpKeepalive::new().with_time(QUIET).with_interval(PROBE));
        match self.tls.clone() {
            None => self.sniffed(stream, remote, permit).await,
            Some(acceptor) => match timeout(TLS_WITHIN, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => self.sniffed(stream, remote, permit).await,
                Ok(Err(e)) => tracing::debug!(%remote, error = %e, "TLS handshake failed"),
                Err(_) => tracing::debug!(%remote, "TLS handshake took too long"),
            },
        }
    }

    async fn sniffed<S>(self, stream: S, remote: SocketAddr, permit: Option<OwnedSemaphorePermit>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(relay) = self.relay.clone() else {
            return self.http(stream, remote, permit).await;
        };
        match sniff(stream).await {
            Ok(Sniffed::FastStart(stream)) => {
                drop(permit);
                relay.serve_connection(stream, remote).await;
            }
            Ok(Sniffed::Http(stream)) => self.http(stream, remote, permit).await,
            Err(e) => tracing::debug!(%remote, error = %e, "said nothing"),
        }
    }

    async fn http<S>(self, stream: S, remote: SocketAddr, permit: Option<OwnedSemaphorePermit>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { router, stop, .. } = self;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(remote));
            request.extensions_mut().insert(Stopping(stop.clone()));
            router.clone().oneshot(request.map(Body::new))
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_headers(64)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        if let Err(e) = connection.await {
            tracing::debug!(%remote, error = %e, "connection ended");
        }
        drop(permit);
    }
}
