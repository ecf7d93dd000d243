//! The ways in: keys, restarts, rotation, names, tags.

mod key_table;

use std::collections::BTreeSet;

use api::key::{self, Preview};
use harness::{Client, Identity};
use tokio::task::JoinSet;

use crate::{
    admin::{reusable, single_use},
    device::{Device, status},
    house::House,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_lets_a_device_in_and_its_map_says_who_it_is() {
    let house = House::open().await;
    let laptop = house.member("laptop").await;
    let map = laptop.map().await;
    let me = map.node.unwrap();
    assert_eq!(me.key, laptop.me.node);
    assert_eq!(me.machine, Some(laptop.me.machine_key()));
    assert_eq!(me.name, "laptop.mesh.internal.");
    assert_eq!(me.tags, ["tag:member"]);
    assert!(me.machine_authorized && me.key_expiry.is_none());
    assert_eq!(me.allowed_ips, me.addresses.prefixes());
    assert_eq!(me.addresses.v4.octets()[0], 100);
    assert_eq!(map.peers, None);
    assert!(map.dns_config.unwrap().proxied);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_device_comes_back_without_a_key() {
    let house = House::open().await;
    let laptop = house.member("laptop").await;
    let before = laptop.myself().await;
    let answer = laptop.again(&house.at).await.register(None).await;
    assert!(answer.machine_authorized && !answer.node_key_expired && answer.error.is_empty());
    assert_ne!(answer.login.login_name, "");
    let house = house.restart().await;
    let laptop = laptop.again(&house.at).await;
    assert!(laptop.register(None).await.machine_authorized);
    assert_eq!(laptop.myself().await, before);
    assert_eq!(house.world().nodes.len(), 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_without_a_key_stays_out() {
    let house = House::open().await;
    let device = Device::connect(&house.at, Identity::random().unwrap(), "laptop").await;
    let answer = device.register(None).await;
    assert!(!answer.machine_authorized && !answer.auth_url.is_empty());
    assert!(house.world().nodes.is_empty());
    assert_eq!(status(device.client.map_once(&device.request()).await).0, 404);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_use_key_works_again_for_the_same_machine_and_nobody_else() {
    let house = House::open().await;
    let key = house.admin.key(&single_use()).await;
    let laptop = house.join(Identity::random().unwrap(), &key, "laptop").await;
    let before = laptop.myself().await;
    for _ in 0..3 {
        let answer = laptop.again(&house.at).await.register(Some(&key)).await;
        assert!(answer.machine_authorized, "{}", answer.error);
    }
    assert_eq!(laptop.myself().await, before);

    let stranger = Device::connect(&house.at, Identity::random().unwrap(), "other").await;
    assert!(stranger.register(Some(&key)).await.error.contains("already used"));
    assert_eq!(house.world().nodes.len(), 1);
    assert_eq!(house.world().auth_keys.values().map(|k| k.used).sum::<u64>(), 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_keeps_id_and_addresses_and_reaches_the_peers() {
    let house = House::open().await;
    let [laptop, peer] = [house.member("laptop").await, house.member("peer").await];
    let before = laptop.myself().await;
    let mut listener = peer.listen().await;
    let rotated = Device { me: laptop.me.rotated().unwrap(), ..laptop.clone() };
    let mut request = rotated.me.register_request(None, "laptop");
    request.old_node_key = Some(laptop.me.node);
    let unpaid = rotated.client.register(&request).await.unwrap();
    assert!(!unpaid.machine_authorized, "a new key needs authentication");

    let key = house.admin.key(&single_use()).await;
    let mut request = rotated.me.register_request(Some(&key), "laptop");
    request.old_node_key = Some(laptop.me.node);
    assert!(rotated.client.register(&request).await.unwrap().machine_authorized);
    let after = rotated.myself().await;
    assert_eq!((after.id, after.addresses, &after.name), (before.id, before.addresses, &before.name));
    assert_eq!(after.key, rotated.me.node);
    listener.until("the new key", |m| m.peer(before.id).is_some_and(|p| p.key == rotated.me.node)).await;
    listener.agrees_with(&peer).await;
    assert_eq!(status(laptop.client.map_once(&laptop.request()).await).0, 404);
    assert_eq!(house.world().nodes.len(), 2);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_machine_that_registers_64_times_at_once_is_one_node() {
    let house = House::open().await;
    let key = house.admin.key(&single_use()).await;
    let me = Identity::random().unwrap();
    let request = me.register_request(Some(&key), "laptop");
    let mut all = JoinSet::new();
    for _ in 0..8 {
        let client = Client::connect(&house.at, &me.machine).await.unwrap();
        for _ in 0..8 {
            let (client, request) = (client.clone(), request.clone());
            all.spawn(async move { client.register(&request).await.unwrap() });
        }
    }
    while let Some(answer) = all.join_next().await {
        let answer = answer.unwrap();
        assert!(answer.machine_authorized, "{}", answer.error);
    }
    let world = house.world();
    assert_eq!((world.nodes.len(), world.auth_keys.values().map(|k| k.used).sum::<u64>()), (1, 1));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_machine_with_64_node_keys_at_once_is_one_node() {
    let house = House::open().await;
    let key = house.admin.key(&reusable()).await;
    let me = Identity::random().unwrap();
    let mut all = JoinSet::new();
    for _ in 0..8 {
        let client = Client::connect(&house.at, &me.machine).await.unwrap();
        for _ in 0..8 {
            let request = me.rotated().unwrap().register_request(Some(&key), "laptop");
            let client = client.clone();
            all.spawn(async move { client.register(&request).await.unwrap().machine_authorized });
        }
    }
    assert!(all.join_all().await.into_iter().all(|joined| joined));
    let world = house.world();
    assert_eq!(world.nodes.len(), 1);
    assert_eq!(world.nodes.iter().next().unwrap().name, "laptop");
    world.check_invariants().unwrap();
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_machines_with_one_single_use_key_exactly_one_gets_in() {
    let house = House::open().await;
    let key = house.admin.key(&single_use()).await;
    let mut all = JoinSet::new();
    for n in 0..200 {
        let me = Identity::random().unwrap();
        let client = Client::connect(&house.at, &me.machine).await.unwrap();
        let request = me.register_request(Some(&key), &format!("racer{n}"));
        all.spawn(async move { client.register(&request).await.unwrap() });
    }
    let answers = all.join_all().await;
    assert_eq!(answers.iter().filter(|a| a.machine_authorized).count(), 1);
    assert_eq!(answers.iter().filter(|a| a.error.contains("already used")).count(), 199);
    assert_eq!(house.world().nodes.len(), 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_of_one_name_are_numbered_and_addresses_are_their_own() {
    let house = House::open().await;
    let key = house.admin.key(&reusable()).await;
    let mut nodes = Vec::new();
    for hostname in ["web", "Web.example.com", "WEB", "web-1"] {
        nodes.push(house.join(Identity::random().unwrap(), &key, hostname).await.myself().await);
    }
    let names: Vec<_> = nodes.iter().map(|n| n.name.trim_end_matches(".mesh.internal.")).collect();
    assert_eq!(names, ["web", "web-1", "web-2", "web-1-1"]);
    let v4: BTreeSet<_> = nodes.iter().map(|n| n.addresses.v4).collect();
    let v6: BTreeSet<_> = nodes.iter().map(|n| n.addresses.v6).collect();
    assert_eq!((v4.len(), v6.len()), (4, 4));
    assert!(v4.iter().all(|a| a.octets()[0] == 100 && (64..128).contains(&a.octets()[1])), "{v4:?}");
    assert!(v6.iter().all(|a| a.segments()[..3] == [0xfd7a, 0x115c, 0xa1e0]), "{v6:?}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_beyond_those_of_the_key_are_refused() {
    let house = House::open().await;
    let key = house.admin.key(&single_use()).await;
    let device = Device::connect(&house.at, Identity::random().unwrap(), "laptop").await;
    let with_tags = |tags: &[&str]| {
        let mut request = device.me.register_request(Some(&key), "laptop");
        let hostinfo = request.hostinfo.as_mut().unwrap();
        hostinfo.request_tags = tags.iter().map(ToString::to_string).collect();
        request
    };
    for tags in [&["tag:island"][..], &["tag:member", "tag:island"], &["tag:nowhere"], &["member"], &[""]] {
        let answer = device.client.register(&with_tags(tags)).await.unwrap();
        assert!(answer.error.contains("requested tags ["), "{tags:?}: {answer:?}");
    }
    assert!(house.world().nodes.is_empty());
    assert!(house.world().auth_keys.values().all(|k| k.used == 0), "a refusal spends nothing");

    let answer = device.client.register(&with_tags(&["tag:member"])).await.unwrap();
    assert!(answer.machine_authorized, "{}", answer.error);
    assert_eq!(device.myself().await.tags, ["tag:member"]);

    let mut lite = device.me.report("laptop", &[], 0);
    lite.hostinfo.as_mut().unwrap().request_tags = vec!["tag:island".into()];
    device.client.lite_update(&lite).await.unwrap();
    assert_eq!(device.myself().await.tags, ["tag:member"], "a report gives no tags");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_would_open_is_told_before_it_is_made() {
    let house = House::open().await;
    let ask = async |preview: Preview| house.admin.call(&key::PREVIEW, &[], &preview).await;
    let tags = |names: &[&str]| Some(names.iter().map(|name| name.parse().unwrap()).collect::<Vec<_>>());
    let of_role = ask(Preview { role: Some("member".into()), ..Preview::default() }).await.unwrap();
    assert!(of_role.opens_something && of_role.access.may_reach[0].peer == "tag:member");
    let created = house.admin.call(&key::CREATE, &[], &reusable()).await.unwrap().outcome;
    assert_eq!(created.access, of_role.access, "what is told of a key that is made");
    let made = Some(created.key.unwrap().id);
    assert_eq!(ask(Preview { key: made, ..Preview::default() }).await.unwrap(), of_role);
    let both = tags(&["tag:member", "tag:island", "tag:member"]);
    assert_eq!(ask(Preview { tags: both.clone(), ..Preview::default() }).await.unwrap().tags.len(), 2);
    let island = ask(Preview { tags: tags(&["tag:island"]), ..Preview::default() }).await.unwrap();
    assert!(!island.opens_something && island.access.may_reach.is_empty());
    for (preview, code) in [
        (Preview::default(), "bad_request"),
        (Preview { role: Some("member".into()), key: made, tags: None }, "bad_request"),
        (Preview { tags: tags(&[]), ..Preview::default() }, "bad_request"),
        (Preview { tags: tags(&["tag:unknown"]), ..Preview::default() }, "unknown_tag"),
        (Preview { role: Some("nobody".into()), ..Preview::default() }, "not_found"),
        (Preview { key: Some(99.try_into().unwrap()), ..Preview::default() }, "not_found"),
    ] {
        assert_eq!(ask(preview.clone()).await.unwrap_err().code, code, "{preview:?}");
    }
    assert_eq!(house.world().auth_keys.len(), 1, "to ask makes none");
    house.close().await;
}
