//! A connection to a relay behind its hello.

use derp::{ClientInfo, ClientKey, Decoder, Frame};
use ident::{NodeKey, Secret};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::house::soon;

/// How a client gets to DERP frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    FastStart,
    Upgrade,
}

pub struct Relayed<S> {
    io: S,
    decoder: Decoder,
}

/// Keys of one's own for the relay.
pub fn key_pair(seed: u8) -> ClientKey {
    ClientKey::new(Secret::new([seed; 32])).unwrap()
}

/// Says hello over a fresh connection.
pub async fn enter<S>(io: S, way: Way, pair: &ClientKey) -> Relayed<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    knock(io, way, pair).await.expect("refused")
}

/// The same; `None` when the relay ends the connection instead.
pub async fn knock<S>(mut io: S, way: Way, pair: &ClientKey) -> Option<Relayed<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let fast = if way == Way::FastStart { "Derp-Fast-Start: 1\r\n" } else { "" };
    let head = format!("GET /derp HTTP/1.1\r\nHost: x\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n{fast}\r\n");
    io.write_all(head.as_bytes()).await.unwrap();
    if way == Way::Upgrade {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon("the head", io.read_u8()).await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    }
    let mut relayed = Relayed { io, decoder: Decoder::new() };
    let Some(Frame::ServerKey(server)) = relayed.next().await else { panic!("no greeting") };
    let info = ClientInfo { version: 2, ..ClientInfo::default() };
    let hello = pair.seal_client_info(&server, [7; 24], &info).unwrap();
    relayed.io.write_all(&hello.to_bytes()).await.unwrap();
    let answer = relayed.next().await?;
    assert!(matches!(answer, Frame::ServerInfo { .. }), "{answer:?}");
    Some(relayed)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Relayed<S> {
    pub async fn send(&mut self, to: NodeKey, packet: &'static [u8]) {
        let frame = Frame::SendPacket { to, packet: packet.into() };
        self.io.write_all(&frame.to_bytes()).await.unwrap();
    }

    /// The next frame; `None` at the end.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(frame);
            }
            let read = soon("a frame", self.io.read_buf(self.decoder.buffer())).await;
            if !read.is_ok_and(|n| n > 0) {
                return None;
            }
        }
    }

    /// Whether the relay answers.
    pub async fn lives(&mut self) -> bool {
        let ping = self.io.write_all(&Frame::Ping(*b"are you?").to_bytes()).await;
        ping.is_ok() && self.next().await == Some(Frame::Pong(*b"are you?"))
    }

    /// The relay ends the connection.
    pub async fn ends(mut self) {
        while self.next().await.is_some() {}
    }
}
