//! Agents on nodes: only the node itself reports, each token proves one report, and a notice is acknowledged by evidence.

use api::{
    agent::{AUDIENCE, Check, LIST, LONGEST, REPORT_PATH, Report, State, Taken},
    event::{self, Query},
    node,
    server::{NOTICE, SET_NOTICE, SetNotice},
};
use aws_lc_rs::digest::{SHA256, digest};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::{
    admin::Admin,
    device::Device,
    house::{House, eventually},
};

fn report(state: State, health: &[&str]) -> String {
    let check = Check { id: "tunnel".into(), state, detail: "as it was seen".into(), fix: None };
    let report = Report {
        version: "1.0".into(),
        at: jiff::Timestamp::now(),
        every_seconds: 60,
        checks: vec![check],
        health: health.iter().map(ToString::to_string).collect(),
        recovery: None,
        memory_kib: Some(9000),
    };
    serde_json::to_string(&report).unwrap()
}

fn audience(body: &str) -> String {
    let hex: String = digest(&SHA256, body.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("{AUDIENCE}{hex}")
}

/// What the device's client would fetch for its agent.
async fn token(device: &Device, of: &Device, audience: &str) -> Result<String, StatusCode> {
    let body = json!({"CapVersion": 140, "NodeKey": of.me.node.to_string(), "Audience": audience});
    let answer =
        device.client.call(Method::POST, "/machine/id-token", body.to_string().into()).await.unwrap();
    if answer.status() != StatusCode::OK {
        return Err(answer.status());
    }
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    Ok(answer["id_token"].as_str().unwrap().to_owned())
}

async fn post(house: &House, token: &str, body: &str) -> (StatusCode, String) {
    let agent = Admin::remote(house.address, Some(format!("Bearer {token}")));
    agent.raw("POST", REPORT_PATH, body.to_owned()).await.unwrap()
}

async fn reported(house: &House, device: &Device, body: &str) -> Taken {
    let token = token(device, device, &audience(body)).await.unwrap();
    let (status, answer) = post(house, &token, body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    serde_json::from_str(&answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_shown_where_its_node_is_and_outlives_a_restart() {
    let house = House::open().await;
    let laptop = house.member("laptop").await;
    assert_eq!(house.admin.call(&node::SHOW, &["laptop"], &()).await.unwrap().agent, None);
    let taken = reported(&house, &laptop, &report(State::Warn, &[])).await;
    assert_eq!((taken.name.as_str(), taken.notice, taken.acknowledged), ("laptop", None, false));
    let house = house.restart().await;
    let seen = house.admin.call(&node::SHOW, &["laptop"], &()).await.unwrap().agent.unwrap();
    assert_eq!((seen.state, seen.missed, seen.report.memory_kib), (State::Warn, false, Some(9000)));
    assert_eq!(house.admin.call(&LIST, &[], &()).await.unwrap().agents.len(), 1);
    house.admin.call(&node::DELETE, &["laptop"], &()).await.unwrap();
    assert_eq!(house.admin.call(&LIST, &[], &()).await.unwrap().agents, []);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reports_for_another_node_nor_anything_but_what_the_token_says() {
    let house = House::open().await;
    let (laptop, other) = (house.member("laptop").await, house.member("other").await);
    let body = report(State::Pass, &[]);
    assert_eq!(token(&other, &laptop, &audience(&body)).await, Err(StatusCode::NOT_FOUND), "not its node");
    for audience in
        ["", "sts.example.com", AUDIENCE, "meshctl-agent:zz", &format!("{AUDIENCE}{}", "z".repeat(64))]
    {
        assert_eq!(token(&laptop, &laptop, audience).await, Err(StatusCode::BAD_REQUEST), "{audience}");
    }
    let good = token(&laptop, &laptop, &audience(&body)).await.unwrap();
    let (head, rest) = good.split_once('.').unwrap();
    let (claims, tag) = rest.split_once('.').unwrap();
    let forged = [
        String::new(),
        "x".repeat(9000),
        format!("{head}.{claims}."),
        format!("{head}.{claims}.{}", "A".repeat(43)),
        format!("{head}.{}.{tag}", claims.to_ascii_uppercase()),
        format!("e30.{claims}.{tag}"),
    ];
    for token in &forged {
        assert_eq!(post(&house, token, &body).await.0, StatusCode::UNAUTHORIZED, "{token}");
    }
    assert_eq!(
        post(&house, &good, &report(State::Fail, &[])).await.0,
        StatusCode::UNAUTHORIZED,
        "another report"
    );
    assert_eq!(house.admin.call(&LIST, &[], &()).await.unwrap().agents, []);
    assert_eq!(post(&house, &good, &body).await.0, StatusCode::OK);
    house.admin.call(&node::EXPIRE, &["laptop"], &()).await.unwrap();
    assert_eq!(post(&house, &good, &body).await.0, StatusCode::UNAUTHORIZED, "its key is no longer accepted");
    assert_eq!(token(&laptop, &laptop, &audience(&body)).await, Err(StatusCode::NOT_FOUND));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_report_is_refused_and_changes_nothing() {
    let house = House::open().await;
    let laptop = house.member("laptop").await;
    let many = report(State::Pass, &["x"; 17]);
    let spacious = format!("{}{}", report(State::Pass, &[]), " ".repeat(LONGEST));
    for body in ["", "{", "[]", "null", r#"{"version":"1"}"#, &"[".repeat(10_000), &many, &spacious] {
        let token = token(&laptop, &laptop, &audience(body)).await.unwrap();
        let (status, answer) = post(&house, &token, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert!(serde_json::from_str::<Value>(&answer).unwrap()["detail"].is_string());
    }
    assert_eq!(house.admin.call(&LIST, &[], &()).await.unwrap().agents, []);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_acknowledged_by_what_the_machine_shows() {
    let house = House::open().await;
    let laptop = house.member("laptop").await;
    let _stream = laptop.listen().await;
    eventually("it is online", || house.world().nodes.iter().all(|node| node.online())).await;
    reported(&house, &laptop, &report(State::Pass, &[])).await;
    let text = Some("the mesh is reset on Friday".to_owned());
    house.admin.call(&SET_NOTICE, &[], &SetNotice { text: text.clone() }).await.unwrap();
    let taken = reported(&house, &laptop, &report(State::Pass, &["something else"])).await;
    assert_eq!((taken.notice, taken.acknowledged), (text, false));
    let notice = house.admin.call(&NOTICE, &[], &()).await.unwrap();
    assert_eq!((notice.acknowledged.len(), notice.awaited), (0, vec!["laptop".to_owned()]));
    let shown = ["the server says: the mesh is reset on Friday"];
    assert!(reported(&house, &laptop, &report(State::Pass, &shown)).await.acknowledged);
    assert!(reported(&house, &laptop, &report(State::Fail, &shown)).await.acknowledged);
    let notice = house.admin.call(&NOTICE, &[], &()).await.unwrap();
    assert_eq!((notice.acknowledged[0].node.as_str(), notice.awaited.len()), ("laptop", 0));
    let log = house.admin.call(&event::LIST, &[], &Query::default()).await.unwrap().events;
    let of = |kind| log.iter().filter(|e| e.kind == kind).collect::<Vec<_>>();
    assert_eq!(of("notice_acknowledged").len(), 1, "once");
    let turned = of("node_health_changed");
    assert_eq!(turned.len(), 2);
    assert!(turned.iter().any(|e| e.event["state"] == "fail" && e.event["failing"] == json!(["tunnel"])));
    assert!(turned.iter().all(|e| e.actor.starts_with("node:")));
    house.close().await;
}
