//! Devices and logins that wait, and what tools say of them.

use harness::Identity;
use serde_json::{Value, json};

use super::{Tool, location, logged};
use crate::{
    house::{House, PATIENCE},
    waiting::{
        Guest,
        checks::{Scene, answer},
        come_again,
    },
};

const INVENTED: &str = "hskey-authreq-AbCdEfGhIjKlMnOpQrSt_-79";

async fn guest(house: &House) -> Guest {
    Guest::come(house, Identity::random().unwrap(), "laptop").await
}

/// Whose the device is that was let in; it knows it, too.
async fn owner(guest: &Guest, answer: &Value) -> String {
    assert!(guest.device.register(None).await.machine_authorized, "{answer}");
    assert_eq!(answer["node"]["registerMethod"], "REGISTER_METHOD_CLI");
    assert_eq!(answer["node"]["machineKey"], guest.device.me.machine_key().to_string());
    answer["node"]["user"]["name"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_let_in_by_the_full_and_by_the_bare_code() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    for name in ["alice", "bob"] {
        tool.post("/user", &json!({"name": name}).to_string()).await;
    }
    let (bare, full, whole, query) =
        (guest(&house).await, guest(&house).await, guest(&house).await, guest(&house).await);
    assert_eq!(bare.code().len(), 24, "what tools take for a code");
    let body = json!({"user": "alice", "authId": bare.code()}).to_string();
    assert_eq!(owner(&bare, &tool.post("/auth/register", &body).await).await, "alice");
    let body = json!({"user": "alice", "auth_id": format!("hskey-authreq-{}", full.code())}).to_string();
    assert_eq!(owner(&full, &tool.post("/auth/register", &body).await).await, "alice");
    let body = json!({"user": 2, "key": whole.url}).to_string();
    assert_eq!(owner(&whole, &tool.post("/node/register", &body).await).await, "bob");
    let path = format!("/node/register?user=bob&key={}", query.code());
    let body = json!({"user": "bob", "key": query.code()}).to_string();
    assert_eq!(
        owner(&query, &tool.post(&path, &body).await).await,
        "bob",
        "in both places, as Headplane says it"
    );
    let by = house.admin.call(&api::event::LIST, &[], &Default::default()).await.unwrap().events;
    assert!(by.iter().filter(|e| e.kind == "node_registered").all(|e| e.actor == "apikey:1"));

    let wrong = guest(&house).await;
    let path = format!("/node/register?key={}", wrong.code());
    assert_eq!(location(&tool.refused(400, "POST", &path, "").await), "query.user");
    assert_eq!(location(&tool.refused(400, "POST", "/node/register?user=alice", "").await), "query.key");
    let body = json!({"user": "alice"}).to_string();
    assert_eq!(location(&tool.refused(400, "POST", "/auth/register", &body).await), "body.authId");
    tool.refused(404, "POST", &format!("{path}&user=nobody"), "").await;
    tool.refused(404, "POST", &format!("/node/register?user=alice&key={}", "x".repeat(24)), "").await;
    tool.refused(404, "POST", "/node/register?user=alice&key=nodekey:00", "").await;
    assert_eq!(house.world().nodes.len(), 4);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_approved_is_again_what_it_was() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    tool.post("/user", r#"{"name":"alice"}"#).await;
    let first = guest(&house).await;
    let approve = |guest: &Guest| json!({"authId": guest.code()}).to_string();
    let problem = tool.refused(422, "POST", "/auth/approve", &approve(&first)).await;
    assert!(problem["message"].as_str().unwrap().contains("nobody said whose device this is"), "{problem}");
    tool.post("/auth/register", &json!({"user": "alice", "authId": first.code()}).to_string()).await;
    tool.post("/node/1/expire", "").await;
    let back = come_again(&house, &first).await;
    assert_eq!(tool.post("/auth/approve", &approve(&back)).await, json!({}));
    assert!(back.device.register(None).await.machine_authorized);
    assert_eq!(tool.get("/node/1").await["node"]["user"]["name"], "alice");
    assert_eq!(location(&tool.refused(400, "POST", "/auth/approve", "{}").await), "body.authId");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_rejected_is_told_so() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    let guest = guest(&house).await;
    let waiting = guest.wait();
    let body = json!({"authId": format!("hskey-authreq-{}", guest.code())}).to_string();
    assert_eq!(tool.post("/auth/reject", &body).await, json!({}));
    let heard = tokio::time::timeout(PATIENCE, waiting).await.expect("it was not told").unwrap();
    assert!(heard.error.contains("has refused this device"), "{heard:?}");
    tool.refused(404, "POST", "/auth/reject", &body).await;
    let noted = logged(&house, "login_denied").await;
    assert_eq!(noted.subject, format!("machine:{}", guest.device.me.machine_key()));
    assert_eq!((noted.event["hostname"].as_str(), noted.actor.as_str()), (Some("laptop"), "apikey:1"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_by_ssh_is_approved_and_rejected() {
    let scene = Scene::set().await;
    let tool = Tool::of(&scene.house).await;
    for (call, through) in [("approve", true), ("reject", false)] {
        let (page, next) = scene.begin().await;
        let code = page.rsplit('/').next().unwrap();
        let body = json!({"authId": format!("hskey-authreq-{code}")}).to_string();
        assert_eq!(tool.post(&format!("/auth/{call}"), &body).await, json!({}));
        let action = answer(&scene.island, &next).await;
        assert_eq!((action.accept, action.reject), (through, !through), "{call}");
    }
    scene.house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invented_device_waits_and_reaches_nobody() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    tool.post("/user", r#"{"name":"alice"}"#).await;
    let body =
        json!({"user": "alice", "key": INVENTED, "name": "dummy", "routes": ["10.7.0.0/24"]}).to_string();
    let invented = tool.post("/debug/node", &body).await["node"].clone();
    assert_eq!((&invented["id"], &invented["name"]), (&json!("0"), &json!("dummy")));
    assert_eq!(
        (&invented["user"]["name"], &invented["availableRoutes"]),
        (&json!("alice"), &json!(["10.7.0.0/24"]))
    );
    assert!(house.world().nodes.is_empty());
    let problem = tool.refused(400, "POST", "/debug/node", &body).await;
    assert_eq!(location(&problem), "body.key", "a code is one device's: {problem}");
    let register = json!({"user": "alice", "authId": INVENTED}).to_string();
    let node = tool.post("/auth/register", &register).await["node"].clone();
    assert_eq!((&node["nodeKey"], &node["online"]), (&invented["nodeKey"], &json!(false)));
    assert_eq!(node["availableRoutes"], json!(["10.7.0.0/24"]));
    for (member, value) in
        [("key", json!("short")), ("key", json!("")), ("routes", json!(["x"])), ("user", json!(""))]
    {
        let mut asked: Value = serde_json::from_str(&body).unwrap();
        asked["key"] = json!("k".repeat(24));
        asked[member] = value;
        let problem = tool.refused(400, "POST", "/debug/node", &asked.to_string()).await;
        assert_eq!(location(&problem), format!("body.{member}"));
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_changes_hands_by_id_and_by_login() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    house.member("laptop").await;
    for name in ["alice", "bob"] {
        tool.post("/user", &json!({"name": name}).to_string()).await;
    }
    for (path, body, name) in [
        ("/node/1/user", r#"{"user":"1"}"#, "alice"),
        ("/node/1/user?user=bob", "", "bob"),
        ("/node/1/user", r#"{"user":1}"#, "alice"),
    ] {
        let node = tool.post(path, body).await["node"].clone();
        assert_eq!((&node["user"]["name"], &node["tags"]), (&json!(name), &json!([])), "{path} {body}");
    }
    for body in [
        r#"{"user":0}"#,
        r#"{"user":-1}"#,
        r#"{"user":""}"#,
        r#"{"user":null}"#,
        "",
        r#"{"user":9007199254740992}"#,
    ] {
        let problem = tool.refused(400, "POST", "/node/1/user", body).await;
        assert_eq!(location(&problem), "body.user", "{body}");
    }
    tool.refused(404, "POST", "/node/1/user", r#"{"user":"nobody"}"#).await;
    tool.refused(404, "POST", "/node/9/user", r#"{"user":"alice"}"#).await;
    house.close().await;
}
