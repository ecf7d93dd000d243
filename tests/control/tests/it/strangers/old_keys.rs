//! A node key is bound to its machine for good: neither rotation nor deletion nor a restart sets it free.

use api::node;
use harness::Identity;

use super::{is_refused, naming};
use crate::{
    admin::reusable,
    device::Device,
    house::{House, durable},
};

/// A machine whose first key is not in use any more.
async fn rotated(house: &House, key: &str) -> (Device, Device) {
    let old = house.join(Identity::random().unwrap(), key, "victim").await;
    let new = house.join(old.me.rotated().unwrap(), key, "victim").await;
    (old, new)
}

async fn claims(house: &House, key: &str, old: &Device) {
    let before = durable(&house.world());
    for auth in [Some(key), None] {
        let thief = Device::connect(&house.at, Identity::random().unwrap(), "thief").await;
        is_refused(&thief.client.register(&naming(&thief, old.me.node, auth)).await.unwrap());
    }
    let insider = house.join(Identity::random().unwrap(), key, "insider").await;
    let mut rotation = naming(&insider, old.me.node, Some(key));
    rotation.old_node_key = Some(insider.me.node);
    is_refused(&insider.client.register(&rotation).await.unwrap());
    let id = insider.myself().await.id.to_string();
    house.admin.call(&node::DELETE, &[&id], &()).await.unwrap();
    let after = durable(&house.world());
    assert_eq!(after["nodes"], before["nodes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_registers_the_old_key_of_another_machine() {
    let house = House::open().await;
    let key = house.admin.key(&reusable()).await;
    let (old, new) = rotated(&house, &key).await;
    claims(&house, &key, &old).await;
    let house = house.restart().await;
    claims(&house, &key, &old).await;
    assert_eq!(new.again(&house.at).await.myself().await.key, new.me.node);
    let back = old.again(&house.at).await;
    assert!(back.register(Some(&key)).await.machine_authorized, "its own machine may");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_deleted_node_stays_its_machines() {
    let house = House::open().await;
    let key = house.admin.key(&reusable()).await;
    let gone = house.join(Identity::random().unwrap(), &key, "gone").await;
    let id = gone.myself().await.id.to_string();
    house.admin.call(&node::DELETE, &[&id], &()).await.unwrap();
    claims(&house, &key, &gone).await;
    let house = house.restart().await;
    claims(&house, &key, &gone).await;
    let back = gone.again(&house.at).await;
    assert!(back.register(Some(&key)).await.machine_authorized, "its own machine may");
    house.close().await;
}
