//! A scripted DERP client.

use std::{io, time::Duration};

use derp::{ClientInfo, ClientKey, Decoder, Frame, ServerInfo};
use ident::{NodeKey, Secret};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::house::{ClientTls, House};

/// Nothing in these tests takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that said hello.
pub struct Client<IO> {
    pub key: NodeKey,
    pub wire: Wire<IO>,
}

pub fn key_pair(seed: u8) -> ClientKey {
    ClientKey::new(Secret::new([seed; 32])).unwrap()
}

/// A node of this seed, invited and connected through an HTTP upgrade.
pub async fn connect(house: &House, seed: u8) -> Client<ClientTls> {
    let pair = key_pair(seed);
    house.guests.invite(pair.public());
    let mut io = house.dial().await;
    let head = request(&mut io, "GET /derp", "Upgrade: DERP\r\nConnection: Upgrade\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    hello(io, &pair).await.unwrap()
}

/// Sends a request without a body and answers the head of the response.
pub async fn request(io: &mut ClientTls, line: &str, headers: &str) -> String {
    io.write_all(format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, io.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// The DERP hello; the relay's first two frames must be ServerKey and ServerInfo.
pub async fn hello<IO>(io: IO, pair: &ClientKey) -> io::Result<Client<IO>>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut wire = Wire { io, decoder: Decoder::new() };
    let server = greeted(&mut wire).await?;
    let info = ClientInfo { version: 2, ..ClientInfo::default() };
    wire.send(&pair.seal_client_info(&server, [seed_of(pair); 24], &info).unwrap()).await?;
    let second = wire.next().await?;
    let Frame::ServerInfo { sealed } = second else { panic!("second frame: {second:?}") };
    assert_eq!(pair.open_server_info(&server, &sealed), Ok(ServerInfo { version: 2 }));
    Ok(Client { key: pair.public(), wire })
}

/// Reads the relay's first frame.
pub async fn greeted<IO: AsyncRead + AsyncWrite + Unpin>(wire: &mut Wire<IO>) -> io::Result<[u8; 32]> {
    match wire.next().await? {
        Frame::ServerKey(key) => Ok(key),
        first => panic!("first frame: {first:?}"),
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Client<IO> {
    pub async fn send(&mut self, to: NodeKey, packet: &[u8]) {
        let packet = packet.to_vec().into();
        self.wire.send(&Frame::SendPacket { to, packet }).await.unwrap();
    }

    pub async fn next(&mut self) -> Frame {
        self.wire.next().await.unwrap()
    }

    /// The next frame is this packet.
    pub async fn expect(&mut self, from: NodeKey, packet: &[u8]) {
        assert_eq!(self.next().await, Frame::RecvPacket { from, packet: packet.to_vec().into() });
    }

    /// Everything that was sent to the relay before has been dealt with, and nothing was to be read.
    pub async fn expect_nothing(&mut self) {
        self.wire.send(&Frame::Ping(*b"anything")).await.unwrap();
        assert_eq!(self.next().await, Frame::Pong(*b"anything"));
    }
}

/// Frames over any stream.
pub struct Wire<IO> {
    pub io: IO,
    pub decoder: Decoder,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Wire<IO> {
    pub fn new(io: IO) -> Self {
        Self { io, decoder: Decoder::new() }
    }

    pub async fn send(&mut self, frame: &Frame) -> io::Result<()> {
        self.io.write_all(&frame.to_bytes()).await?;
        self.io.flush().await
    }

    pub async fn next(&mut self) -> io::Result<Frame> {
        loop {
            if let Some(frame) = self.decoder.next_frame().map_err(io::Error::other)? {
                return Ok(frame);
            }
            let read = timeout(PATIENCE, self.io.read_buf(self.decoder.buffer()));
            if read.await.expect("the relay is silent")? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The relay ends the connection; frames that come before are skipped.
    pub async fn expect_end(&mut self) {
        while self.next().await.is_ok() {}
    }
}

fn seed_of(pair: &ClientKey) -> u8 {
    pair.public().as_bytes()[0]
}
