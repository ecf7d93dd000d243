//! Who is online: streams that replace each other, streams that end, a server that restarts.

use std::time::{Duration, Instant};

use crate::{
    device::{Device, online},
    house::{House, Setup, eventually},
};

async fn pair(house: &House) -> (Device, Device) {
    (house.member("laptop").await, house.member("peer").await)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_stream_wins_and_the_end_of_the_old_one_changes_nothing() {
    let house = House::open().await;
    let (laptop, peer) = pair(&house).await;
    let id = laptop.myself().await.id;
    let mut theirs = peer.listen().await;
    let mut old = laptop.listen().await;
    theirs.until("the laptop online", |m| online(m, id)).await;

    let elsewhere = laptop.again(&house.at).await;
    let mut new = elsewhere.listen().await;
    old.ends().await;
    drop(old);
    let mut newest = laptop.listen_plain().await;
    new.ends().await;
    drop((new, elsewhere));
    theirs.holds_for(Duration::from_secs(3), |m| online(m, id)).await;
    newest.agrees_with(&laptop).await;

    drop(newest);
    theirs.until("the laptop offline", |m| m.peer(id).is_some_and(|p| p.online == Some(false))).await;
    theirs.agrees_with(&peer).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_is_noticed_after_the_grace_and_one_that_returns_is_not() {
    let house = House::open_with(Setup { leaving_grace: "3s", ..Setup::default() }).await;
    let (laptop, peer) = pair(&house).await;
    let id = laptop.myself().await.id;
    let mut theirs = peer.listen().await;
    let ours = laptop.listen().await;
    theirs.until("the laptop online", |m| online(m, id)).await;

    drop(ours);
    eventually("the server saw the end", || !connected(&house, id)).await;
    let ours = laptop.listen().await;
    theirs.is_silent_for(Duration::from_secs(5)).await;

    let left = Instant::now();
    drop(ours);
    theirs.until("the laptop offline", |m| !online(m, id)).await;
    assert!(left.elapsed() >= Duration::from_secs(3), "{:?}", left.elapsed());
    assert!(theirs.go.peer(id).unwrap().last_seen.is_some());
    theirs.agrees_with(&peer).await;

    let _back = laptop.listen().await;
    theirs.until("the laptop back", |m| online(m, id)).await;
    house.close().await;
}

fn connected(house: &House, id: ident::NodeId) -> bool {
    matches!(house.world().nodes.get(id).unwrap().live.presence, world::Presence::Connected { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_of_one_node_leave_it_online_and_none_of_them_open() {
    let house = House::open().await;
    let (laptop, peer) = pair(&house).await;
    let id = laptop.myself().await.id;
    let mut theirs = peer.listen().await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let device = laptop.again(&house.at).await;
        streams.push(device.listen().await);
    }
    let mut last = streams.pop().unwrap();
    for stream in &mut streams {
        stream.ends().await;
    }
    drop(streams);
    theirs.until("the laptop online", |m| online(m, id)).await;
    theirs.holds_for(Duration::from_secs(2), |m| online(m, id)).await;
    last.agrees_with(&laptop).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_announces_nothing() {
    let house = House::open().await;
    let (laptop, peer) = pair(&house).await;
    let id = laptop.myself().await.id;
    let (ours, mut theirs) = (laptop.listen().await, peer.listen().await);
    laptop.report(&["192.0.2.1:41641"], 900).await;
    theirs.until("the report", |m| online(m, id) && m.peer(id).is_some_and(|p| p.home_derp == 900)).await;
    let before = theirs.go.peer(id).unwrap().clone();

    let house = house.restart().await;
    drop((ours, theirs));
    let peer = peer.again(&house.at).await;
    let mut theirs = peer.listen().await;
    let mut expected = before;
    expected.last_seen = theirs.go.peer(id).unwrap().last_seen;
    assert_eq!(theirs.go.peer(id), Some(&expected));
    theirs.is_silent_for(Duration::from_secs(3)).await;
    let _back = laptop.again(&house.at).await.listen().await;
    theirs.holds_for(Duration::from_secs(1), |m| online(m, id)).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_ends_every_stream() {
    let house = House::open().await;
    let (laptop, peer) = pair(&house).await;
    let (mut packed, mut plain) = (laptop.listen().await, peer.listen_plain().await);
    house.close().await;
    packed.ends().await;
    plain.ends().await;
    eventually("the connections are closed", || laptop.client.is_closed() && peer.client.is_closed()).await;
}
