//! What is no call of the admin API: bodies, members, methods and paths that are none, on every operation there is.

mod document;
mod ids;
mod members;
mod senders;

use std::time::Instant;

use api::{Method, OPERATIONS, event, user};
use serde_json::Value;

use crate::{
    admin::Admin,
    house::{House, PATIENCE, durable},
};

/// All that lasts, and how long the log is without what it says of refusals.
async fn state(house: &House) -> (Value, usize) {
    let all = house.admin.call(&event::LIST, &[], &Default::default()).await.unwrap().events;
    let done = all.iter().filter(|event| event.kind != "call_refused");
    (durable(&house.world()), done.count())
}

/// What a path is about, in the words of refusals.
fn nouns(template: &str) -> Vec<&str> {
    let roots = ["", "api", "mesh", "v1", "tailnet"];
    let parts = template.split('/').filter(|part| !roots.contains(part) && !part.starts_with('{'));
    parts.map(|part| if part == "apikey" { "API key" } else { part }).collect()
}

/// Somebody with the id 1.
async fn person(house: &House) {
    let alice = user::Create { login: "alice".into(), display_name: None };
    house.admin.call(&user::CREATE, &[], &alice).await.unwrap();
}

/// Calls that are none: how many were tried, and which of them were not refused as they should be.
#[derive(Default)]
struct Tries {
    tried: usize,
    wrong: Vec<String>,
}

impl Tries {
    /// It must be refused as the caller's fault, in the words of its surface, and the refusal says one of these words.
    async fn refused(&mut self, admin: &Admin, call: (&str, &str, &str), words: &[&str]) {
        let (method, path, body) = call;
        let begun = Instant::now();
        let (status, text) = admin.raw(method, path, body.to_owned()).await.unwrap();
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        let detail = problem["detail"].as_str().unwrap_or_default();
        let named = words.iter().any(|word| !word.is_empty() && detail.contains(word));
        let fits = status.is_client_error() && problem["status"] == status.as_u16();
        if !fits || !named || begun.elapsed() > PATIENCE {
            let short = |text: &str| text.chars().take(300).collect::<String>();
            self.wrong.push(format!("{method} {} {}: {status} {text}", short(path), short(body)));
        }
        self.tried += 1;
    }
    /// All were refused, and there were more than so many.
    fn end(self, more_than: usize) {
        assert!(self.wrong.is_empty(), "{} calls: {:#?}", self.wrong.len(), self.wrong);
        assert!(self.tried > more_than, "{}", self.tried);
    }
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
            refused(&house.admin, method, &at, "", &[405]).await;
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
