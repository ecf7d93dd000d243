//! The relay of a whole server: it serves the nodes of the World, and none whose right to be here has ended.

use std::sync::Arc;

use api::node;
use control::relay::certificate;
use derp::{ClientInfo, ClientKey, Decoder, Frame};
use harness::Identity;
use ident::Secret;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    admin::reusable,
    device::Device,
    house::{House, PATIENCE, Setup, free_address},
};

async fn open() -> (House, Door) {
    let relay = free_address();
    let house = House::open_with(Setup { relay: Some(relay), ..Setup::default() }).await;
    let own = certificate::load_or_create(house.folder(), &["127.0.0.1".to_owned()]).unwrap();
    (house, Door { address: relay, tls: harness::trusting(&[own.cert_der]).unwrap() })
}

struct Door {
    address: std::net::SocketAddr,
    tls: Arc<ClientConfig>,
}

/// A connection to the relay behind the hello.
struct Relayed {
    io: TlsStream<TcpStream>,
    decoder: Decoder,
}

const FAST: &[u8] =
    b"GET /derp HTTP/1.1\r\nHost: x\r\nUpgrade: DERP\r\nConnection: Upgrade\r\nDerp-Fast-Start: 1\r\n\r\n";
const UPGRADE: &[u8] = b"GET /derp HTTP/1.1\r\nHost: x\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n";

impl Door {
    /// Says hello with this key; `None` when the relay ends the connection instead.
    async fn enter(&self, pair: &ClientKey) -> Option<Relayed> {
        let io = self.request(FAST).await;
        hello(io, pair).await
    }

    /// The same through an HTTP upgrade, which is answered before the frames begin.
    async fn enter_upgraded(&self, pair: &ClientKey) -> Option<Relayed> {
        let mut io = self.request(UPGRADE).await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, io.read_u8()).await.unwrap().unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        hello(io, pair).await
    }

    async fn request(&self, head: &[u8]) -> TlsStream<TcpStream> {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut io = TlsConnector::from(self.tls.clone()).connect(name, tcp).await.unwrap();
        io.write_all(head).await.unwrap();
        io
    }
}

async fn hello(io: TlsStream<TcpStream>, pair: &ClientKey) -> Option<Relayed> {
    let mut relayed = Relayed { io, decoder: Decoder::new() };
    let Some(Frame::ServerKey(server)) = relayed.next().await else { panic!("no greeting") };
    let info = ClientInfo { version: 2, ..ClientInfo::default() };
    let hello = pair.seal_client_info(&server, [7; 24], &info).unwrap();
    relayed.io.write_all(&hello.to_bytes()).await.unwrap();
    relayed.next().await.map(|_| relayed)
}

impl Relayed {
    /// The next frame; `None` at the end.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(frame);
            }
            let read = timeout(PATIENCE, self.io.read_buf(self.decoder.buffer())).await;
            if !read.expect("the relay is silent").is_ok_and(|n| n > 0) {
                return None;
            }
        }
    }

    async fn lives(&mut self) -> bool {
        let ping = self.io.write_all(&Frame::Ping(*b"are you?").to_bytes()).await;
        ping.is_ok() && self.next().await == Some(Frame::Pong(*b"are you?"))
    }

    async fn is_cut(&mut self) {
        while self.next().await.is_some() {}
    }
}

/// A device whose node key we can prove.
fn provable(seed: u8) -> (Identity, ClientKey) {
    let pair = ClientKey::new(Secret::new([seed; 32])).unwrap();
    (Identity { node: pair.public(), ..Identity::random().unwrap() }, pair)
}

async fn member(house: &House, seed: u8, hostname: &str) -> (Device, ClientKey) {
    let (me, pair) = provable(seed);
    let key = house.admin.key(&reusable()).await;
    (house.join(me, &key, hostname).await, pair)
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_and_nodes_relay() {
    let (house, door) = open().await;
    let [a, b] = [member(&house, 1, "a").await, member(&house, 2, "b").await];
    assert!(door.enter(&provable(3).1).await.is_none(), "a stranger is served");
    let (mut from, mut to) = (door.enter(&a.1).await.unwrap(), door.enter(&b.1).await.unwrap());
    let packet = Frame::SendPacket { to: b.1.public(), packet: b"hello".to_vec().into() };
    from.io.write_all(&packet.to_bytes()).await.unwrap();
    let arrived = Frame::RecvPacket { from: a.1.public(), packet: b"hello".to_vec().into() };
    assert_eq!(to.next().await, Some(arrived));
    let region = &a.0.map().await.derp_map.unwrap().regions[&900];
    assert_eq!(region.nodes[0].derp_port, door.address.port());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_right_has_ended_is_cut_and_stays_out() {
    let (house, door) = open().await;
    let (_, witness) = member(&house, 9, "witness").await;
    let mut witness = door.enter(&witness).await.unwrap();
    for (seed, end) in ["log out", "expire", "delete", "rotate"].into_iter().enumerate() {
        let (device, pair) = member(&house, 10 + seed as u8, "leaver").await;
        let mut relayed = door.enter(&pair).await.unwrap();
        assert!(relayed.lives().await);
        let id = device.myself().await.id.to_string();
        match end {
            "log out" => device.log_out().await,
            "expire" => drop(house.admin.call(&node::EXPIRE, &[&id], &()).await.unwrap()),
            "delete" => drop(house.admin.call(&node::DELETE, &[&id], &()).await.unwrap()),
            _ => {
                let key = house.admin.key(&reusable()).await;
                house.join(device.me.rotated().unwrap(), &key, "leaver").await;
            }
        }
        relayed.is_cut().await;
        assert!(door.enter(&pair).await.is_none(), "{end}");
        assert!(witness.lives().await, "{end}: another one was cut");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_ends_every_relay_connection() {
    let (house, door) = open().await;
    let [a, b] = [member(&house, 1, "a").await, member(&house, 2, "b").await];
    let (mut fast, mut upgraded) =
        (door.enter(&a.1).await.unwrap(), door.enter_upgraded(&b.1).await.unwrap());
    assert!(fast.lives().await && upgraded.lives().await);
    house.close().await;
    fast.is_cut().await;
    upgraded.is_cut().await;
}
