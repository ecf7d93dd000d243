//! How clients get to the relay: upgrades, fast start, WebSocket, and the side paths around it.

use std::time::Duration;

use derp::{Frame, Gone, stun};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UdpSocket,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    client::{connect, hello, key_pair, request},
    house::open,
};

#[tokio::test]
async fn upgrades_by_get_post_and_the_legacy_word() {
    let house = open().await;
    let pair = key_pair(1);
    house.guests.invite(pair.public());
    for (line, upgrade) in [("POST /derp", "DERP"), ("GET /derp", "WebSocket"), ("GET /derp", "derp")] {
        let mut io = house.dial().await;
        let head = request(&mut io, line, &format!("Upgrade: {upgrade}\r\nConnection: Upgrade\r\n")).await;
        let head = head.to_lowercase();
        let public = format!("derp-public-key: {}\r\n", hex_of(&house.relay.public_key()));
        for wanted in
            ["http/1.1 101 ", "upgrade: derp\r\n", "connection: upgrade\r\n", "derp-version: 2\r\n", &public]
        {
            assert!(head.contains(wanted), "{wanted} in {head}");
        }
        hello(io, &pair).await.unwrap();
    }
    let mut io = house.dial().await;
    assert!(request(&mut io, "GET /derp", "").await.starts_with("HTTP/1.1 426 "));
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn fast_start_has_no_http_response() {
    let house = open().await;
    let pair = key_pair(1);
    house.guests.invite(pair.public());
    let mut io = house.dial().await;
    let head = "GET /derp HTTP/1.1\r\nHost: localhost\r\nUpgrade: DERP\r\nConnection: Upgrade\r\nDerp-Fast-Start: 1\r\n\r\n";
    io.write_all(head.as_bytes()).await.unwrap();
    let mut a = hello(io, &pair).await.unwrap();
    let mut b = connect(&house, 2).await;
    a.send(b.key, b"fast").await;
    b.expect(a.key, b"fast").await;
}

#[tokio::test]
async fn a_real_websocket_carries_derp() {
    use futures_util::{SinkExt, StreamExt, future::ready};
    use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

    let house = open().await;
    let pair = key_pair(1);
    house.guests.invite(pair.public());
    let mut request = "wss://localhost/derp".into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "derp".parse().unwrap());
    let (socket, response) = tokio_tungstenite::client_async(request, house.dial().await).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "derp");

    let (sink, stream) = socket.split();
    let stream = stream.map(|message| match message {
        Ok(Message::Binary(bytes)) => Ok(bytes),
        other => Err(std::io::Error::other(format!("{other:?}"))),
    });
    let message = |bytes: bytes::Bytes| ready(Ok::<_, std::io::Error>(Message::Binary(bytes)));
    let sink = sink.sink_map_err(std::io::Error::other).with(message);
    let io = tokio::io::join(
        tokio_util::io::StreamReader::new(stream),
        tokio_util::io::SinkWriter::new(tokio_util::io::CopyToBytes::new(sink)),
    );
    let mut a = hello(io, &pair).await.unwrap();
    let mut b = connect(&house, 2).await;
    a.send(b.key, b"from the web").await;
    b.expect(a.key, b"from the web").await;
    b.send(a.key, b"to the web").await;
    a.expect(b.key, b"to the web").await;
    drop(a);
    assert_eq!(b.next().await, Frame::PeerGone { peer: pair.public(), reason: Gone::Disconnected });
}

#[tokio::test]
async fn side_paths_answer_as_clients_expect() {
    let house = open().await;
    for line in ["GET /derp/latency-check", "GET /derp/probe", "HEAD /derp/probe"] {
        let head = request(&mut house.dial().await, line, "").await.to_lowercase();
        assert!(
            head.starts_with("http/1.1 200 ") && head.contains("access-control-allow-origin: *\r\n"),
            "{head}"
        );
    }
    let head =
        request(&mut house.dial().await, "GET /generate_204?t=1", "X-Tailscale-Challenge: ts_a.b\r\n").await;
    let head = head.to_lowercase();
    assert!(head.starts_with("http/1.1 204 "), "{head}");
    assert!(
        head.contains("x-tailscale-response: response ts_a.b\r\n") && head.contains("no-cache"),
        "{head}"
    );
    for strange in ["<script>".to_owned(), "a".repeat(65)] {
        let challenge = format!("X-Tailscale-Challenge: {strange}\r\n");
        let head = request(&mut house.dial().await, "GET /generate_204", &challenge).await;
        assert!(
            head.starts_with("HTTP/1.1 204 ") && !head.to_lowercase().contains("tailscale-response"),
            "{head}"
        );
    }
    for (question, answer) in [
        ("?q=derp.example.net", r#"{"derp.example.net":["192.0.2.7"]}"#),
        ("?q=DERP.example.net.", r#"{"derp.example.net":["192.0.2.7"]}"#),
        ("?q=elsewhere.example.net", "{}"),
        ("", "{}"),
    ] {
        let mut io = house.dial().await;
        request(&mut io, &format!("GET /bootstrap-dns{question}"), "").await;
        let mut body = vec![0; answer.len()];
        io.read_exact(&mut body).await.unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), answer);
    }
}

#[tokio::test]
async fn stun_answers_clients_and_nobody_else() {
    for loopback in ["127.0.0.1:0", "[::1]:0"] {
        let server = UdpSocket::bind(loopback).await.unwrap();
        let address = server.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(control::relay::stun::serve(server, stop.clone()));

        let client = UdpSocket::bind(loopback).await.unwrap();
        client.connect(address).await.unwrap();
        let mut generic = stun::encode_request(&[1; 12]);
        generic[39] ^= 1;
        for message in [generic.as_slice(), &generic[..20], b"", &[0; 2000], &stun::encode_request(&[2; 12])]
        {
            client.send(message).await.unwrap();
        }
        let mut buffer = [0; 100];
        let bytes = timeout(Duration::from_secs(30), client.recv(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(bytes, if address.is_ipv4() { 32 } else { 44 });
        let reply = stun::parse_reply(&buffer[..bytes]);
        assert_eq!(reply, Some(([2; 12], client.local_addr().unwrap())));
        stop.cancel();
        timeout(Duration::from_secs(30), serving).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn stun_answers_everybody_of_a_crowd() {
    for loopback in ["127.0.0.1:0", "[::1]:0"] {
        let server = UdpSocket::bind(loopback).await.unwrap();
        let address = server.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(control::relay::stun::serve(server, stop.clone()));
        let mut crowd = Vec::new();
        for n in 0..150u8 {
            let client = UdpSocket::bind(loopback).await.unwrap();
            client.connect(address).await.unwrap();
            // Rubbish in between must not shift the answers.
            client.send(b"rubbish").await.unwrap();
            client.send(&stun::encode_request(&[n; 12])).await.unwrap();
            crowd.push(client);
        }
        for (n, client) in crowd.iter().enumerate() {
            let mut buffer = [0; 100];
            let bytes = timeout(Duration::from_secs(30), client.recv(&mut buffer)).await.unwrap().unwrap();
            let reply = stun::parse_reply(&buffer[..bytes]);
            assert_eq!(reply, Some(([n as u8; 12], client.local_addr().unwrap())));
        }
        stop.cancel();
        timeout(Duration::from_secs(30), serving).await.unwrap().unwrap();
    }
}
