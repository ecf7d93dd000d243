//! What is no call of the admin API: bodies, members, methods and paths that are none, on every operation there is.

use api::{Method, OPERATIONS, event};
use serde_json::Value;

use crate::{
    admin::Admin,
    house::{House, durable},
};

/// All that lasts, and how long the log is.
async fn state(house: &House) -> (Value, u64) {
    let head = house.admin.call(&event::VERIFY, &[], &()).await.unwrap().head.unwrap();
    (durable(&house.world()), head.seq)
}

/// The path with what stands for a thing replaced.
fn path(template: &str, thing: &str) -> String {
    let parts = template.split('/').map(|part| match part {
        "{tailnet}" => "default",
        part if part.starts_with('{') => thing,
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

async fn refused(admin: &Admin, method: &str, path: &str, body: &str, statuses: &[u16]) {
    let shown: String = body.chars().take(40).collect();
    let (status, text) = admin.raw(method, path, body.to_owned()).await.unwrap();
    assert!(statuses.contains(&status.as_u16()), "{method} {path} {shown}: {status} {text}");
    let problem: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e} in {text}"));
    assert!(problem["code"].is_string() && problem["detail"].is_string(), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_none_are_refused_by_every_operation() {
    let house = House::open().await;
    house.member("laptop").await;
    let before = state(&house).await;
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(3 << 20));
    let bodies = ["{", "7", "\"x\"", "nul", "\u{0}", "[[", &deep, &"[".repeat(100_000)];
    for operation in OPERATIONS.iter().filter(|o| matches!(o.method, Method::Post | Method::Put)) {
        let at = path(operation.path, "1");
        for body in bodies {
            refused(&house.admin, &operation.method.to_string(), &at, body, &[400]).await;
        }
        // The answer may come, and the connection end, before all of it is written.
        let answer = house.admin.raw(&operation.method.to_string(), &at, large.clone()).await;
        assert!(answer.is_err() || answer.is_ok_and(|(status, _)| status == 413), "{at}");
    }
    assert_eq!(state(&house).await, before);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_wrong_is_named() {
    let house = House::open().await;
    let before = state(&house).await;
    for (method, at, body, word) in [
        ("POST", "/user", r#"{"login":7}"#, "login: "),
        ("POST", "/user", r#"{"name":"x"}"#, "name"),
        ("POST", "/key", r#"{"role":"member","reuseable":true}"#, "reuseable"),
        ("POST", "/key", r#"{"role":"member","expiry_seconds":-1}"#, "expiry_seconds: "),
        ("POST", "/key/preview", r#"{"key":0}"#, "key: "),
        ("POST", "/key/preview", r#"{"tags":["member"]}"#, "tags[0]: "),
        ("POST", "/apikey", r#"{"scopes":["everything"]}"#, "scopes"),
        ("PUT", "/role/x", r#"{"tags":"tag:member"}"#, "tags: "),
        ("POST", "/route/approve", r#"{"node":"laptop","prefixes":["10.0.0.0/33"]}"#, "prefixes[0]: "),
        ("POST", "/dns", r#"{"magic":"perhaps"}"#, "magic: "),
        ("GET", "/event?limit=-1", "", "limit"),
        ("GET", "/event?after=x", "", "after"),
    ] {
        let path = format!("/api/mesh/v1/tailnet/default{at}");
        let (status, text) = house.admin.raw(method, &path, body.into()).await.unwrap();
        assert_eq!(status, 400, "{method} {at} {body}: {text}");
        assert!(text.contains(word), "{method} {at} {body}: {text}");
    }
    assert_eq!(state(&house).await, before);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_and_paths_that_are_none_lead_nowhere() {
    let house = House::open().await;
    house.member("laptop").await;
    let before = state(&house).await;
    for operation in OPERATIONS {
        let at = path(operation.path, "laptop");
        for method in ["PATCH", "TRACE", "PURGE"] {
            refused(&house.admin, method, &at, "", &[404, 405]).await;
        }
        let elsewhere = at.replacen("/default", "/other", 1);
        refused(&house.admin, &operation.method.to_string(), &elsewhere, "", &[404]).await;
    }
    for at in [
        "",
        "/",
        "/node",
        "/tailnet",
        "/tailnet/default",
        "/tailnet/default/node/laptop/x/y",
        "/tailnet//node",
    ] {
        refused(&house.admin, "GET", &format!("/api/mesh/v1{at}"), "", &[404]).await;
    }
    assert_eq!(state(&house).await, before);
    house.close().await;
}
