//! Devices.

use std::collections::BTreeSet;

use ident::NodeId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Tool, location};
use crate::{
    device::{Device, Listener},
    house::{House, eventually},
};

const ROUTES: [&str; 3] = ["10.1.0.0/16", "0.0.0.0/0", "::/0"];

/// A member that offers a subnet and an exit.
async fn router(house: &House) -> Device {
    let device = house.member("router").await;
    let mut request = device.me.register_request(None, "Router.Local");
    request.hostinfo.as_mut().unwrap().routable_ips = ROUTES.map(|r| r.parse().unwrap()).to_vec();
    assert!(device.client.register(&request).await.unwrap().error.is_empty());
    device
}

/// The same while it is connected.
async fn listening(router: &Device) -> Listener {
    let mut request = router.request();
    request.hostinfo.as_mut().unwrap().routable_ips = ROUTES.map(|r| r.parse().unwrap()).to_vec();
    Listener::open(&router.client, &request).await
}

fn in_days(days: i64) -> String {
    (Timestamp::now() + SignedDuration::from_hours(24 * days)).to_string()
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("no list: {value}"))
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_has_every_member_of_every_age() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    assert_eq!(tool.get("/node").await, json!({"nodes": []}));
    let device = router(&house).await;
    let list = tool.get("/node").await;
    let node = &list["nodes"][0];
    let members = [
        "id",
        "machineKey",
        "nodeKey",
        "discoKey",
        "ipAddresses",
        "name",
        "user",
        "lastSeen",
        "expiry",
        "preAuthKey",
        "createdAt",
        "registerMethod",
        "forcedTags",
        "invalidTags",
        "validTags",
        "givenName",
        "online",
        "approvedRoutes",
        "availableRoutes",
        "subnetRoutes",
        "tags",
    ];
    let told: BTreeSet<_> = node.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(told, BTreeSet::from(members));
    assert_eq!((&node["id"], &node["user"], &node["expiry"]), (&json!("1"), &Value::Null, &Value::Null));
    assert_eq!(node["machineKey"], device.me.machine_key().to_string());
    assert_eq!((&node["name"], &node["givenName"]), (&json!("Router.Local"), &json!("router")));
    assert_eq!(node["registerMethod"], "REGISTER_METHOD_AUTH_KEY");
    assert_eq!(texts(&node["tags"]), ["tag:member"]);
    assert_eq!((&node["forcedTags"], &node["validTags"]), (&json!(["tag:member"]), &json!([])));
    assert_eq!(texts(&node["ipAddresses"]).len(), 2);
    assert_eq!(node["preAuthKey"]["key"], "mk-auth-1-***");
    assert_eq!(tool.get("/node/1").await["node"]["id"], "1");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_comes_in_pages_for_who_asks() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    for name in ["a", "b", "c"] {
        house.member(name).await;
    }
    for (query, ids) in [
        ("", vec!["1", "2", "3"]),
        ("?limit=2", vec!["1", "2"]),
        ("?limit=2&after=2", vec!["3"]),
        ("?after=3", vec![]),
    ] {
        let list = tool.get(&format!("/node{query}")).await;
        let told: Vec<_> = list["nodes"].as_array().unwrap().iter().map(|n| &n["id"]).collect();
        assert_eq!(told, ids, "{query}");
    }
    assert_eq!(location(&tool.refused(400, "GET", "/node?limit=-1", "").await), "query.limit");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_connected_was_seen_now() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    let device = house.member("laptop").await;
    assert_eq!(tool.get("/node/1").await["node"]["lastSeen"], Value::Null, "never connected yet");
    let listener = device.listen().await;
    let node = tool.get("/node/1").await["node"].clone();
    assert_eq!(node["online"], true);
    let seen: Timestamp = node["lastSeen"].as_str().unwrap().parse().unwrap();
    assert!(Timestamp::now().duration_since(seen).as_secs() < 60);
    drop(listener);
    eventually("offline", || !house.world().nodes.iter().any(|n| n.online())).await;
    assert!(tool.get("/node/1").await["node"]["lastSeen"].is_string());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_routes_takes_the_place_of_the_one_before() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    let device = router(&house).await;
    let _open = listening(&device).await;
    let node = tool.get("/node/1").await["node"].clone();
    assert_eq!(texts(&node["availableRoutes"]).len(), 3);
    assert!(texts(&node["approvedRoutes"]).is_empty() && texts(&node["subnetRoutes"]).is_empty());
    let all = r#"{"routes":["10.1.0.0/16","0.0.0.0/0"]}"#;
    let node = tool.post("/node/1/approve_routes", all).await["node"].clone();
    assert_eq!(
        texts(&node["approvedRoutes"]),
        ["0.0.0.0/0", "10.1.0.0/16", "::/0"],
        "both families of an exit"
    );
    eventually("served", || !house.world().primaries.is_empty()).await;
    assert_eq!(texts(&tool.get("/node/1").await["node"]["subnetRoutes"]).len(), 3);
    let node = tool.post("/node/1/approve_routes", r#"{"routes":[]}"#).await["node"].clone();
    assert!(texts(&node["approvedRoutes"]).is_empty());
    tool.refused(422, "POST", "/node/1/approve_routes", r#"{"routes":["10.9.0.0/16"]}"#).await;
    let problem = tool.refused(400, "POST", "/node/1/approve_routes", r#"{"routes":["10.9/16"]}"#).await;
    assert_eq!(location(&problem), "body.routes");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_policy_approves_cannot_be_left_out() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    crate::house::set_policy(
        &house.admin,
        r#"{"tagOwners": {"tag:member": [], "tag:island": []},
            "acls": [{"action": "accept", "src": ["tag:member"], "dst": ["tag:member:*"]}],
            "autoApprovers": {"routes": {"10.1.0.0/16": ["tag:member"]}}}"#,
    )
    .await;
    router(&house).await;
    assert_eq!(texts(&tool.get("/node/1").await["node"]["approvedRoutes"]), ["10.1.0.0/16"]);
    tool.refused(409, "POST", "/node/1/approve_routes", r#"{"routes":[]}"#).await;
    tool.post("/node/1/approve_routes", r#"{"routes":["10.1.0.0/16"]}"#).await;
    let node = house.world().nodes.get(NodeId::FIRST).unwrap().clone();
    assert!(node.approved_routes.is_empty(), "what the policy approves goes with the policy");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_accepted_until_then_until_now_or_for_good() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    let device = house.member("laptop").await;
    let until = in_days(30);
    let node = tool.post("/node/1/expire", &json!({"expiry": until}).to_string()).await["node"].clone();
    assert_eq!(node["expiry"], until);
    let node = tool.post("/node/1/expire", r#"{"disableExpiry":true}"#).await["node"].clone();
    assert_eq!(node["expiry"], Value::Null);
    let both = json!({"disableExpiry": true, "expiry": until}).to_string();
    assert_eq!(location(&tool.refused(400, "POST", "/node/1/expire", &both).await), "body.disableExpiry");
    let node = tool.post("/node/1/expire", "").await["node"].clone();
    let expiry: Timestamp = node["expiry"].as_str().unwrap().parse().unwrap();
    assert!(expiry <= Timestamp::now());
    assert!(device.register(None).await.node_key_expired);
    tool.post("/node/1/expire?disableExpiry=true", "").await;
    assert!(!device.register(None).await.node_key_expired, "an operator may take it back");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_tags_are_set_and_a_device_is_forgotten() {
    let house = House::open().await;
    let tool = Tool::of(&house).await;
    house.member("laptop").await;
    let node = tool.post("/node/1/rename/desk", "").await["node"].clone();
    assert_eq!((&node["givenName"], &node["name"]), (&json!("desk"), &json!("laptop")));
    let node = tool.post("/node/1/tags", r#"{"tags":["tag:island"]}"#).await["node"].clone();
    assert_eq!(texts(&node["tags"]), ["tag:island"]);
    tool.refused(422, "POST", "/node/1/tags", r#"{"tags":[]}"#).await;
    tool.refused(422, "POST", "/node/1/tags", r#"{"tags":["tag:unknown"]}"#).await;
    assert_eq!(
        location(&tool.refused(400, "POST", "/node/1/tags", r#"{"tags":["island"]}"#).await),
        "body.tags"
    );
    assert_eq!(tool.get("/node?user=").await["nodes"].as_array().unwrap().len(), 1);
    tool.post("/user", r#"{"name":"alice"}"#).await;
    assert_eq!(tool.get("/node?user=alice").await, json!({"nodes": []}), "tags own it");
    tool.refused(404, "GET", "/node?user=nobody", "").await;
    assert_eq!(tool.post("/node/backfillips?confirmed=true", "").await, json!({"changes": []}));
    assert_eq!(location(&tool.refused(400, "POST", "/node/backfillips", "").await), "query.confirmed");
    assert_eq!(tool.ok("DELETE", "/node/1", "").await, json!({}));
    tool.refused(404, "GET", "/node/1", "").await;
    house.close().await;
}
