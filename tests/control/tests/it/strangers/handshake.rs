//! Bytes that are no channel: refused or cut off, and the server goes on.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use harness::{Client, Identity, Server, Socket};
use noise::{INITIATION_LEN, Initiator, RESPONSE_LEN, Transport};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{
    admin::reusable,
    device::{Device, online},
    house::{House, PATIENCE, find},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn initiation(at: &Server) -> ([u8; INITIATION_LEN], Initiator) {
    let me = Identity::random().unwrap();
    let ephemeral = *Identity::random().unwrap().disco.as_bytes();
    Initiator::new(&me.machine, at.key, ephemeral, wire::CapVer::OURS.0 as u16).unwrap()
}

/// An open channel, by hand.
async fn channel(at: &Server) -> (Socket, Transport) {
    let (message, initiator) = initiation(at);
    let mut socket = at.upgrade(&message).await.unwrap();
    let mut response = [0; RESPONSE_LEN];
    socket.read_exact(&mut response).await.unwrap();
    (socket, initiator.finish(&response).unwrap())
}

async fn is_cut(mut socket: Socket) {
    let end = timeout(PATIENCE, async {
        let mut scratch = [0; 4096];
        while socket.read(&mut scratch).await.is_ok_and(|n| n > 0) {}
    });
    end.await.expect("the connection stays open");
}

async fn still_serves(house: House) {
    let device = house.member("honest").await;
    assert!(device.map().await.node.is_some());
    assert_eq!(house.world().nodes.len(), 1, "nothing else was stored");
    house.close().await;
}

async fn is_answered_400(at: &Server, message: &[u8], what: &str) {
    match at.upgrade(message).await {
        Ok(_) => panic!("{what} opened a channel"),
        Err(e) => assert!(e.to_string().contains("400"), "{what}: {e:#}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_with_any_byte_flipped_opens_nothing() {
    let house = House::open().await;
    let (message, _) = initiation(&house.at);
    for at in 0..message.len() {
        let mut flipped = message;
        flipped[at] ^= 1 << (at % 8);
        is_answered_400(&house.at, &flipped, &format!("byte {at} flipped")).await;
    }
    for len in [0, 1, 5, INITIATION_LEN - 1] {
        is_answered_400(&house.at, &message[..len], &format!("{len} bytes")).await;
    }
    is_answered_400(&house.at, &[&message[..], &[0]].concat(), "a byte more").await;
    is_answered_400(&house.at, &[0xff; 4096], "a long one").await;
    still_serves(house).await;
}

/// Little-endian u of the points of order 1, 2, 4 and 8 on the curve and its twist, and their unreduced forms.
fn low_order_points() -> Vec<[u8; 32]> {
    let small = |first: u8| {
        let mut point = [0; 32];
        point[0] = first;
        point
    };
    let high = |first: u8| {
        let mut point = [0xff; 32];
        (point[0], point[31]) = (first, 0x7f);
        point
    };
    // The two of order 8.
    let eight = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let parse = |hex: &str| {
        let byte = |i: usize| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap();
        std::array::from_fn(byte)
    };
    let mut points = vec![small(0), small(1), high(0xec), high(0xed), high(0xee)];
    points.extend(eight.iter().map(|p| parse(p)));
    points
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_with_a_point_of_low_order_opens_nothing() {
    let house = House::open().await;
    for point in low_order_points() {
        let (mut message, _) = initiation(&house.at);
        message[5..37].copy_from_slice(&point);
        is_answered_400(&house.at, &message, &format!("{point:02x?}")).await;
    }
    still_serves(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_handshake_is_nobodys_channel() {
    let house = House::open().await;
    let (message, initiator) = initiation(&house.at);
    let mut socket = house.at.upgrade(&message).await.unwrap();
    let mut response = [0; RESPONSE_LEN];
    socket.read_exact(&mut response).await.unwrap();
    let (mut sealer, _) = initiator.finish(&response).unwrap().split();
    let mut record = BytesMut::new();
    sealer.seal(PREFACE, &mut record).unwrap();

    let mut repeated = house.at.upgrade(&message).await.unwrap();
    let mut other = [0; RESPONSE_LEN];
    repeated.read_exact(&mut other).await.unwrap();
    assert_ne!(response, other, "fresh keys each time");
    repeated.write_all(&record).await.unwrap();
    is_cut(repeated).await;
    still_serves(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_no_client_has_are_answered_and_change_nothing() {
    let house = House::open().await;
    let key = house.admin.key(&reusable()).await;
    for (version, welcome) in [(0, false), (1, false), (65_535, true)] {
        let me = Identity::random().unwrap();
        let Ok(client) = Client::connect_as(&house.at, &me.machine, wire::CapVer(version)).await else {
            continue;
        };
        let mut request = me.register_request(Some(&key), "odd");
        request.version = wire::CapVer(version);
        let answer = client.register(&request).await.unwrap();
        assert_eq!(answer.machine_authorized, welcome, "{version}: {}", answer.error);
        let mut poll = me.stream_request("odd");
        poll.version = wire::CapVer(version);
        assert_eq!(client.map_once(&poll).await.is_ok(), welcome, "{version}");
    }
    assert_eq!(house.world().nodes.len(), 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_record_ends_the_connection() {
    let house = House::open().await;
    let sealed = |transport: Transport| {
        let mut out = BytesMut::new();
        transport.split().0.seal(PREFACE, &mut out).unwrap();
        out.to_vec()
    };
    type Breaker = fn(&mut Vec<u8>);
    let breakers: [(&str, Breaker); 6] = [
        ("a wrong tag", |r| *r.last_mut().unwrap() ^= 1),
        ("a wrong text", |r| r[4] ^= 1),
        ("no record", |r| r[0] = 1),
        ("an unknown type", |r| r[0] = 0xee),
        ("a length over 4,096", |r| (r[1], r[2]) = (0xff, 0xff)),
        ("a length under a tag", |r| (r[1], r[2]) = (0, 3)),
    ];
    for (what, breaker) in breakers {
        let (mut socket, transport) = channel(&house.at).await;
        let mut record = sealed(transport);
        breaker(&mut record);
        socket.write_all(&record).await.unwrap();
        println!("{what}");
        is_cut(socket).await;
    }
    still_serves(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http2_ends_the_connection() {
    let house = House::open().await;
    let frame = |len: u32, kind: u8, stream: u32| {
        let mut bytes = PREFACE.to_vec();
        bytes.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&len.to_be_bytes()[1..]);
        bytes.extend_from_slice(&[kind, 0]);
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend(std::iter::repeat_n(0xff, len.min(1 << 16) as usize));
        bytes
    };
    let bodies = [
        b"GET /machine/map HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0xff; 1 << 16],
        frame(0xff_ffff, 0, 1), // a frame larger than allowed
        frame(9, 1, 1),         // header block that does not decode
        frame(4, 0, 1),         // data on a stream that was never opened
        frame(3, 4, 0),         // settings of impossible length
    ];
    for body in bodies {
        let (mut socket, transport) = channel(&house.at).await;
        let mut sealed = BytesMut::new();
        transport.split().0.seal(&body, &mut sealed).unwrap();
        let _ = socket.write_all(&sealed).await;
        is_cut(socket).await;
    }
    still_serves(house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_flipped_on_the_way_ends_the_stream_and_the_device_comes_back() {
    let house = House::open().await;
    let [laptop, peer] = [house.member("laptop").await, house.member("peer").await];
    let id = laptop.myself().await.id;
    let flip = Arc::new(AtomicBool::new(false));
    let through = find(tampered(&house, flip.clone()).await).await;
    let device = Device::connect(&through, laptop.me.clone(), "laptop").await;
    let mut theirs = peer.listen().await;
    let mut ours = device.listen().await;
    theirs.until("the laptop online", |m| online(m, id)).await;

    flip.store(true, Ordering::SeqCst);
    let report = device.me.report("laptop", &["192.0.2.1:41641"], 900);
    assert!(timeout(PATIENCE, device.client.lite_update(&report)).await.expect("it hangs").is_err());
    ours.ends().await;
    theirs.until("the laptop offline", |m| !online(m, id)).await;
    assert_eq!(theirs.go.peer(id).unwrap().home_derp, 0, "nothing of the broken record arrived");
    let _back = laptop.listen().await;
    theirs.until("the laptop back", |m| online(m, id)).await;
    house.close().await;
}

/// A way to the server that flips one bit of what clients say, once it is told to.
async fn tampered(house: &House, flip: Arc<AtomicBool>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, server) = (listener.local_addr().unwrap(), house.address);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(forward(client, server, flip.clone()));
        }
    });
    address
}

async fn forward(client: TcpStream, server: std::net::SocketAddr, flip: Arc<AtomicBool>) -> io::Result<()> {
    let (mut from, mut back) = client.into_split();
    let (mut answers, mut to) = TcpStream::connect(server).await?.into_split();
    let down = tokio::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
    let mut chunk = [0; 4096];
    loop {
        let n = from.read(&mut chunk).await?;
        if n == 0 {
            break;
        }
        if flip.load(Ordering::SeqCst) {
            chunk[n - 1] ^= 1;
        }
        to.write_all(&chunk[..n]).await?;
    }
    to.shutdown().await?;
    down.await?.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_that_say_nothing_keep_nobody_out_and_are_cut() {
    let house = House::open().await;
    let mut idle = Vec::new();
    for n in 0..1000 {
        let mut socket = TcpStream::connect(house.address).await.unwrap();
        if n % 2 == 0 {
            socket.write_all(b"POST /ts2021 HTTP/1.1\r\nHost: x\r\nX-Tailscale-").await.unwrap();
        }
        idle.push(socket);
    }
    let device = timeout(PATIENCE, house.member("honest")).await.expect("an honest client waits");
    let mut listener = device.listen().await;
    let drained = futures_util::future::join_all(idle.into_iter().map(drain));
    let cut = timeout(Duration::from_secs(60), drained);
    cut.await.expect("some are still open");
    listener.agrees_with(&device).await;
    house.close().await;
}

async fn drain(mut socket: TcpStream) {
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
}
