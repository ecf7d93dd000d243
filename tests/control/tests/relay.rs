//! The relay over real TCP, TLS, HTTP, WebSocket and UDP on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

#[path = "relay/client.rs"]
mod client;
#[path = "relay/house.rs"]
mod house;
#[path = "relay/ways_in.rs"]
mod ways_in;

use std::time::{Duration, Instant};

use client::{Client, Wire, connect, greeted, hello, key_pair, request};
use derp::{ClientInfo, Frame, Gone};
use house::{ClientTls, House, open};
use tokio::{
    io::AsyncWriteExt,
    time::{sleep, timeout},
};

fn disco(tail: &[u8]) -> Vec<u8> {
    [b"TS\xf0\x9f\x92\xac".as_slice(), &[0; 56], tail].concat()
}

async fn pair(house: &House) -> (Client<ClientTls>, Client<ClientTls>) {
    (connect(house, 1).await, connect(house, 2).await)
}

/// Waits until the relay has that many connections.
async fn settled(house: &House, connections: usize) {
    let start = Instant::now();
    while house.relay.connections() != connections {
        assert!(start.elapsed() < Duration::from_secs(30), "{} connections", house.relay.connections());
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn packets_reach_their_addressee_and_nobody_else() {
    let house = open().await;
    let (mut a, mut b) = pair(&house).await;
    let mut c = connect(&house, 3).await;
    let long = vec![7; derp::MAX_PACKET_BYTES];
    a.send(b.key, b"to b").await;
    b.expect(a.key, b"to b").await;
    b.send(a.key, &long).await;
    a.expect(b.key, &long).await;
    a.send(b.key, &disco(b"")).await;
    b.expect(a.key, &disco(b"")).await;
    a.send(b.key, b"").await;
    b.expect(a.key, b"").await;
    for client in [&mut a, &mut b, &mut c] {
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_stream_of_packets_arrives_in_order() {
    let house = open().await;
    let (mut a, mut b) = pair(&house).await;
    let to = b.key;
    let sender = tokio::spawn(async move {
        for n in 0..4000u32 {
            a.send(to, &[n.to_be_bytes().as_slice(), &[0; 1296]].concat()).await;
        }
        a.expect_nothing().await;
        // A full queue may drop the end, too.
        loop {
            a.send(to, &u32::MAX.to_be_bytes()).await;
            sleep(Duration::from_millis(50)).await;
        }
    });
    let (mut last, mut got) = (0, 0);
    while last != u32::MAX {
        let Frame::RecvPacket { packet, .. } = b.next().await else { continue };
        let n = u32::from_be_bytes(*packet.first_chunk().unwrap());
        assert!(n >= last, "{n} after {last}");
        (last, got) = (n, got + 1);
    }
    // A full queue may drop; a reader that reads must not lose much by it.
    assert!(got > 2000, "{got} of 4000");
    assert!(!sender.is_finished());
    sender.abort();
}

#[tokio::test]
async fn who_is_unknown_or_claims_another_key_is_refused() {
    let house = open().await;
    let upgrade = "Upgrade: DERP\r\nConnection: Upgrade\r\n";
    let mut io = house.dial().await;
    request(&mut io, "GET /derp", upgrade).await;
    assert!(hello(io, &key_pair(1)).await.is_err());

    house.guests.invite(key_pair(1).public());
    let mut io = house.dial().await;
    request(&mut io, "GET /derp", upgrade).await;
    let mut wire = Wire::new(io);
    let server = greeted(&mut wire).await.unwrap();
    let stranger = key_pair(2).seal_client_info(&server, [0; 24], &ClientInfo::default()).unwrap();
    let Frame::ClientInfo { sealed, .. } = stranger else { panic!("{stranger:?}") };
    wire.send(&Frame::ClientInfo { key: key_pair(1).public(), sealed }).await.unwrap();
    assert!(wire.next().await.is_err());
    assert_eq!(house.relay.connections(), 0);
}

#[tokio::test]
async fn who_is_cut_is_gone_at_once_and_for_good() {
    let house = open().await;
    let (mut a, mut b) = pair(&house).await;
    let mut second = connect(&house, 1).await;
    a.send(b.key, b"hi").await;
    b.expect(a.key, b"hi").await;
    settled(&house, 3).await;

    let start = Instant::now();
    house.guests.expel(&a.key);
    house.relay.cut(&a.key);
    a.wire.expect_end().await;
    second.wire.expect_end().await;
    assert_eq!(b.next().await, Frame::PeerGone { peer: a.key, reason: Gone::Disconnected });
    assert!(start.elapsed() < Duration::from_secs(10), "no sooner than it would have been noticed anyway");
    settled(&house, 1).await;
    let mut io = house.dial().await;
    request(&mut io, "GET /derp", "Upgrade: DERP\r\nConnection: Upgrade\r\n").await;
    assert!(hello(io, &key_pair(1)).await.is_err());
    b.expect_nothing().await;
}

#[tokio::test]
async fn the_active_connection_is_the_one_that_last_sent() {
    let house = open().await;
    let (mut old, mut b) = pair(&house).await;
    let mut new = connect(&house, 1).await;
    b.send(old.key, b"1").await;
    new.expect(b.key, b"1").await;
    old.send(b.key, b"2").await;
    b.expect(old.key, b"2").await;
    b.send(old.key, b"3").await;
    old.expect(b.key, b"3").await;
    drop(old);
    settled(&house, 2).await;
    b.send(new.key, b"4").await;
    new.expect(b.key, b"4").await;
    b.expect_nothing().await;
}

#[tokio::test]
async fn only_disco_learns_who_is_not_here_and_not_often() {
    let house = open().await;
    let mut a = connect(&house, 1).await;
    let absent = key_pair(9).public();
    a.send(absent, b"data").await;
    a.expect_nothing().await;
    let start = Instant::now();
    for _ in 0..20 {
        a.send(absent, &disco(b"")).await;
    }
    a.wire.send(&Frame::Ping([0; 8])).await.unwrap();
    let mut notices = 0;
    loop {
        match a.next().await {
            Frame::PeerGone { peer, reason: Gone::NotHere } if peer == absent => notices += 1,
            Frame::Pong(_) => break,
            other => panic!("{other:?}"),
        }
    }
    // The answer to the ping may overtake notices, but there are never more than three, and one per second.
    while let Ok(Ok(frame)) = timeout(Duration::from_millis(200), a.wire.next()).await {
        assert_eq!(frame, Frame::PeerGone { peer: absent, reason: Gone::NotHere });
        notices += 1;
    }
    let most = 4 + start.elapsed().as_secs() as usize;
    assert!((3..=most).contains(&notices), "{notices}");
}

#[tokio::test]
async fn packets_are_counted_and_drops_by_reason() {
    let house = open().await;
    let (mut a, mut b) = pair(&house).await;
    let absent = key_pair(9).public();
    for _ in 0..3 {
        a.send(b.key, b"12345").await;
        a.send(absent, b"lost").await;
    }
    a.expect_nothing().await;
    for _ in 0..3 {
        b.expect(a.key, b"12345").await;
    }
    let traffic = house.relay.traffic();
    assert_eq!((traffic.packets, traffic.bytes, traffic.not_here), (3, 15, 3));
    assert_eq!((traffic.queue_full, traffic.left), (0, 0));

    // Nobody reads: what waits in the relay is bounded, the rest is dropped and counted.
    let sent = 2000;
    for _ in 0..sent {
        a.send(b.key, &[0; 60_000]).await;
    }
    a.expect_nothing().await;
    let traffic = house.relay.traffic();
    assert!(traffic.queue_full + traffic.not_here + traffic.left > 100, "{traffic:?}");
    assert!(traffic.packets + traffic.not_here + traffic.left >= 6 + sent, "{traffic:?}");
}

#[tokio::test]
async fn what_does_not_belong_here_ends_the_connection() {
    let house = open().await;
    let frames: [&[u8]; 6] = [
        &[0x10, 0, 0, 0, 0],             // watch connections
        &[0x0a, 0, 0, 0, 65],            // forward a packet
        &[0x11, 0, 0, 0, 32],            // close a peer
        &[0x04, 0, 1, 0, 33],            // a packet one byte too long
        &[0x77, 0xff, 0xff, 0xff, 0xff], // an unknown type of 4 GiB
        &[0x02, 0, 0x04, 0, 1],          // ClientInfo over 256 KiB
    ];
    for frame in frames {
        let mut a = connect(&house, 1).await;
        a.wire.io.write_all(frame).await.unwrap();
        assert!(a.wire.next().await.is_err());
    }
    let mut a = connect(&house, 1).await;
    let again = key_pair(1).seal_client_info(&house.relay.public_key(), [9; 24], &ClientInfo::default());
    a.wire.send(&again.unwrap()).await.unwrap();
    assert!(a.wire.next().await.is_err());
    let mut a = connect(&house, 1).await;
    a.wire.io.write_all(&[0x77, 0, 0, 0, 2, 1, 2]).await.unwrap();
    a.expect_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_to_a_stalled_peer_costs_the_others_nothing() {
    let house = open().await;
    let (mut flooder, stalled) = pair(&house).await;
    let (mut c, mut d) = (connect(&house, 3).await, connect(&house, 4).await);
    let to = stalled.key;
    let flood = tokio::spawn(async move {
        loop {
            flooder.send(to, &[0; 60_000]).await;
        }
    });
    let start = Instant::now();
    let mut served = 0;
    while house.relay.connections() == 4 {
        c.send(d.key, b"still").await;
        d.expect(c.key, b"still").await;
        served += 1;
        assert!(start.elapsed() < Duration::from_secs(30), "the stalled peer was never cut");
        sleep(Duration::from_millis(5)).await;
    }
    flood.abort();
    assert!(start.elapsed() >= Duration::from_secs(2), "cut too early");
    // Whom the stalled one holds up is served once before and once behind it.
    assert!(served > 3, "the others were served {served} times in {:?}", start.elapsed());
    drop(stalled);
}

#[tokio::test]
async fn unfinished_hellos_have_a_quota() {
    let house = open().await;
    let upgrade = "Upgrade: DERP\r\nConnection: Upgrade\r\n";
    let (start, mut waiting) = (Instant::now(), Vec::new());
    loop {
        let mut io = house.dial().await;
        request(&mut io, "GET /derp", upgrade).await;
        let mut wire = Wire::new(io);
        match wire.next().await {
            Ok(greeting) => assert!(matches!(greeting, Frame::ServerKey(_)), "{greeting:?}"),
            Err(_) => break,
        }
        waiting.push(wire);
        assert!(waiting.len() < 200, "each of them has a place");
    }
    // After ten seconds the first of them have lost theirs.
    assert!(waiting.len() == 32 || start.elapsed() > Duration::from_secs(9), "{}", waiting.len());
    drop(waiting);
    let start = Instant::now();
    house.guests.invite(key_pair(1).public());
    loop {
        let mut io = house.dial().await;
        request(&mut io, "GET /derp", upgrade).await;
        if hello(io, &key_pair(1)).await.is_ok() {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "the places were not given back");
    }
}
