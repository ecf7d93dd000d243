//! Prefixes that a device offers to take over what is not its own: nothing of them reaches anybody before an operator or
//! the policy has said so, and some are nobody's to give.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use api::{
    node,
    route::{APPROVE, Choice, LIST, REVOKE, State},
};
use harness::{Identity, Model};
use ident::NodeId;
use wire::{FilterRule, MapRequest};

use crate::{
    admin::reusable,
    device::Device,
    house::{House, Setup, set_policy},
};

/// Members may reach much, and a careless operator lets them serve half the world.
const POLICY: &str = r#"{
    "tagOwners": {"tag:member": [], "tag:island": []},
    "acls": [{"action": "accept", "src": ["tag:member"], "dst": [
        "tag:member:*", "10.0.0.0/8:*", "192.0.2.0/24:*", "203.0.0.0/8:*", "autogroup:internet:*",
    ]}],
    "autoApprovers": {"routes": {"10.0.0.0/8": ["tag:member"], "100.0.0.0/8": ["tag:member"]}},
}"#;
const HOSTILE: [&str; 12] = [
    "0.0.0.0/0",
    "::/0",
    "0.0.0.0/1",
    "128.0.0.0/1",
    "100.64.0.0/10",
    "100.64.0.1/32",
    "100.0.0.0/8",
    "fd7a:115c:a1e0::/48",
    "127.0.0.1/32",
    "192.0.2.0/24",
    "10.0.0.0/7",
    "fe80::/64",
];

/// The device says that it offers these.
async fn offer(device: &Device, prefixes: &[String]) {
    let mut report: MapRequest = device.me.report(&device.hostname, &[], 0);
    let routes = prefixes.iter().map(|p| p.parse().unwrap()).collect();
    report.hostinfo.as_mut().unwrap().routable_ips = routes;
    device.client.lite_update(&report).await.unwrap();
}

/// What the model would send to the peer beside what is for its own addresses.
fn routes(model: &Model, peer: NodeId) -> BTreeSet<String> {
    let peer = model.peer(peer).unwrap();
    let own = [peer.addresses.v4.to_string(), peer.addresses.v6.to_string()];
    let routes = peer.allowed_ips.iter().filter(|net| !own.contains(&net.addr().to_string()));
    assert_eq!(peer.primary_routes.iter().filter(|net| net.prefix_len() == 0).count(), 0);
    routes.map(ToString::to_string).collect()
}

