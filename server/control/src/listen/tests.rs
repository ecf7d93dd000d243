//! Strangers on real sockets on loopback, with short deadlines.

use std::time::Instant;

use axum::{Extension, body::Body, extract::ConnectInfo, routing::get};
use bytes::Bytes;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::arrival::Proven;

const WITHIN: Duration = Duration::from_millis(600);
const PATIENCE: Duration = Duration::from_secs(10);

/// A listener that has so many places for strangers; `/member` counts as a good credential.
async fn open(places: usize) -> (SocketAddr, Arc<Quota>, CancellationToken) {
    open_behind(Proxies::default(), [places, places]).await
}

/// The same, where these proxies are believed.
async fn open_behind(
    proxies: Proxies,
    [in_all, each]: [usize; 2],
) -> (SocketAddr, Arc<Quota>, CancellationToken) {
    let drip = || {
        Body::from_stream(stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok::<_, std::convert::Infallible>(Bytes::from_static(b".")), ()))
        }))
    };
    let member = async move |Extension(Proven(proven)): Extension<Proven>| {
        proven.cancel();
        drip()
    };
    let flood = async || {
        Body::from_stream(stream::repeat(Ok::<_, std::convert::Infallible>(Bytes::from_static(&[0; 4096]))))
    };
    let router = Router::new()
        .route("/", get(async || "here"))
        .route("/flood", get(flood))
        .route("/who", get(async |ConnectInfo(client): ConnectInfo<SocketAddr>| client.ip().to_string()))
        .route("/slow", get(async move || drip()))
        .route("/member", get(member));
    let (strangers, stop) = (Quota::new(in_all, each), CancellationToken::new());
    let face = Arc::new(ArcSwap::from_pointee(Face { router, proxies, only_proxies: false }));
    let mut listener = Listener::new(None, face, None, strangers.clone(), stop.clone());
    Arc::get_mut(&mut listener.entrance).unwrap().proven_within = WITHIN;
    let socket = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(listener.serve(socket));
    (address, strangers, stop)
}

async fn asks(at: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

async fn is_cut(mut stream: TcpStream) {
    let mut scratch = [0; 4096];
    let end = async { while stream.read(&mut scratch).await.is_ok_and(|n| n > 0) {} };
    timeout(PATIENCE, end).await.expect("it stays open");
}

async fn is_answered(mut stream: TcpStream) -> bool {
    let mut scratch = [0; 4096];
    timeout(PATIENCE, stream.read(&mut scratch)).await.is_ok_and(|read| read.is_ok_and(|n| n > 0))
}

#[tokio::test]
async fn over_the_quota_newcomers_are_dropped_until_places_are_given_back() {
    let (at, strangers, stop) = open(3).await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(at).await.unwrap());
    }
    is_cut(asks(at, "/").await).await;
    drop(silent);
    let start = Instant::now();
    while !is_answered(asks(at, "/").await).await {
        assert!(start.elapsed() < PATIENCE, "the places are not given back: {strangers:?}");
    }
    stop.cancel();
}

