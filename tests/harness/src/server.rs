//! Reaching a server: sockets, TLS, its key, and the upgrade to a Noise channel.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{self, Poll},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ident::MachineKey;
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::TlsConnector;
use wire::ServerKeys;

use crate::Dialect;

/// Where a server is and what its key is; shared by all clients of it.
#[derive(Debug, Clone)]
pub struct Server {
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    /// Loopback addresses that connections come from in turn, and how many there were.
    sources: Option<(u8, Arc<AtomicUsize>)>,
    /// The client that a proxy in front of the server would name.
    client: Option<String>,
    pipes: Option<Pipes>,
    pub key: MachineKey,
    /// Strict unless told otherwise.
    pub dialect: Dialect,
}

impl Server {
    /// Fetches the key of the server at `http://host:port`, or at `https://host:port` when `tls` says whom to trust.
    pub async fn find(url: &str, tls: Option<Arc<ClientConfig>>) -> Result<Self> {
        let url: Uri = url.parse().context("the server's URL")?;
        let secure = url.scheme_str() == Some("https");
        ensure!(secure == tls.is_some(), "https goes with a TLS configuration, http without");
        let mut server = Self {
            host: url.host().context("a URL with a host")?.trim_matches(['[', ']']).to_owned(),
            port: url.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            tls,
            sources: None,
            client: None,
            pipes: None,
            key: MachineKey::from_bytes([1; 32])?,
            dialect: Dialect::default(),
        };
        let (status, body) = server.get(&format!("/key?v={}", wire::CapVer::OURS)).await?;
        ensure!(status == StatusCode::OK, "/key answered {status}");
        server.key = serde_json::from_slice::<ServerKeys>(&body).context("the answer to /key")?.public_key;
        Ok(server)
    }

    /// One without TLS whose key is known.
    pub fn at(host: &str, port: u16, key: MachineKey) -> Self {
        let (tls, sources, client, pipes) = (None, None, None, None);
        Self { host: host.to_owned(), port, tls, sources, client, pipes, key, dialect: Dialect::default() }
    }

    /// Connects through memory from here on, without TLS.
    pub fn through(self, pipes: Pipes) -> Self {
        Self { pipes: Some(pipes), tls: None, ..self }
    }

    /// Whether its connections are no open files.
    pub fn is_in_memory(&self) -> bool {
        self.pipes.is_some()
    }

    /// Speaks as a proxy does, for a client at this address.
    pub fn on_behalf_of(self, client: &str) -> Self {
        Self { client: Some(client.to_owned()), ..self }
    }

    /// Connects from 127.0.0.1, 127.0.0.2 and so on in turn, so that ports do not run out; for a server on 127.0.0.1.
    pub fn from_addresses(self, sources: u8) -> Self {
        Self { sources: Some((sources.max(1), Arc::default())), ..self }
    }

    /// Another service near it: its port on this host, and whom to trust there if not the same ones.
    pub fn beside(&self, host: &str, port: u16, tls: Option<Arc<ClientConfig>>) -> Self {
        Self { host: host.to_owned(), port, tls: tls.or_else(|| self.tls.clone()), ..self.clone() }
    }

    /// A plain GET outside of Noise. The body may have 1 MiB.
    pub async fn get(&self, path: &str) -> Result<(StatusCode, Bytes)> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.dial().await?)).await?;
        let running = tokio::spawn(connection);
        let request = Request::get(path).header(header::HOST, self.authority()).body(Empty::<Bytes>::new())?;
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, 1 << 20)
            .collect()
            .await
            .map_err(|e| anyhow!("the body of {path}: {e}"))?
            .to_bytes();
        running.abort();
        Ok((head.status, body))
    }

    /// Upgrades a fresh connection with this handshake message. What the server said after its headers is read first
    /// from the socket that is given back.
    pub async fn upgrade(&self, initiation: &[u8]) -> Result<Socket> {
        const PROTOCOL: &str = "tailscale-control-protocol";
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.dial().await?)).await?;
        tokio::spawn(connection.with_upgrades());
        let mut request = Request::post("/ts2021");
        if let Some(client) = &self.client {
            request = request.header("X-Forwarded-For", client);
        }
        let request = request
            .header(header::HOST, self.authority())
            .header(header::UPGRADE, PROTOCOL)
            .header(header::CONNECTION, "upgrade")
            .header("X-Tailscale-Handshake", STANDARD.encode(initiation))
            .body(Empty::<Bytes>::new())?;
        let answer = sender.send_request(request).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            bail!("/ts2021 answered {}", answer.status());
        }
        let protocol = answer.headers().get(header::UPGRADE);
        ensure!(protocol == Some(&HeaderValue::from_static(PROTOCOL)), "upgraded to {protocol:?}");
        let parts = hyper::upgrade::on(answer).await?.downcast::<TokioIo<Socket>>();
        let Ok(parts) = parts else { bail!("upgraded to another socket") };
        let mut socket = parts.io.into_inner();
        socket.ahead = parts.read_buf;
        Ok(socket)
    }

    /// A fresh connection, TLS done.
    pub async fn dial(&self) -> Result<Socket> {
        if let Some(pipes) = &self.pipes {
            return Ok(Socket {
                ahead: Bytes::new(),
                io: Box::new((pipes.0)().context("the server's door")?),
            });
        }
        let tcp = self.connect().await.context("the server's port")?;
        tcp.set_nodelay(true)?;
        let io: Box<dyn Duplex> = match &self.tls {
            None => Box::new(tcp),
            Some(config) => {
                let name = self.host.clone().try_into().context("a host name for TLS")?;
                Box::new(TlsConnector::from(config.clone()).connect(name, tcp).await?)
            }
        };
        Ok(Socket { ahead: Bytes::new(), io })
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let Some((sources, turn)) = &self.sources else {
            return TcpStream::connect((self.host.as_str(), self.port)).await;
        };
        let turn = turn.fetch_add(1, Relaxed) % usize::from(*sources);
        let from = Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) + turn as u32);
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).await
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host, self.port)
    }
}

/// A TLS configuration that trusts these roots (DER) and no others.
pub fn trusting(roots: &[CertificateDer<'static>]) -> Result<Arc<ClientConfig>> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone())?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Makes connections to a server in this process.
#[derive(Clone)]
pub struct Pipes(pub Arc<dyn Fn() -> io::Result<DuplexStream> + Send + Sync>);

impl fmt::Debug for Pipes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pipes")
    }
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection, with or without TLS, and what was read from it too early.
pub struct Socket {
    ahead: Bytes,
    io: Box<dyn Duplex>,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Socket")
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, out);
        }
        let taken = self.ahead.len().min(out.remaining());
        out.put_slice(&self.ahead.split_to(taken));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