/// What a filter opens beside the node's own addresses.
fn opened(rules: &[FilterRule], of: &wire::Node) -> BTreeSet<String> {
    let own = [of.addresses.v4.to_string(), of.addresses.v6.to_string()];
    let ports = rules.iter().flat_map(|rule| &rule.dst_ports).map(|port| port.ip.clone());
    ports.filter(|ip| !own.iter().any(|own| ip.starts_with(own.as_str()))).collect()
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_offered_by_surprise_reaches_nobody() {
    let house = House::open().await;
    set_policy(&house.admin, POLICY).await;
    let (viewer, thief) = (house.member("viewer").await, house.member("thief").await);
    let id = thief.myself().await.id;
    let (mut view, mut own) = (viewer.listen().await, thief.listen().await);
    let server = format!("{}/32", house.address.ip());
    let all: Vec<String> =
        HOSTILE.into_iter().map(str::to_owned).chain([server, "10.9.0.0/16".into()]).collect();
    offer(&thief, &all).await;

    view.until("what the policy approves", |m| routes(m, id) == set(&["10.9.0.0/16"])).await;
    view.agrees_with(&viewer).await;
    assert_eq!(routes(&view.go, id), set(&["10.9.0.0/16"]));
    own.agrees_with(&thief).await;
    let rules: Vec<FilterRule> = own.go.view().rules;
    let words = opened(&rules, own.go.node().unwrap());
    assert_eq!(words, set(&["10.0.0.0/8"]), "the rule's own words, of the one network that it serves");
    assert_eq!(own.go.node().unwrap().allowed_ips.len(), 3, "nor does it learn that it serves them");

    for never in ["100.64.0.1/32", "fd7a:115c:a1e0::/48", "100.0.0.0/8", "128.0.0.0/1", "127.0.0.1/32"] {
        let choice = Choice { node: "thief".into(), prefixes: vec![never.parse().unwrap()] };
        let problem = house.admin.call(&APPROVE, &[], &choice).await.unwrap_err();
        assert_eq!((problem.code.as_str(), problem.status), ("not_servable", 422), "{never}");
    }
    let listed = house.admin.call(&LIST, &[], &()).await.unwrap().routes;
    let approved: Vec<_> = listed.iter().filter(|r| r.approved).map(|r| r.prefix.to_string()).collect();
    assert_eq!(approved, ["10.9.0.0/16"]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_over_the_way_to_the_server() {
    let setup = Setup { server_url: Some("http://203.0.113.9:8080"), ..Setup::default() };
    let house = House::open_with(setup).await;
    set_policy(
        &house.admin,
        &POLICY.replace(r#""10.0.0.0/8": ["#, r#""203.0.0.0/8": ["tag:member"], "10.0.0.0/8": ["#),
    )
    .await;
    let (viewer, thief) = (house.member("viewer").await, house.member("thief").await);
    let id = thief.myself().await.id;
    let (mut view, _own) = (viewer.listen().await, thief.listen().await);
    let taking = ["203.0.113.9/32", "203.0.113.8/31", "203.0.113.0/24", "203.0.112.0/20"];
    let all = taking.into_iter().chain(["203.0.1.0/24"]).map(str::to_owned).collect::<Vec<_>>();
    offer(&thief, &all).await;
    view.until("what is far from the server", |m| routes(m, id) == set(&["203.0.1.0/24"])).await;
    for never in taking {
        let choice = Choice { node: "thief".into(), prefixes: vec![never.parse().unwrap()] };
        let problem = house.admin.call(&APPROVE, &[], &choice).await.unwrap_err();
        assert_eq!((problem.code.as_str(), problem.status), ("not_servable", 422), "{never}");
        assert!(problem.detail.contains("the way to this server"), "{problem:?}");
    }
    view.agrees_with(&viewer).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_node_serves_both_families_or_none() {
    let house = House::open().await;
    set_policy(&house.admin, POLICY).await;
    let (viewer, exit) = (house.member("viewer").await, house.member("exit").await);
    let id = exit.myself().await.id;
    let (mut view, _own) = (viewer.listen().await, exit.listen().await);
    let both = set(&["0.0.0.0/0", "::/0"]);
    let choice = Choice { node: "exit".into(), prefixes: vec!["0.0.0.0/0".parse().unwrap()] };
    offer(&exit, &["0.0.0.0/0".into()]).await;
    house.admin.call(&APPROVE, &[], &choice).await.unwrap();
    offer(&exit, &["0.0.0.0/0".into(), "::/0".into()]).await;
    view.until("both families", |m| routes(m, id) == both).await;
    let listed = house.admin.call(&LIST, &[], &()).await.unwrap().routes;
    assert!(listed.iter().all(|r| r.state == State::Exit && !r.primary), "{listed:?}");

    let six = Choice { prefixes: vec!["::/0".parse().unwrap()], ..choice };
    house.admin.call(&REVOKE, &[], &six).await.unwrap();
    view.until("neither", |m| routes(m, id).is_empty()).await;
    view.agrees_with(&viewer).await;

    house.admin.call(&APPROVE, &[], &six).await.unwrap();
    view.until("both again", |m| routes(m, id) == both).await;
    let without = POLICY.replace(", \"autogroup:internet:*\"", "");
    set_policy(&house.admin, &without).await;
    view.until("nobody may use it", |m| routes(m, id).is_empty()).await;
    view.agrees_with(&viewer).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_routes_are_cut_and_cost_nobody_anything() {
    let house = House::open().await;
    set_policy(&house.admin, POLICY).await;
    let (viewer, boaster) = (house.member("viewer").await, house.member("boaster").await);
    let (id, _own) = (boaster.myself().await.id, boaster.listen().await);
    let mut view = viewer.listen().await;
    let many = |second: u32| -> Vec<String> {
        (0..10_000).map(|n| format!("{second}.{}.{}.0/24", n / 256, n % 256)).collect()
    };
    offer(&boaster, &many(203)).await;
    let listed = house.admin.call(&LIST, &[], &()).await.unwrap().routes;
    assert!(!listed.is_empty() && listed.len() <= 1024, "{} routes", listed.len());
    assert!(listed.iter().all(|r| r.state == State::NotApproved));
    assert_eq!(routes(&view.go, id), BTreeSet::new());

    offer(&boaster, &many(10)).await;
    view.until("those that the policy approves", |m| !routes(m, id).is_empty()).await;
    assert!(routes(&view.go, id).len() <= 1024);
    view.agrees_with(&viewer).await;
    house.close().await;
}

/// All routes of a router change hands in one message, however many they are.
#[tokio::test(flavor = "multi_thread")]
async fn a_router_of_many_networks_is_replaced_at_once() {
    let house = House::open().await;
    set_policy(&house.admin, POLICY).await;
    let viewer = house.member("viewer").await;
    let nets: Vec<String> = (0..400).map(|n| format!("10.{}.{}.0/24", n / 256, n % 256)).collect();
    let mut ids = Vec::new();
    let mut streams = Vec::new();
    for name in ["r1", "r2"] {
        let key = house.admin.key(&reusable()).await;
        let device = house.join(Identity::random().unwrap(), &key, name).await;
        offer(&device, &nets).await;
        ids.push(device.myself().await.id);
        streams.push(device.listen().await);
    }
    let mut view = viewer.listen().await;
    view.until("the first router", |m| routes(m, ids[0]).len() == 400).await;

    let deleted = Instant::now();
    house.admin.call(&node::DELETE, &["r1"], &()).await.unwrap();
    view.until("the second router", |m| m.peer(ids[0]).is_none()).await;
    assert_eq!(routes(&view.go, ids[1]).len(), 400, "old and new in one message");
    println!("400 routes changed hands after {} ms", deleted.elapsed().as_millis());
    assert!(deleted.elapsed() < Duration::from_secs(5), "{:?}", deleted.elapsed());
    house.close().await;
}
