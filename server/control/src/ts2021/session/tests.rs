//! A real HTTP/2 client at the other end of a pipe.

use std::time::Instant;

use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::{body::Frame, client::conn::http2::SendRequest};
use noise::{Initiator, PrivateKey, Responder};
use tokio::time::{sleep, timeout};

use super::*;
use crate::ts2021::allowance::Allowances;

const WITHIN: Patience = Patience { idle: Duration::from_millis(400), stalled: Duration::from_millis(600) };
const SOON: Duration = Duration::from_secs(10);

type Channel = (SendRequest<Body>, tokio::task::JoinHandle<()>);

/// A channel with this flow-control window; the handle ends when the server closes it.
async fn open(window: u32) -> Channel {
    let [server, client] = [[1; 32], [2; 32]].map(|bytes| PrivateKey::new(bytes).unwrap());
    let (message, initiator) = Initiator::new(&client, server.public_key(), [3; 32], 113).unwrap();
    let accepted = Responder::accept(&server, [4; 32], &message).unwrap();
    let transport = initiator.finish(&accepted.response).unwrap();
    let remote = ([192, 0, 2, 1], 7).into();
    let place = Allowances::new(1000).enter(accepted.machine, true, remote).unwrap();
    let caller = Caller { machine: accepted.machine, remote, server_key: server.public_key() };
    let endless = || Body::from_stream(stream::repeat(Ok::<_, Infallible>(Bytes::from_static(&[0; 4096]))));
    let quiet = || Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let swallow = async |body: Body| body.collect().await.map_or("no room", |_| "taken");
    let machine = Router::new()
        .route("/short", get(async || "short"))
        .route("/endless", get(async move || endless()))
        .route("/quiet", get(async move || quiet()))
        .route("/swallow", post(swallow));

    let (mine, theirs) = tokio::io::duplex(64 << 10);
    let served = tokio::spawn(serve_within(
        WITHIN,
        NoiseStream::new(mine, accepted.transport, &[]),
        caller,
        place,
        machine,
    ));
    let client = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(window)
        .handshake(TokioIo::new(NoiseStream::new(theirs, transport, &[])));
    let (sender, connection) = client.await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    (sender, served)
}

async fn get_from(sender: &mut SendRequest<Body>, path: &str) -> Response<Incoming> {
    let request = Request::get(format!("http://x{path}")).body(Body::empty()).unwrap();
    timeout(SOON, sender.send_request(request)).await.unwrap().unwrap()
}

#[tokio::test]
async fn who_gives_no_window_or_never_reads_is_cut() {
    for (window, path) in [(0, "/short"), (0, "/endless"), (10_000, "/endless")] {
        let (mut sender, served) = open(window).await;
        let start = Instant::now();
        let _never_read = get_from(&mut sender, path).await;
        timeout(SOON, served).await.unwrap_or_else(|_| panic!("{path} at {window} stays open")).unwrap();
        assert!(start.elapsed() >= WITHIN.stalled, "{path} at {window} was cut too early");
    }
}

#[tokio::test]
async fn who_reads_or_waits_for_what_is_not_said_stays() {
    let (mut sender, served) = open(10_000).await;
    let _waits = get_from(&mut sender, "/quiet").await;
    let mut reads = get_from(&mut sender, "/endless").await.into_body();
    let start = Instant::now();
    while start.elapsed() < WITHIN.stalled * 3 {
        assert!(timeout(SOON, reads.frame()).await.unwrap().unwrap().is_ok());
        sleep(Duration::from_millis(10)).await;
    }
    assert!(!served.is_finished());
    drop(reads);
    sleep(WITHIN.stalled * 2).await;
    assert!(!served.is_finished(), "a quiet answer is no stalled one");
}

#[tokio::test]
async fn who_asks_for_nothing_is_cut() {
    let (mut sender, served) = open(10_000).await;
    let answer = get_from(&mut sender, "/short").await;
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "short");
    timeout(SOON, served).await.expect("it stays open").unwrap();
}

#[tokio::test]
async fn bodies_that_do_not_end_have_a_share() {
    let (sender, served) = open(10_000).await;
    let (done, stop) = tokio::sync::watch::channel(false);
    let ask = |bytes: usize| {
        let (mut sender, mut stop) = (sender.clone(), stop.clone());
        let begin = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from(vec![0; bytes])))]);
        let end = async move { drop(stop.wait_for(|done| *done).await) };
        let body = begin.chain(stream::once(end).filter_map(async |()| None));
        let request =
            Request::post("http://x/swallow").body(Body::new(StreamBody::new(Box::pin(body)))).unwrap();
        tokio::spawn(async move {
            let answer = sender.send_request(request).await.unwrap();
            answer.into_body().collect().await.unwrap().to_bytes()
        })
    };
    let [first, second] = [ask(1 << 20), ask(900 << 10)];
    sleep(WITHIN.idle).await;
    let third = timeout(SOON, ask(500 << 10)).await.expect("it is held open").unwrap();
    assert_eq!(third, "no room");
    done.send_replace(true);
    for one in [first, second, ask(1 << 20)] {
        assert_eq!(timeout(SOON, one).await.unwrap().unwrap(), "taken");
    }
    assert!(!served.is_finished());
}
