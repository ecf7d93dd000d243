//! What a stream says: everything once, then what changed, then nothing.

mod dns;
mod edits;
mod logins;
mod nextdns;
mod notices;
mod policies;
mod postures;
mod prefixes;
mod presence;
mod records;
mod routers;

use std::time::Duration;

use api::node;
use harness::{Identity, Model};
use ident::NodeId;
use wire::MapRequest;

use crate::{
    admin::reusable,
    device::{Device, Listener, online, status},
    house::{House, POLICY, set_policy},
};

fn home(model: &Model, id: NodeId) -> u32 {
    model.peer(id).map_or(0, |p| p.home_derp)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_map_and_its_deltas_are_what_a_fresh_map_says() {
    let house = House::open().await;
    let devices = [house.member("a").await, house.member("b").await, house.member("c").await];
    let ids = ids(&devices).await;
    let [packed, plain, other] = &devices;
    let mut listeners = [packed.listen().await, plain.listen_plain().await];

    other.report(&["192.0.2.1:41641", "[2001:db8::1]:41641"], 900).await;
    let _third = other.listen().await;
    for listener in &mut listeners {
        listener.until("the third online at home", |m| online(m, ids[2]) && home(m, ids[2]) == 900).await;
    }
    let newcomer = house.member("newcomer").await;
    let joined = newcomer.myself().await.id;
    let renamed = node::Rename { name: "renamed".into() };
    house.admin.call(&node::RENAME, &[&ids[2].to_string()], &renamed).await.unwrap();
    for listener in &mut listeners {
        listener.until("the newcomer", |m| m.peer(joined).is_some()).await;
        let named = |m: &Model| m.peer(ids[2]).is_some_and(|p| p.name == "renamed.mesh.internal.");
        listener.until("the new name", named).await;
    }
    newcomer.log_out().await;
    other.report(&[], 901).await;
    for listener in &mut listeners {
        listener.until("the newcomer gone", |m| m.peer(joined).is_none() && home(m, ids[2]) == 901).await;
    }
    let [one, two] = &mut listeners;
    one.agrees_with(packed).await;
    two.agrees_with(plain).await;
    house.close().await;
}

async fn ids(devices: &[Device]) -> Vec<NodeId> {
    let mut ids = Vec::new();
    for device in devices {
        ids.push(device.myself().await.id);
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lite_update_reaches_the_peers_and_leaves_the_own_stream_alone() {
    let house = House::open().await;
    let [laptop, peer] = [house.member("laptop").await, house.member("peer").await];
    let id = laptop.myself().await.id;
    let (mut ours, mut theirs) = (laptop.listen().await, peer.listen().await);
    for n in 1..=20_u32 {
        let endpoint = format!("192.0.2.{n}:41641");
        laptop.report(&[&endpoint], 900 + n).await;
        let has = |m: &Model| {
            m.peer(id).is_some_and(|p| p.endpoints == [endpoint.parse().unwrap()] && p.home_derp == 900 + n)
        };
        theirs.until(&endpoint, has).await;
    }
    let rotated_disco = Identity::random().unwrap().disco;
    let report = laptop.me.report("laptop", &["192.0.2.20:41641"], 920);
    laptop.client.lite_update(&MapRequest { disco_key: Some(rotated_disco), ..report }).await.unwrap();
    theirs.until("the disco key", |m| m.peer(id).and_then(|p| p.disco_key) == Some(rotated_disco)).await;
    theirs.agrees_with(&peer).await;
    ours.holds_for(Duration::from_millis(200), |m| m.node().is_some()).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_changes_nothing_is_said() {
    let house = House::open().await;
    let [laptop, peer] = [house.member("laptop").await, house.member("peer").await];
    let (mut ours, mut theirs) = (laptop.listen().await, peer.listen_plain().await);
    laptop.report(&["192.0.2.1:41641", "192.0.2.2:41641"], 900).await;
    ours.agrees_with(&laptop).await;
    theirs.agrees_with(&peer).await;
    let waits = [ours.is_silent_for(Duration::from_secs(1)), theirs.is_silent_for(Duration::from_secs(1))];
    futures_util::future::join_all(waits).await;

    laptop.report(&["192.0.2.2:41641", "192.0.2.1:41641"], 900).await;
    let island = house.island("island").await;
    island.report(&["198.51.100.1:41641"], 901).await;
    let _listening = island.listen().await;
    laptop.register(None).await;
    let waits = [ours.is_silent_for(Duration::from_secs(2)), theirs.is_silent_for(Duration::from_secs(2))];
    futures_util::future::join_all(waits).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_be_reached_is_not_seen_and_what_is_taken_away_is_gone() {
    let house = House::open().await;
    let [laptop, peer] = [house.member("laptop").await, house.member("peer").await];
    let id = peer.myself().await.id;
    let island = house.island("island").await;
    assert_eq!(island.map().await.peers, None);
    let mut lonely = island.listen().await;
    let mut listeners = [laptop.listen().await, laptop.again(&house.at).await.listen_plain().await];
    let [_, listener] = &mut listeners;
    assert_eq!(listener.go.peers().keys().collect::<Vec<_>>(), [&id]);
    assert!(!listener.go.view().rules.is_empty());

    let denied = POLICY.replace("tag:member:*", "tag:island:*");
    set_policy(&house.admin, &denied.replace(r#""src": ["tag:member"]"#, r#""src": ["tag:island"]"#)).await;
    listener.until("nobody is left", |m| m.peers().is_empty() && m.view().rules.is_empty()).await;
    assert_eq!(laptop.map().await.peers, None);
    listener.agrees_with(&laptop).await;

    set_policy(&house.admin, POLICY).await;
    listener.until("the peer is back", |m| m.peer(id).is_some() && !m.view().rules.is_empty()).await;
    listener.agrees_with(&laptop).await;
    lonely.holds_for(Duration::from_millis(200), |m| m.peers().is_empty()).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_map_alone_is_full_and_ends() {
    let house = House::open().await;
    let [laptop, peer] = [house.member("laptop").await, house.member("peer").await];
    for compress in ["zstd", ""] {
        let request = MapRequest { compress: compress.into(), ..laptop.request() };
        let map = laptop.client.map_once(&request).await.unwrap();
        assert_eq!(map.node.unwrap().key, laptop.me.node);
        assert_eq!(map.peers.unwrap().iter().map(|p| p.key).collect::<Vec<_>>(), [peer.me.node]);
        assert!(map.dns_config.is_some() && map.derp_map.is_some());
    }
    let mut listener = laptop.listen().await;
    laptop.map().await;
    listener.agrees_with(&laptop).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_not_there_gets_no_map() {
    let house = House::open().await;
    let laptop = house.member("laptop").await;
    let nobody = Device { me: laptop.me.rotated().unwrap(), ..laptop.clone() };
    let answers = [
        status(nobody.client.stream(&nobody.request()).await),
        status(nobody.client.map_once(&nobody.request()).await),
        status(nobody.client.lite_update(&nobody.me.report("x", &[], 0)).await),
        status(nobody.client.map_once(&MapRequest { node_key: None, ..nobody.request() }).await),
    ];
    assert!(answers.iter().all(|(status, _)| *status == 404), "{answers:?}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_changes_in_a_row_are_folded_into_the_same_state() {
    let house = House::open().await;
    let key = house.admin.key(&reusable()).await;
    let viewer = house.member("viewer").await;
    let mut fast = viewer.listen().await;
    let mut devices = Vec::new();
    for n in 0..10 {
        devices.push(house.join(Identity::random().unwrap(), &key, &format!("n{n}")).await);
    }
    let slow = devices[0].clone();
    let mut late = Listener::open(&slow.client, &slow.request()).await;
    for round in 0..10_u32 {
        for (n, device) in devices.iter().enumerate() {
            device.report(&[&format!("192.0.2.{}:{}", n + 1, 1000 + round)], 900 + round).await;
        }
        if round == 3 {
            devices[9].log_out().await;
        }
        if round == 3 || round == 5 {
            devices[9] = house.join(devices[9].me.rotated().unwrap(), &key, "n9").await;
        }
    }
    fast.agrees_with(&viewer).await;
    late.agrees_with(&slow).await;
    assert_eq!((fast.go.peers().len(), late.go.peers().len()), (10, 10));
    house.close().await;
}
