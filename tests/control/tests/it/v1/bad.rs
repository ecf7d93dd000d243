//! What is no call: ids, names, bodies, methods and senders that are none.

use serde_json::{Value, json};

use super::{Tool, location};
use crate::{
    admin::Admin,
    house::{House, durable},
};

const NO_IDS: [&str; 11] = [
    "0",
    "-1",
    "9223372036854775808",
    "9007199254740992",
    "18446744073709551616",
    "null",
    "1.0",
    "+1",
    "%20",
    "%00",
    "1%2f..%2f1",
];

/// All that lasts, but for when a credential was last used.
fn state(house: &House) -> Value {
    let mut all = durable(&house.world());
    for key in all["api_keys"].as_array_mut().unwrap() {
        key["last_used"] = Value::Null;
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_are_none_are_named_and_change_nothing() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    house.member("laptop").await;
    tool.post("/user", r#"{"name":"alice"}"#).await;
    let before = state(&house);
    for id in NO_IDS {
        for (method, path, body, place) in [
            ("GET", format!("/node/{id}"), "", "path.nodeId"),
            ("DELETE", format!("/node/{id}"), "", "path.nodeId"),
            ("POST", format!("/node/{id}/expire"), "", "path.nodeId"),
            ("POST", format!("/node/{id}/rename/x"), "", "path.nodeId"),
            ("POST", format!("/node/{id}/tags"), r#"{"tags":["tag:island"],"nodeId":"1"}"#, "path.nodeId"),
            ("POST", format!("/node/{id}/approve_routes"), r#"{"routes":[]}"#, "path.nodeId"),
            ("DELETE", format!("/user/{id}"), "", "path.id"),
            ("POST", format!("/user/{id}/rename/x"), "", "path.oldId"),
            ("GET", format!("/user?id={id}"), "", "query.id"),
            ("DELETE", format!("/preauthkey?id={id}"), "", "query.id"),
            ("GET", format!("/preauthkey?user={id}"), "", "query.user"),
        ] {
            let problem = tool.refused(400, method, &path, body).await;
            assert_eq!(location(&problem), place, "{method} {path}");
        }
        let problem = tool.refused(400, "DELETE", &format!("/apikey/{id}"), "").await;
        assert!(location(&problem).contains("prefix"), "{id}");
    }
    for id in ["0", "-1", "1.5", "1e3", "\"\"", "null", "true", "[1]", "{}", "9223372036854775808", "\"x\""] {
        for path in ["/preauthkey/expire", "/apikey/expire"] {
            tool.refused(400, "POST", path, &format!("{{\"id\":{id}}}")).await;
        }
    }
    assert_eq!(state(&house), before);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_are_none_lead_nowhere() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    house.member("laptop").await;
    let before = state(&house);
    for (method, path) in [
        ("GET", "/node/"),
        ("DELETE", "/node//"),
        ("GET", "//node"),
        ("GET", "/nothing"),
        ("GET", "/node/1/2/3"),
        ("GET", "/../mesh/v1"),
    ] {
        let (status, problem) = tool.call(method, path, "").await;
        assert!(status.is_client_error() && status != 405, "{method} {path}: {status} {problem}");
    }
    for (method, path) in [
        ("PATCH", "/node/1"),
        ("PUT", "/node/1"),
        ("POST", "/node"),
        ("DELETE", "/policy"),
        ("GET", "/node/register"),
        ("TRACE", "/node"),
    ] {
        assert_eq!(tool.refused(405, method, path, "").await["code"], 12);
    }
    for name in ["..%2f..%2fnode%2f1", "%2e%2e", "a%2fb", "%00", "%ff", "", "a%20b", "-", &"x".repeat(70)] {
        let (status, problem) = tool.call("POST", &format!("/node/1/rename/{name}"), "").await;
        assert!(status.is_client_error(), "{name}: {status} {problem}");
        assert!(problem["message"].is_string());
    }
    assert_eq!(state(&house), before);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_none_are_refused_in_time() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    let before = state(&house);
    let deep = format!("{}{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    for body in ["[]", "7", "\"x\"", "{", "{\"name\":}", "nul", &deep, &"[".repeat(100_000), "\u{0}"] {
        let problem = tool.refused(400, "POST", "/user", body).await;
        assert_eq!(location(&problem), "body");
    }
    for (body, place) in [
        (r#"{"name":7}"#, "body.name"),
        (r#"{"name":{"x":1}}"#, "body.name"),
        (r#"{"name":""}"#, "body.name"),
        (r#"{}"#, "body.name"),
        ("", "body.name"),
    ] {
        assert_eq!(location(&tool.refused(400, "POST", "/user", body).await), place, "{body}");
    }
    let problem = tool.refused(400, "POST", "/preauthkey", r#"{"reusable":"perhaps"}"#).await;
    assert_eq!(location(&problem), "body.reusable");
    let large = json!({"name": "x".repeat(3 << 20)}).to_string();
    tool.refused(413, "POST", "/user", &large).await;
    assert_eq!(state(&house), before);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn input_is_read_leniently() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    let body = r#"{"name":"alice","display_name":"A","unknown":{"deep":[1,null]},"email":null}"#;
    let headers = [("content-type", "text/plain;charset=UTF-8")];
    let answer = tool.0.whole("POST", "/api/v1/user", &headers, body.into()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: Value = serde_json::from_str(answer.body()).unwrap();
    assert_eq!(answer["user"]["displayName"], "A");
    assert_eq!(tool.post("/user?name=bob", "null").await["user"]["name"], "bob");
    tool.post("/preauthkey?ignored=1", r#"{"acl_tags":["tag:member",null],"user":1,"reusable":"true"}"#)
        .await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_to_come_from_elsewhere_is_not_believed() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    let headers = [("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9")];
    let body = r#"{"name":"alice"}"#.to_owned();
    let answer = tool.0.whole("POST", "/api/v1/user", &headers, body).await.unwrap();
    assert_eq!(answer.status(), 200);
    let made = super::logged(&house, "user_created").await;
    assert_eq!(made.source, "127.0.0.1");
    let nobody = Admin::remote(house.address, None);
    let local = [("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1")];
    let answer = nobody.whole("GET", "/api/v1/user", &local, String::new()).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    house.close().await;
}
