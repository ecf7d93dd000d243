//! Strangers on real sockets on loopback, with short deadlines.

use std::time::Instant;

use axum::{Extension, routing::get};
use bytes::Bytes;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const WITHIN: Duration = Duration::from_millis(600);
const PATIENCE: Duration = Duration::from_secs(10);

/// A listener that has so many places for strangers; `/member` counts as a good credential.
async fn open(places: usize) -> (SocketAddr, Arc<Quota>, CancellationToken) {
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
        .route("/slow", get(async move || drip()))
        .route("/member", get(member));
    let (strangers, stop) = (Quota::new(places, places), CancellationToken::new());
    let listener = Listener::new(None, router, None, strangers.clone(), stop.clone());
    let socket = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(Listener { proven_within: WITHIN, ..listener }.serve(socket));
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
    let strangers = Quota::new(64, 64);
    let listener = Listener::new(None, Router::new(), None, strangers, CancellationToken::new());
    let from = |ip: &str, port: u16| listener.lets_in(SocketAddr::new(ip.parse().unwrap(), port)).is_some();
    let start = Instant::now();
    let came = (0..10_000).filter(|port| from("192.0.2.1", *port)).count();
    let most = 4000 + usize::try_from(start.elapsed().as_millis()).unwrap() / 5 + 1;
    assert!((4000..=most).contains(&came), "{came}");
    assert!(from("192.0.2.2", 1));
    assert!((0..10_000).all(|port| from("127.0.0.1", port)), "a proxy here speaks for everybody");
}