#[tokio::test]
async fn who_proves_nothing_is_cut_whether_it_reads_or_not() {
    let (at, strangers, stop) = open(8).await;
    let start = Instant::now();
    let [reads, deaf] = [asks(at, "/slow").await, asks(at, "/flood").await];
    is_cut(reads).await;
    assert!(start.elapsed() >= WITHIN, "cut too early");
    while strangers.enter(Party::at(at)).is_none_or(|mut pass| !pass.grow(7)) {
        assert!(start.elapsed() < PATIENCE, "the deaf one still holds its place");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(deaf);
    stop.cancel();
}

#[tokio::test]
async fn who_brought_a_good_credential_stays_and_takes_no_strangers_place() {
    let (at, strangers, stop) = open(1).await;
    let mut member = asks(at, "/member").await;
    let (start, mut byte) = (Instant::now(), [0; 1]);
    timeout(PATIENCE, member.read_exact(&mut byte)).await.unwrap().expect("cut off");
    while strangers.enter(Party::at(at)).is_none() {
        assert!(start.elapsed() < PATIENCE, "a proof gives the place back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(is_answered(asks(at, "/").await).await);
    while start.elapsed() < WITHIN * 2 {
        timeout(PATIENCE, member.read_exact(&mut byte)).await.unwrap().expect("cut off");
    }
    stop.cancel();
}

#[test]
fn one_household_comes_so_often_and_its_neighbour_comes_all_the_same() {
    let listener =
        listener_of(Face { router: Router::new(), proxies: Proxies::default(), only_proxies: false });
    let from = |ip: &str, port: u16| listener.lets_in(SocketAddr::new(ip.parse().unwrap(), port)).is_some();
    let start = Instant::now();
    let came = (0..10_000).filter(|port| from("192.0.2.1", *port)).count();
    let most = 4000 + usize::try_from(start.elapsed().as_millis()).unwrap() / 5 + 1;
    assert!((4000..=most).contains(&came), "{came}");
    assert!(from("192.0.2.2", 1));
    assert!((0..10_000).all(|port| from("127.0.0.1", port)), "a proxy here speaks for everybody");
}

fn listener_of(face: Face) -> Listener {
    let face = Arc::new(ArcSwap::from_pointee(face));
    Listener::new(None, face, None, Quota::new(64, 64), CancellationToken::new())
}

fn proxies(header: ProxyHeader) -> Proxies {
    Proxies { addresses: vec!["127.0.0.0/8".parse().unwrap()], header }
}

/// A request that a proxy passes on for this client.
async fn asks_for(at: SocketAddr, path: &str, client: &str) -> TcpStream {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.9.9.9, {client}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Status and body of an answer with a length.
async fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head
        .split("content-length: ")
        .nth(1)
        .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    timeout(PATIENCE, stream.read_exact(&mut body)).await.unwrap().unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn behind_a_proxy_the_client_is_whom_the_proxy_names() {
    let (at, _, stop) = open_behind(proxies(ProxyHeader::XForwardedFor), [8, 8]).await;
    let mut stream = asks_for(at, "/who", "192.0.2.1").await;
    assert_eq!(answer(&mut stream).await, (200, "192.0.2.1".into()));
    stream.write_all(b"GET /who HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 2001:db8::1\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut stream).await, (200, "2001:db8::1".into()), "each request has its own");
    stop.cancel();

    let (at, _, stop) = open(8).await;
    let mut stream = asks_for(at, "/who", "192.0.2.1").await;
    assert_eq!(answer(&mut stream).await, (200, "127.0.0.1".into()), "nobody was named a proxy");
    stop.cancel();
}

#[tokio::test]
async fn the_quota_counts_whom_the_proxy_names() {
    let (at, strangers, stop) = open_behind(proxies(ProxyHeader::XForwardedFor), [200, 100]).await;
    let hog = Party::household("192.0.2.1".parse().unwrap());
    let mut held = strangers.none(hog);
    assert!(held.grow(99));
    let (mut first, start) = (asks_for(at, "/slow", "192.0.2.1").await, Instant::now());
    assert!(timeout(PATIENCE, first.read_exact(&mut [0; 1])).await.unwrap().is_ok());
    assert!(strangers.enter(hog).is_none(), "the request through the proxy is not counted");
    assert_eq!(answer(&mut asks_for(at, "/who", "192.0.2.1").await).await.0, 429);
    drop(held);
    assert_eq!(answer(&mut asks_for(at, "/who", "192.0.2.2").await).await.0, 200, "its neighbour is served");
    is_cut(first).await;
    assert!(start.elapsed() >= WITHIN, "cut too early");
    assert_eq!(answer(&mut asks_for(at, "/who", "192.0.2.1").await).await.0, 200, "the place is given back");

    let mut member = asks_for(at, "/member", "192.0.2.1").await;
    let (start, mut byte) = (Instant::now(), [0; 1]);
    while start.elapsed() < WITHIN * 2 {
        timeout(PATIENCE, member.read_exact(&mut byte)).await.unwrap().expect("cut off");
    }
    stop.cancel();
}

#[tokio::test]
async fn a_connection_of_the_proxy_outlives_those_it_speaks_for() {
    let (at, _, stop) = open_behind(proxies(ProxyHeader::XForwardedFor), [8, 8]).await;
    let mut stream = asks_for(at, "/who", "192.0.2.1").await;
    assert_eq!(answer(&mut stream).await.0, 200);
    tokio::time::sleep(WITHIN * 2).await;
    stream.write_all(b"GET /who HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut stream).await, (200, "127.0.0.1".into()));
    stop.cancel();
}

#[tokio::test]
async fn a_proxy_may_say_it_before_anything_else() {
    let (at, _, stop) = open_behind(proxies(ProxyHeader::ProxyProtocol), [8, 8]).await;
    let ask = "GET /who HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.9\r\n\r\n";
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(format!("PROXY TCP4 192.0.2.1 192.0.2.2 4096 80\r\n{ask}").as_bytes()).await.unwrap();
    assert_eq!(answer(&mut stream).await, (200, "192.0.2.1".into()));
    is_cut(asks(at, "/who").await).await;
    stop.cancel();
}

#[test]
fn where_tls_is_the_proxys_nobody_else_gets_in() {
    let proxies = Proxies { addresses: vec!["192.0.2.0/24".parse().unwrap()], ..Proxies::default() };
    let listener = listener_of(Face { router: Router::new(), proxies, only_proxies: true });
    let lets_in = |ip: &str| listener.lets_in(SocketAddr::new(ip.parse().unwrap(), 7)).is_some();
    assert!(lets_in("192.0.2.7") && lets_in("::ffff:192.0.2.7") && lets_in("127.0.0.1"));
    assert!(!lets_in("198.51.100.1") && !lets_in("2001:db8::1"));
}
