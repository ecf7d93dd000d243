//! A stream without an end on each connection, with the library and the settings of a channel of the server, and nothing
//! else: no Noise, no routes, no node. What it takes of memory nobody takes less of who uses the library.

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpListener},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming},
    client, server,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{net::TcpStream, runtime};

use super::{Floor, Load};
use crate::{gauge::Gauge, open_files};

/// As in the server's channels.
const PING_EVERY: Duration = Duration::from_secs(40);
const PING_WITHIN: Duration = Duration::from_secs(20);
const STREAMS: u32 = 100;
const SEND_BUFFER: usize = 64 << 10;
const HEADERS: u32 = 16 << 10;
const MESSAGE: &[u8] = &[0x5a; 76];
/// Connections that pay for what all have in common.
const FIRST: usize = 50;

/// Serves whoever comes.
pub fn serve(door: TcpListener) -> Result<Infallible> {
    open_files::make_room(0)?;
    door.set_nonblocking(true)?;
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let door = tokio::net::TcpListener::from_std(door)?;
        loop {
            tokio::spawn(hold(door.accept().await?.0));
        }
    })
}

async fn hold(socket: TcpStream) {
    let service =
        service_fn(|_| async { Ok::<_, Infallible>(Response::new(Told(Some(Bytes::from_static(MESSAGE))))) });
    let connection = server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WITHIN)
        .max_concurrent_streams(STREAMS)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(HEADERS)
        .serve_connection(TokioIo::new(socket), service);
    // However it ends, it is gone.
    let _ = connection.await;
}

/// One message, and then none.
struct Told(Option<Bytes>);

impl Body for Told {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |message| Poll::Ready(Some(Ok(Frame::data(message)))))
    }
}

/// Resident memory that each of so many connections adds to the process that holds them, in bytes.
pub async fn memory_each(connections: usize) -> Result<f64> {
    let floor = Floor::start(Load::Http2).await?;
    let gauge = Gauge::of(floor.pid);
    let mut held = Vec::new();
    for _ in 0..FIRST {
        held.push(Held::open(floor.address).await?);
    }
    let before = gauge.memory()?.resident_bytes;
    for _ in 0..connections {
        held.push(Held::open(floor.address).await?);
    }
    let more = gauge.memory()?.resident_bytes.saturating_sub(before);
    Ok(more as f64 / connections.max(1) as f64)
}

/// The client's end, open until it is dropped.
struct Held {
    _sender: client::conn::http2::SendRequest<Told>,
    _body: Incoming,
}

impl Held {
    async fn open(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address).await?;
        let (mut sender, connection) =
            client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await?;
        tokio::spawn(connection);
        let request = Request::post(format!("http://{address}/machine/map")).body(Told(None))?;
        let mut body = sender.send_request(request).await?.into_body();
        let message = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        message.context("a stream that tells something")??;
        Ok(Self { _sender: sender, _body: body })
    }
}
