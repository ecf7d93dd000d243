//! The ways out: logout, ephemeral nodes, expiry, deletion.

use api::{key, node};
use harness::Identity;

use crate::{
    admin::{reusable, single_use},
    device::{Device, Listener, online, status},
    house::{House, Setup, eventually},
};

async fn ephemeral(house: &House, hostname: &str) -> Device {
    let key = house.admin.key(&key::Create { ephemeral: Some(true), ..reusable() }).await;
    house.join(Identity::random().unwrap(), &key, hostname).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_logs_out_leaves_every_map_and_comes_back_as_the_same() {
    let house = House::open().await;
    let [laptop, peer] = [house.member("laptop").await, house.member("peer").await];
    let before = laptop.myself().await;
    let (mut ours, mut theirs) = (laptop.listen().await, peer.listen().await);
    theirs.until("the laptop online", |m| online(m, before.id)).await;

    laptop.log_out().await;
    theirs.until("the laptop gone", |m| m.peer(before.id).is_none()).await;
    ours.ends().await;
    assert_eq!(status(laptop.client.map_once(&laptop.request()).await).0, 404);
    assert!(laptop.register(None).await.node_key_expired, "a new node key is asked for");
    laptop.log_out().await;

    let key = house.admin.key(&single_use()).await;
    let back = house.join(laptop.me.rotated().unwrap(), &key, "laptop").await;
    let after = back.myself().await;
    assert_eq!((after.id, after.addresses, &after.name), (before.id, before.addresses, &before.name));
    theirs.until("the laptop back", |m| m.peer(before.id).is_some_and(|p| p.key == back.me.node)).await;
    theirs.agrees_with(&peer).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_node_is_forgotten_when_it_logs_out() {
    let house = House::open().await;
    let [runner, peer] = [ephemeral(&house, "runner").await, house.member("peer").await];
    let id = runner.myself().await.id;
    let (mut ours, mut theirs) = (runner.listen().await, peer.listen().await);
    theirs.until("the runner", |m| m.peer(id).is_some()).await;
    runner.log_out().await;
    theirs.until("the runner gone", |m| m.peer(id).is_none()).await;
    ours.ends().await;
    assert!(house.world().nodes.get(id).is_none());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_node_is_forgotten_some_time_after_its_stream_and_not_while_it_lasts() {
    let house = House::open_with(Setup { ephemeral_grace: "2s", ..Setup::default() }).await;
    let peer = house.member("peer").await;
    // It has two seconds until it must listen.
    let ours = ephemeral(&house, "runner").await.listen().await;
    let id = ours.go.node().unwrap().id;
    let never_came = ephemeral(&house, "never-came").await.me.node;
    let mut theirs = peer.listen().await;
    eventually("who never listened is forgotten", || house.world().nodes.by_node_key(&never_came).is_none())
        .await;
    theirs.holds_for(std::time::Duration::from_secs(4), |m| online(m, id)).await;

    drop(ours);
    theirs.until("the runner offline", |m| m.peer(id).is_none_or(|p| p.online == Some(false))).await;
    theirs.until("the runner forgotten", |m| m.peer(id).is_none()).await;
    assert!(house.world().nodes.get(id).is_none());
    theirs.agrees_with(&peer).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_node_learns_it_and_its_peers_too() {
    let house = House::open().await;
    let [laptop, peer] = [house.member("laptop").await, house.member("peer").await];
    let id = laptop.myself().await.id;
    let (mut ours, mut theirs) = (laptop.listen().await, peer.listen().await);
    theirs.until("the laptop", |m| m.peer(id).is_some()).await;
    house.admin.call(&node::EXPIRE, &[&id.to_string()], &()).await.unwrap();

    let now = "2100-01-01T00:00:00Z".parse().unwrap();
    ours.until("its own expiry", |m| m.node().is_some_and(|n| n.key_expiry.is_some_and(|at| at < now))).await;
    theirs.until("the expiry", |m| m.peer(id).is_none_or(|p| p.expired)).await;
    theirs.agrees_with(&peer).await;
    assert!(laptop.register(None).await.node_key_expired);
    assert!(laptop.myself().await.key_expiry.is_some(), "its map is served and says so");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_node_is_expired_from_the_first_moment_of_the_next_start() {
    let house = House::open().await;
    let laptop = house.member("laptop").await;
    let id = laptop.myself().await.id;
    house.admin.call(&node::EXPIRE, &[&id.to_string()], &()).await.unwrap();
    let house = house.restart().await;
    assert!(!house.world().nodes.get(id).unwrap().accepted());
    assert!(laptop.again(&house.at).await.register(None).await.node_key_expired);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_node_loses_its_stream_and_every_peer_loses_it() {
    let house = House::open().await;
    let [laptop, peer] = [house.member("laptop").await, house.member("peer").await];
    let before = laptop.myself().await;
    let (mut ours, mut theirs) = (laptop.listen().await, peer.listen().await);
    theirs.until("the laptop", |m| m.peer(before.id).is_some()).await;
    house.admin.call(&node::DELETE, &[&before.id.to_string()], &()).await.unwrap();
    theirs.until("the laptop gone", |m| m.peer(before.id).is_none()).await;
    ours.until("that it must log in", |m| m.node().is_some_and(must_log_in)).await;
    ours.ends().await;
    assert!(!laptop.register(None).await.machine_authorized);

    let key = house.admin.key(&single_use()).await;
    let back = house.join(laptop.me.clone(), &key, "laptop").await.myself().await;
    assert_ne!(back.id, before.id, "ids are not used again");
    house.close().await;
}

fn must_log_in(node: &wire::Node) -> bool {
    node.key_expiry.is_some_and(|at| at < jiff::Timestamp::now())
}

/// An official client takes a refusal for a server that is not well, and asks for ever.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_deleted_while_away_learns_that_it_must_log_in_and_nothing_else() {
    let house = House::open().await;
    let [laptop, _peer] = [house.member("laptop").await, house.member("peer").await];
    let id = laptop.myself().await.id.to_string();
    house.admin.call(&node::DELETE, &[&id], &()).await.unwrap();
    let house = house.restart().await;
    let laptop = laptop.again(&house.at).await;

    let mut listener = laptop.listen().await;
    listener.holds_for(std::time::Duration::from_secs(1), |m| m.node().is_some_and(must_log_in)).await;
    assert!(listener.go.peers().is_empty() && listener.go.view().rules.is_empty());
    let once = laptop.map().await;
    assert!(must_log_in(&once.node.unwrap()) && once.user_profiles.is_empty() && once.dns_config.is_none());
    laptop.report(&["192.0.2.1:1"], 900).await;
    assert_eq!(house.world().nodes.len(), 1, "what it says makes no node");
    let mut thief = Device::connect(&house.at, Identity::random().unwrap(), "thief").await;
    thief.me.node = laptop.me.node;
    assert_eq!(
        status(thief.client.stream(&thief.request()).await.map(drop)).0,
        404,
        "nobody else learns of it"
    );
    let _second = laptop.listen().await;
    let third = laptop.client.stream(&laptop.request()).await.map(drop);
    assert_eq!(status(third).0, 404, "two streams are enough for one machine");

    let key = house.admin.key(&single_use()).await;
    let back = house.join(laptop.me.clone(), &key, "laptop").await.myself().await;
    assert!(back.id.to_string() != id && back.key_expiry.is_none());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_may_shorten_its_life_and_not_lengthen_it() {
    let house = House::open().await;
    let key = house.admin.key(&reusable()).await;
    let me = Identity::random().unwrap();
    let device = Device::connect(&house.at, me, "short-lived").await;
    let mut request = device.me.register_request(Some(&key), "short-lived");
    request.expiry = Some(soon(3));
    assert!(device.client.register(&request).await.unwrap().machine_authorized);
    let mut listener = Listener::open(&device.client, &device.request()).await;
    let first = listener.go.node().unwrap().key_expiry;
    assert!(first.is_some());

    request.expiry = Some(soon(3600));
    device.client.register(&request).await.unwrap();
    assert!(device.myself().await.key_expiry <= first);
    eventually("the expiry", || !house.world().nodes.by_node_key(&device.me.node).unwrap().accepted()).await;
    assert!(device.register(None).await.node_key_expired);
    listener.agrees_with(&device).await;
    house.close().await;
}

fn soon(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + seconds).unwrap()
}
