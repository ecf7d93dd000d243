//! Calls without end on a channel: a party has its share, is told when to come back, and nobody else waits for it.

use std::time::Duration;

use harness::{Client, Identity};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    admin::reusable,
    device::{Device, Listener},
    house::{House, PATIENCE, eventually},
};

/// Status and seconds to wait, of a call over the share.
async fn call(client: &Client, path: &str, body: Vec<u8>) -> (StatusCode, Option<u64>) {
    let answer = client.call(Method::POST, path, body).await.unwrap();
    let after = answer.headers().get("retry-after").map(|v| v.to_str().unwrap().parse().unwrap());
    let status = answer.status();
    answer.into_body().collect().await.unwrap();
    (status, after)
}

async fn all_at_once(client: &Client, path: &'static str, bodies: Vec<Vec<u8>>) -> Vec<StatusCode> {
    let mut calls = JoinSet::new();
    for body in bodies {
        let client = client.clone();
        calls.spawn(async move { call(&client, path, body).await });
    }
    let answers = timeout(PATIENCE, calls.join_all()).await.expect("they are held without end");
    let told = |(status, after): &(StatusCode, Option<u64>)| *status != 429 || after.is_some_and(|s| s > 0);
    assert!(answers.iter().all(told), "a refusal says when to come back: {answers:?}");
    answers.into_iter().map(|(status, _)| status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_guesses_keys_is_slowed_down_and_its_neighbour_is_not() {
    let house = House::open().await;
    let guesser = Device::connect(&house.at, Identity::random().unwrap(), "guesser").await;
    let mut refused = 0;
    for _ in 0..6 {
        let guess = |n: u64| {
            let text = format!("mk-auth-{n}-{}", "A".repeat(43));
            guesser.me.register_request(Some(&text), "guesser").encode().unwrap()
        };
        let answers = all_at_once(&guesser.client, "/machine/register", (0..60).map(guess).collect()).await;
        refused += answers.iter().filter(|status| **status == 429).count();
    }
    assert!(refused > 100, "only {refused} of 360 guesses were turned away");
    let start = std::time::Instant::now();
    house.member("neighbour").await;
    assert!(start.elapsed() < Duration::from_secs(5), "the neighbour waited {:?}", start.elapsed());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_office_of_a_hundred_that_restarts_gets_in_at_once() {
    let house = House::open().await;
    let key = house.admin.key(&reusable()).await;
    let mut office = Vec::new();
    for n in 0..100 {
        office.push(house.join(Identity::random().unwrap(), &key, &format!("desk{n}")).await);
    }
    for _ in 0..2 {
        let mut restarting = JoinSet::new();
        for desk in &office {
            let (desk, at) = (desk.clone(), house.at.clone());
            restarting.spawn(async move {
                let desk = desk.again(&at).await;
                let answer = desk.register(None).await;
                assert!(answer.machine_authorized, "{}", answer.error);
                desk.report(&["192.0.2.1:41641"], 900).await;
                desk.listen().await.go.peers().len()
            });
        }
        let seen = timeout(PATIENCE, restarting.join_all()).await.expect("they wait for each other");
        assert!(seen.iter().all(|peers| *peers == 99), "{seen:?}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_without_end_are_spread_out_and_then_refused() {
    let house = House::open().await;
    let busy = house.member("busy").await;
    let seq = async || house.admin.call(&api::server::STATUS, &[], &()).await.unwrap().counts.events;
    let before = seq().await;
    let mut served = 0;
    for round in 0..12_u32 {
        let report = |n: u32| {
            let endpoint = format!("192.0.2.1:{}", 10_000 + round * 100 + n);
            wire::encode(&busy.me.report("busy", &[&endpoint], 900)).unwrap()
        };
        let answers = all_at_once(&busy.client, "/machine/map", (0..90).map(report).collect()).await;
        served += answers.iter().filter(|status| **status == 200).count();
        if answers.contains(&StatusCode::TOO_MANY_REQUESTS) {
            break;
        }
        assert!(round < 11, "1080 updates in a row are too many");
    }
    assert!(served >= 300, "a client that has much to say is heard: {served}");
    assert_eq!(seq().await, before, "what changes all the time is not in the log");
    assert!(house.member("neighbour").await.map().await.peers.unwrap().len() == 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_describes_itself_anew_without_end_does_not_fill_the_log() {
    let house = House::open().await;
    let vain = house.member("vain").await;
    let events = async || house.admin.call(&api::server::STATUS, &[], &()).await.unwrap().counts.events;
    let before = events().await;
    let mut refused = 0;
    for round in 0..3 {
        let name = |n: u32| wire::encode(&vain.me.report(&format!("vain{round}x{n}"), &[], 900)).unwrap();
        let answers = all_at_once(&vain.client, "/machine/map", (0..70).map(name).collect()).await;
        refused += answers.iter().filter(|status| **status == 429).count();
    }
    let written = events().await - before;
    assert!((50..=110).contains(&written) && refused >= 90, "{written} entries, {refused} refused");
    let last = house.world().nodes.by_node_key(&vain.me.node).unwrap().hostinfo.hostname.clone();
    let report = vain.me.report(&last, &["192.0.2.1:1"], 901);
    vain.client.lite_update(&report).await.expect("other news are taken");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_maps_without_end_are_refused() {
    let house = House::open().await;
    let greedy = house.member("greedy").await;
    let once = || {
        let request = wire::MapRequest { stream: false, ..greedy.request() };
        wire::encode(&request).unwrap()
    };
    let mut refused = 0;
    for _ in 0..5 {
        let answers = all_at_once(&greedy.client, "/machine/map", (0..60).map(|_| once()).collect()).await;
        refused += answers.iter().filter(|status| **status == 429).count();
    }
    assert!(refused > 0, "300 whole maps in a row");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_polls_of_one_node_two_are_live() {
    let house = House::open().await;
    let member = house.member("member").await;
    let mut polls = Vec::new();
    for _ in 0..6 {
        // Nothing of the answer is read: such a poll does not notice that it is over.
        let client = Client::connect_narrow(&house.at, &member.me.machine, 0).await.unwrap();
        let poll = timeout(PATIENCE, client.stream(&member.request())).await.unwrap().unwrap();
        polls.push((client, poll));
    }
    let open = || polls.iter().filter(|(client, _)| !client.is_closed()).count();
    eventually("the older channels are closed", || open() <= 2).await;
    assert!(!polls[5].0.is_closed(), "the newest stays");
    let mut last = Listener::open(&member.again(&house.at).await.client, &member.request()).await;
    last.agrees_with(&member).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_streams_of_one_channel_have_bounds() {
    let house = House::open().await;
    let member = house.member("member").await;
    let mut many = JoinSet::new();
    for _ in 0..300 {
        let (client, request) = (member.client.clone(), member.request());
        many.spawn(async move { client.stream(&request).await.is_ok() });
    }
    let newcomer = timeout(PATIENCE, house.member("newcomer")).await.expect("nobody gets in");
    assert_eq!(newcomer.map().await.peers.unwrap().len(), 1);
    many.abort_all();
    assert!(member.again(&house.at).await.listen().await.go.node().is_some(), "it has not locked itself out");

    let path = format!("/machine/map?{}", "x".repeat(60_000));
    let sent = newcomer.client.call(Method::POST, &path, Vec::new()).await;
    assert!(sent.map_or(true, |answer| answer.status().is_client_error()), "60 kB of headers");
    assert_eq!(newcomer.again(&house.at).await.map().await.peers.unwrap().len(), 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_shows_nothing_but_the_protocol() {
    let house = House::open().await;
    let stranger = Device::connect(&house.at, Identity::random().unwrap(), "stranger").await;
    let paths = [
        "/",
        "/metrics",
        "/debug/config",
        "/debug/pprof/",
        "/key?v=113",
        "/ts2021",
        "/health",
        "/api/mesh/v1/tailnet/default/node",
        "/machine",
        "/machine/",
        "/machine/whoami",
        "/machine/map/",
        "//machine/map",
        "/machine/../metrics",
        "/machine/%2e%2e/metrics",
    ];
    for device in [stranger, house.member("member").await] {
        for path in paths {
            for method in [Method::GET, Method::POST, Method::PUT] {
                let answer = device.client.call(method, path, b"{}".to_vec()).await.unwrap();
                assert_eq!(answer.status(), 404, "{path}");
                let said = answer.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(said, "unknown path\n");
            }
        }
    }
    house.close().await;
}
