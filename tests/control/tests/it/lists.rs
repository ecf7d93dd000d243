//! Lists of devices: what is written once is kept for the next list, and never told for longer than it is so.

use api::{key, node, route, user};
use harness::Identity;
use serde_json::{Value, json};

use crate::{
    admin::reusable,
    device::Device,
    house::{House, PATIENCE, eventually},
};

const NET: &str = "10.7.0.0/16";
const OURS: &str = "/api/mesh/v1/tailnet/default/node";
const THEIRS: &str = "/api/v1/node";

async fn get(house: &House, path: &str) -> Value {
    let (status, text) = house.admin.raw("GET", path, String::new()).await.unwrap();
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// Who is connected was seen at the moment of the answer: that is looked at and taken away.
fn without_moment(mut node: Value) -> Value {
    if let Some(seen) = node["lastSeen"].as_str().filter(|_| node["online"] == true) {
        let seen: jiff::Timestamp = seen.parse().unwrap();
        assert!(jiff::Timestamp::now().duration_since(seen).abs() < PATIENCE.try_into().unwrap(), "{node}");
        node["lastSeen"] = json!("now");
    }
    node
}

/// What lists say is what each device says by itself, which is made afresh each time.
async fn compared(house: &House, what: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for (list, at) in [(OURS, OURS), (THEIRS, THEIRS), ("/api/v1/node?limit=2&after=1", THEIRS)] {
        let told = get(house, list).await["nodes"].as_array().unwrap().clone();
        let world = house.world().nodes.len();
        assert!(told.len() == world || list.contains("limit"), "{what}: {list}");
        for node in told {
            let id = node["id"]
                .as_u64()
                .map_or_else(|| node["id"].as_str().unwrap().to_owned(), |n| n.to_string());
            let alone = get(house, &format!("{at}/{id}")).await["node"].clone();
            assert_eq!(without_moment(node.clone()), without_moment(alone), "{what}: {list}");
            all.push(node);
        }
    }
    all
}

fn says(all: &[Value], what: &str) -> bool {
    all.iter().any(|node| node.to_string().contains(what))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_of_each_device_what_is_so_at_that_moment() {
    let house = House::open().await;
    assert_eq!(get(&house, OURS).await, json!({"nodes": []}));
    for login in ["alice", "bob"] {
        let create = user::Create { login: login.into(), display_name: None };
        house.admin.call(&user::CREATE, &[], &create).await.unwrap();
    }
    let create = key::Create { user: Some("alice".into()), ..reusable() };
    let (secret, key_id) = house.admin.created_key(&create).await;
    let laptop = house.join(Identity::random().unwrap(), &secret, "\"lastSeen\":null").await;
    let phone = house.join(Identity::random().unwrap(), &secret, "phone").await;
    let router = Device::connect(&house.at, Identity::random().unwrap(), "router").await;
    let mut request = router.me.register_request(Some(&secret), "router");
    request.hostinfo.as_mut().unwrap().routable_ips = vec![NET.parse().unwrap()];
    assert_eq!(router.client.register(&request).await.unwrap().error, "");
    compared(&house, "all have joined").await;
    assert!(says(&compared(&house, "nothing has changed").await, "alice"));

    let listening = laptop.listen().await;
    laptop.report(&["192.0.2.7:41641"], 900).await;
    assert!(says(&compared(&house, "one is connected").await, "192.0.2.7:41641"));
    house.admin.call(&node::RENAME, &["2"], &node::Rename { name: "tablet".into() }).await.unwrap();
    assert!(says(&compared(&house, "one has another name").await, "tablet"));
    let choice = route::Choice { node: "router".into(), prefixes: vec![NET.parse().unwrap()] };
    house.admin.call(&route::APPROVE, &[], &choice).await.unwrap();
    let _serving = router.listen().await;
    eventually("the router serves", || !house.world().primaries.is_empty()).await;
    assert!(says(&compared(&house, "one serves a network").await, NET));
    house.admin.call(&node::MOVE, &["2"], &node::Move { user: "bob".into() }).await.unwrap();
    assert!(says(&compared(&house, "one is another's").await, "\"bob\""));
    for (old, new) in [("bob", "robert"), ("alice", "alicia")] {
        house.admin.call(&user::RENAME, &[old], &user::Rename { login: new.into() }).await.unwrap();
    }
    let all = compared(&house, "people have other names").await;
    assert!(
        says(&all, "\"robert\"") && says(&all, "\"alicia\"") && !says(&all, "\"name\":\"alice\""),
        "{all:?}"
    );
    house.admin.call(&key::REVOKE, &[&key_id], &()).await.unwrap();
    compared(&house, "the key is void").await;
    house.admin.call(&node::EXPIRE, &["2"], &()).await.unwrap();
    compared(&house, "one has to log in again").await;
    drop(listening);
    eventually("nobody listens", || house.world().nodes.iter().filter(|n| n.online()).count() == 1).await;
    compared(&house, "one has left").await;
    house.admin.call(&node::DELETE, &["2"], &()).await.unwrap();
    assert!(!says(&compared(&house, "one is forgotten").await, "tablet"));
    drop(phone);
    house.close().await;
}
