//! Listeners: TCP with or without TLS, the local socket; HTTP with bounds on what strangers can hold open, wherever proxies
//! say that they are.

mod http2;
mod local;
mod preamble;
mod proxied;
mod visit;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::Router;
use rustls::ServerConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{error::Elapsed, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::{
    certificate::{HTTP2, was_a_look},
    config::{Proxies, ProxyHeader},
    quota::{Party, Pass, Quota, Rate},
    relay::{Gulp, Relay, Sniffed, sniff},
};
pub use local::{bind_local, serve_local};
use visit::{Peer, Version};

const TLS_WITHIN: Duration = Duration::from_secs(10);
const PREAMBLE_WITHIN: Duration = Duration::from_secs(10);
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

/// What a listener is to the outside; may be exchanged while connections are open.
#[derive(Debug, Clone)]
pub struct Face {
    /// What answers requests.
    pub router: Router,
    /// Whose word about clients is taken.
    pub proxies: Proxies,
    /// Whether nobody but them and this host may connect.
    pub only_proxies: bool,
}

/// One TCP listener and what is behind it.
#[derive(Clone)]
pub struct Listener {
    tls: Option<TlsAcceptor>,
    face: Arc<ArcSwap<Face>>,
    relay: Option<Arc<Relay>>,
    entrance: Arc<Entrance>,
    stop: CancellationToken,
}

/// Bounds what newcomers may hold open.
struct Entrance {
    strangers: Arc<Quota>,
    arrivals: Rate,
    proven_within: Duration,
}

impl Entrance {
    /// A place for somebody who has proved nothing.
    fn admit(&self, party: Party) -> Option<Pass> {
        let pass = self.strangers.enter(party)?;
        self.arrivals.admits(party).is_ok().then_some(pass)
    }
}

impl Listener {
    /// `strangers` bounds the connections that have proved nothing; over it, newcomers are dropped. `relay` gets the
    /// connections that start with relay frames at once.
    pub fn new(
        tls: Option<Arc<ServerConfig>>,
        face: Arc<ArcSwap<Face>>,
        relay: Option<Arc<Relay>>,
        strangers: Arc<Quota>,
        stop: CancellationToken,
    ) -> Self {
        let arrivals = Rate::new(ARRIVE_EVERY, ARRIVE_AT_ONCE);
        let entrance = Arc::new(Entrance { strangers, arrivals, proven_within: PROVEN_WITHIN });
        Self { tls: tls.map(TlsAcceptor::from), face, relay, entrance, stop }
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
                        tracing::debug!(%remote, "not let in, or too many connections that prove nothing");
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

    /// Serves a connection that came some other way than over a socket, through memory say, as one from there that has
    /// no TLS. False when it is not let in. Needs the server's runtime.
    pub fn welcome<S>(&self, stream: S, remote: SocketAddr) -> bool
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(pass) = self.lets_in(remote) else { return false };
        let peer = Peer::at(remote, &self.face.load());
        let (this, stop) = (self.clone(), self.stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = Box::pin(this.sniffed(stream, peer, pass)) => {}
            }
        });
        true
    }

    /// A place for a newcomer; before anything is spent on it.
    fn lets_in(&self, remote: SocketAddr) -> Option<Pass> {
        let face = self.face.load();
        if face.proxies.has(remote.ip()) {
            return self.entrance.admit(Party::of_proxy(remote));
        }
        if face.only_proxies && !remote.ip().to_canonical().is_loopback() {
            return None;
        }
        self.entrance.admit(Party::at(remote))
    }

    async fn connection(self, mut stream: TcpStream, remote: SocketAddr, pass: Pass) {
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream)
            .set_tcp_keepalive(&TcpKeepalive::new().with_time(QUIET).with_interval(PROBE));
        let Some((peer, pass)) = self.introduced(&mut stream, remote, pass).await else { return };
        match self.tls.clone() {
            // In boxes: a task has room for all that is handed on in it, and again at every step.
            None => Box::pin(self.sniffed(stream, peer, pass)).await,
            Some(acceptor) => match secured(acceptor, stream).await {
                Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(HTTP2) => {
                    Box::pin(self.http(stream, Version::Two, peer, pass)).await;
                }
                Ok(Ok(stream)) if was_a_look(stream.get_ref().1.alpn_protocol()) => {}
                Ok(Ok(stream)) => Box::pin(self.sniffed(stream, peer, pass)).await,
                Ok(Err(e)) => tracing::debug!(%remote, error = %e, "TLS handshake failed"),
                Err(_) => tracing::debug!(%remote, "TLS handshake took too long"),
            },
        }
    }

    /// Who this is, if a proxy says so before anything else.
    async fn introduced(
        &self,
        stream: &mut TcpStream,
        remote: SocketAddr,
        pass: Pass,
    ) -> Option<(Peer, Pass)> {
        let face = self.face.load_full();
        if face.proxies.header != ProxyHeader::ProxyProtocol || !face.proxies.has(remote.ip()) {
            return Some((Peer::at(remote, &face), pass));
        }
        let client = match timeout(PREAMBLE_WITHIN, preamble::read(stream)).await {
            Ok(Ok(client)) => client,
            Ok(Err(e)) => {
                tracing::warn!(%remote, error = %e, "a proxy does not say whom it speaks for");
                return None;
            }
            Err(_) => return None,
        };
        let Some(client) = client else { return Some((Peer::at(remote, &face), pass)) };
        let peer = Peer { remote: client, speaks_for_others: false };
        Some((peer, self.entrance.admit(Party::at(client))?))
    }

    async fn sniffed<S>(self, stream: S, peer: Peer, pass: Pass)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(relay) = self.relay.clone() else {
            return self.http(stream, Version::One, peer, pass).await;
        };
        match sniff(stream).await {
            Ok(Sniffed::FastStart(stream)) => {
                drop(pass);
                relay.serve_connection(stream, peer.remote).await;
            }
            Ok(Sniffed::Http(stream)) => self.http(stream, Version::One, peer, pass).await,
            Err(e) => tracing::debug!(remote = %peer.remote, error = %e, "said nothing"),
        }
    }

    async fn http<S>(self, stream: S, version: Version, peer: Peer, pass: Pass)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        visit::serve(stream, version, (self.face, self.entrance), (peer, pass), self.stop).await;
    }
}

async fn secured(
    acceptor: TlsAcceptor,
    stream: TcpStream,
) -> Result<io::Result<Box<TlsStream<Gulp<TcpStream>>>>, Elapsed> {
    let accepted = timeout(TLS_WITHIN, Box::pin(acceptor.accept(Gulp::new(stream)))).await;
    accepted.map(|stream| stream.map(Box::new))
}

#[cfg(test)]
mod tests;
