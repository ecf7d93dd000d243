//! One connection of a model client: HTTP/2 inside Noise inside HTTP.

use std::{fmt, sync::Arc};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use noise::{Initiator, PrivateKey};
use tokio::{io::AsyncReadExt, task::JoinHandle};
use wire::{CapVer, MapRequest, MapResponse, RegisterRequest, RegisterResponse};

use crate::{Channel, Dialect, MapStream, Server, Socket};

/// An answer that is no 200; tests look for it in the error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub status: StatusCode,
    pub text: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.text)
    }
}
impl std::error::Error for Refused {}

/// A connected client. The connection ends when it and all its streams are dropped.
#[derive(Debug, Clone)]
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    dialect: Dialect,
    driver: Arc<Driver>,
}

/// Ends the connection with its last user.
#[derive(Debug)]
pub(crate) struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Client {
    /// Connects as this machine, with our own capability version.
    pub async fn connect(server: &Server, machine: &PrivateKey) -> Result<Self> {
        Self::connect_as(server, machine, CapVer::OURS).await
    }

    /// The same, naming this version in the handshake.
    pub async fn connect_as(server: &Server, machine: &PrivateKey, version: CapVer) -> Result<Self> {
        Self::dial(server, machine, version, None).await
    }

    /// A client that leaves room for so many bytes of a body that it does not read.
    pub async fn connect_narrow(server: &Server, machine: &PrivateKey, window_bytes: u32) -> Result<Self> {
        Self::dial(server, machine, CapVer::OURS, Some(window_bytes)).await
    }

    async fn dial(
        server: &Server,
        machine: &PrivateKey,
        version: CapVer,
        window_bytes: Option<u32>,
    ) -> Result<Self> {
        let mut ephemeral = [0; 32];
        getrandom::fill(&mut ephemeral).context("random bytes")?;
        let version = u16::try_from(version.0)?;
        let (initiation, initiator) = Initiator::new(machine, server.key, ephemeral, version)?;
        let mut socket = server.upgrade(&initiation).await?;
        let transport = initiator.finish(&answer(&mut socket).await.context("the handshake's response")?)?;
        let io = TokioIo::new(Channel::new(socket, transport));
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        if window_bytes.is_some() {
            http2.initial_stream_window_size(window_bytes);
        }
        let (sender, connection) = http2.handshake(io).await?;
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, dialect: server.dialect, driver: Arc::new(Driver(driver)) })
    }

    /// Registers; an answer with an error text is an answer.
    pub async fn register(&self, request: &RegisterRequest) -> Result<RegisterResponse> {
        let body = self.ask("/machine/register", request.encode()?).await?;
        let body = body.into_body().collect().await?.to_bytes();
        self.dialect.decode(&body).context("the answer to a registration")
    }

    /// Asks for one full map.
    pub async fn map_once(&self, request: &MapRequest) -> Result<MapResponse> {
        let request = MapRequest { stream: false, omit_peers: false, ..request.clone() };
        let mut stream = self.open(&request).await?;
        let map = stream.next().await?.context("a map before the end")?;
        ensure!(stream.next().await?.is_none(), "a second message in a one-shot answer");
        Ok(map)
    }

    /// Reports; see [`crate::Identity::report`].
    pub async fn lite_update(&self, request: &MapRequest) -> Result<()> {
        ensure!(request.is_lite(), "a lite update has Stream off and OmitPeers on");
        self.ask("/machine/map", wire::encode(request)?).await?.into_body().collect().await?;
        Ok(())
    }

    /// Opens the long poll.
    pub async fn stream(&self, request: &MapRequest) -> Result<MapStream> {
        ensure!(request.stream, "a stream has Stream on");
        self.open(request).await
    }

    /// Any call, as it comes back.
    pub async fn call(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Response<Incoming>> {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://unused{path}"))
            .body(Full::new(Bytes::from(body)))?;
        let mut sender = self.sender.clone();
        sender.ready().await?;
        Ok(sender.send_request(request).await?)
    }

    /// Whether the other side has gone.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    async fn open(&self, request: &MapRequest) -> Result<MapStream> {
        let answer = self.ask("/machine/map", wire::encode(request)?).await?;
        Ok(MapStream::new(answer.into_body(), request.wants_zstd(), self.dialect, self.driver.clone()))
    }

    async fn ask(&self, path: &str, body: Vec<u8>) -> Result<Response<Incoming>> {
        let answer = self.call(Method::POST, path, body).await?;
        let status = answer.status();
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let body = answer.into_body().collect().await?.to_bytes();
        Err(Refused { status, text: String::from_utf8_lossy(&body).into_owned() }.into())
    }
}

/// A response or an error frame, whole.
async fn answer(socket: &mut Socket) -> std::io::Result<Vec<u8>> {
    let mut frame = vec![0; 3];
    socket.read_exact(&mut frame).await?;
    let len = u16::from_be_bytes([frame[1], frame[2]]);
    frame.resize(3 + usize::from(len), 0);
    socket.read_exact(&mut frame[3..]).await?;
    Ok(frame)
}
