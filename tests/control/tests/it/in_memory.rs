//! Connections that come through memory: served as those that come over sockets.

use std::net::SocketAddr;

use harness::Identity;

use crate::{
    admin::reusable,
    device::{Device, online},
    house::{House, eventually},
};

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_through_memory_is_served_like_any_other() {
    let house = House::open().await;
    let door = house.through_memory(SocketAddr::from(([203, 0, 113, 9], 41641)));
    let key = house.admin.key(&reusable()).await;
    let inside = Device::connect(&door, Identity::random().unwrap(), "inside").await;
    assert_eq!(inside.register(Some(&key)).await.error, "");
    let beside = house.member("beside").await;
    let [me, other] = [inside.myself().await, beside.myself().await];
    let (mut ours, mut theirs) = (inside.listen().await, beside.listen().await);
    ours.until("the other online", |m| online(m, other.id)).await;
    theirs.until("the one inside online", |m| online(m, me.id)).await;
    ours.agrees_with(&inside).await;
    drop((ours, inside));
    eventually("its stream is over", || house.world().nodes.get(me.id).is_some_and(|n| !n.online())).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_through_memory_are_counted_as_strangers() {
    let house = House::open().await;
    let door = house.through_memory(SocketAddr::from(([203, 0, 113, 9], 41641)));
    let mut held = Vec::new();
    for _ in 0..64 {
        held.push(door.dial().await.unwrap());
    }
    assert!(door.dial().await.is_err(), "the household has its share");
    let neighbour = house.through_memory(SocketAddr::from(([198, 51, 100, 7], 41641)));
    assert!(neighbour.dial().await.is_ok());
    drop(held);
    house.close().await;
}
