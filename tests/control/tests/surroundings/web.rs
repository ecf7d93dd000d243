//! `GET /ts2021`: the control protocol through a WebSocket.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use control::config::File;
use futures_util::{SinkExt, StreamExt};
use harness::Identity;
use noise::{Initiator, RESPONSE_LEN, Transport};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::{
    bridge::{self, PROTOCOL, Web, dial},
    device::online,
    house::{House, join, soon, without_relay},
};

/// The beginning of HTTP/2 with empty settings.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const SETTINGS: u8 = 4;
const ELSEWHERE: &str = "https://elsewhere.example";

async fn initiation(house: &House) -> (Vec<u8>, Initiator) {
    let me = Identity::random().unwrap();
    let ephemeral = *Identity::random().unwrap().disco.as_bytes();
    let key = house.at().await.key;
    let version = wire::CapVer::OURS.0.try_into().unwrap();
    let (message, initiator) = Initiator::new(&me.machine, key, ephemeral, version).unwrap();
    (message.to_vec(), initiator)
}

/// A WebSocket with a Noise channel in it, of which nothing has been used.
async fn channel(house: &House) -> (Web, Transport) {
    let (message, initiator) = initiation(house).await;
    let path = bridge::path(&STANDARD.encode(message));
    let (mut web, headers) = dial(house.address, &path, ELSEWHERE).await.unwrap();
    assert_eq!(headers["sec-websocket-protocol"], PROTOCOL);
    assert!(!headers.contains_key("sec-websocket-extensions"));
    let mut response = BytesMut::new();
    while response.len() < RESPONSE_LEN {
        response.extend_from_slice(&binary(&mut web).await);
    }
    let transport = initiator.finish(&response).unwrap();
    (web, transport)
}

async fn binary(web: &mut Web) -> Bytes {
    match soon("a message", web.next()).await {
        Some(Ok(Message::Binary(bytes))) => bytes,
        other => panic!("{other:?}"),
    }
}

/// The server answers the beginning of HTTP/2 with its own.
async fn speaks(web: &mut Web, opener: &mut noise::Opener) {
    let mut plain = BytesMut::new();
    while plain.len() < 9 {
        opener.push(&binary(web).await, &mut plain).unwrap();
    }
    assert_eq!(plain[3], SETTINGS, "{plain:?}");
}

async fn is_ended(mut web: Web) {
    let end = async { while matches!(web.next().await, Some(Ok(_))) {} };
    soon("the end of the WebSocket", end).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_live_behind_a_websocket_of_any_origin_like_all_others() {
    let house = House::open(File { leaving_grace: Some("1s".into()), ..without_relay() }).await;
    let (key, at) = (house.key().await, house.at().await);
    let plain = join(&at, &key, "plain").await;
    let mut seen = plain.listen().await;
    for origin in [ELSEWHERE, "null", "http://127.0.0.1:1"] {
        let through = bridge::open(&at, house.address, origin).await;
        let hostname = format!("web{}", origin.len());
        let browser = join(&through, &key, &hostname).await;
        let id = browser.myself().await.id;
        let mut its = browser.listen().await;
        seen.until("the browser online", |m| online(m, id)).await;
        browser.report(&["192.0.2.1:41641"], 0).await;
        seen.until("its endpoints", |m| m.peer(id).unwrap().endpoints.len() == 1).await;
        plain.report(&[&format!("192.0.2.2:{}", 1000 + origin.len())], 0).await;
        its.agrees_with(&browser).await;
        seen.agrees_with(&plain).await;
        drop((its, browser));
        seen.until("the browser offline", |m| !online(m, id)).await;
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_borders_of_messages_mean_nothing() {
    let house = House::open(without_relay()).await;
    for chunk in [1, 7, 4096] {
        let (mut web, transport) = channel(&house).await;
        let (mut sealer, mut opener) = transport.split();
        let mut sealed = BytesMut::new();
        let (first, rest) = HELLO.split_at(10);
        sealer.seal(first, &mut sealed).unwrap();
        sealer.seal(rest, &mut sealed).unwrap();
        for piece in sealed.chunks(chunk) {
            web.send(Message::Ping(Bytes::new())).await.unwrap();
            web.send(Message::Binary(Bytes::copy_from_slice(piece))).await.unwrap();
            web.send(Message::Binary(Bytes::new())).await.unwrap();
        }
        // Pongs are no part of the stream.
        let mut plain = BytesMut::new();
        while plain.len() < 9 {
            match soon("a message", web.next()).await.unwrap().unwrap() {
                Message::Binary(bytes) => opener.push(&bytes, &mut plain).unwrap(),
                Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(plain[3], SETTINGS);
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_message_ends_the_connection() {
    let house = House::open(without_relay()).await;
    let (mut web, transport) = channel(&house).await;
    let (mut sealer, mut opener) = transport.split();
    let mut sealed = BytesMut::new();
    sealer.seal(HELLO, &mut sealed).unwrap();
    web.send(Message::Binary(sealed.freeze())).await.unwrap();
    speaks(&mut web, &mut opener).await;
    web.send(Message::Text("hello".into())).await.unwrap();
    is_ended(web).await;

    let (mut early, _) = channel(&house).await;
    early.send(Message::Text("".into())).await.unwrap();
    is_ended(early).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_too_large_to_be_records_ends_the_connection_before_it_is_sent() {
    let house = House::open(without_relay()).await;
    let (mut web, _) = channel(&house).await;
    // Final binary frame, masked, of 8 MiB; none of it follows.
    let head = [&[0x82, 0xff][..], &(8_u64 << 20).to_be_bytes(), &[0; 4]].concat();
    web.get_mut().write_all(&head).await.unwrap();
    is_ended(web).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_handshake_opens_no_websocket() {
    let house = House::open(without_relay()).await;
    let (message, _) = initiation(&house).await;
    let mut flipped = message.clone();
    flipped[60] ^= 1;
    let long = "A".repeat(4096);
    let wrong = [
        "/ts2021".to_owned(),
        bridge::path(""),
        bridge::path("no base64!"),
        bridge::path(&STANDARD.encode(&message[..100])),
        bridge::path(&STANDARD.encode(flipped)),
        bridge::path(&long),
    ];
    for path in wrong {
        match dial(house.address, &path, ELSEWHERE).await {
            Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), 400, "{path}"),
            other => panic!("{path}: {other:?}"),
        }
    }
    let (status, _) = house.at().await.get(&bridge::path(&STANDARD.encode(message))).await.unwrap();
    assert!(status.is_client_error(), "a GET without an upgrade: {status}");
    house.close().await;
}
