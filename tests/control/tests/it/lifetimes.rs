//! How long nodes and their keys last, and whose they are: expiry by role, by person and by node; tags and people.

use api::{login, node, role};
use harness::Identity;

use crate::{
    admin::reusable,
    device::{Device, online},
    house::House,
    waiting::{Guest, person, to_user},
};

async fn let_in(house: &House, login: &str, hostname: &str) -> (Guest, node::Node) {
    let guest = Guest::come(house, Identity::random().unwrap(), hostname).await;
    let node = guest.let_in(house, &to_user(login)).await;
    (guest, node)
}

async fn show(house: &House, id: &str) -> node::Node {
    house.admin.call(&node::SHOW, &[id], &()).await.unwrap().node
}

fn hours(node: &node::Node) -> Option<i64> {
    let left = node.expires?.duration_since(jiff::Timestamp::now());
    Some((left.as_secs() + 1800) / 3600)
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_of_a_role_last_as_long_as_the_role_says() {
    let house = House::open().await;
    let set = |seconds| role::Set { node_expiry_seconds: Some(seconds), ..role::Set::default() };
    house.admin.call(&role::SET, &["member"], &set(7200)).await.unwrap();
    let key = house.admin.key(&reusable()).await;
    let joined = house.join(Identity::random().unwrap(), &key, "by-key").await;
    let id = joined.myself().await.id.to_string();
    assert_eq!(hours(&show(&house, &id).await), Some(2));
    let back = house.join(joined.me.rotated().unwrap(), &key, "by-key").await;
    assert_eq!((back.myself().await.id.to_string(), hours(&show(&house, &id).await)), (id.clone(), Some(2)));

    let guest = Guest::come(&house, Identity::random().unwrap(), "by-page").await;
    let role = login::Approve { role: Some("member".into()), user: None };
    assert_eq!(hours(&guest.let_in(&house, &role).await), Some(2));
    house.admin.call(&role::SET, &["member"], &set(0)).await.unwrap();
    let key = house.admin.key(&reusable()).await;
    let lasting = house.join(Identity::random().unwrap(), &key, "lasting").await.myself().await;
    assert_eq!(lasting.key_expiry, None);
    for bad in [1, 59, 400 * 86_400] {
        let refused = house.admin.call(&role::SET, &["member"], &set(bad)).await.unwrap_err();
        assert_eq!(refused.code, "out_of_range");
    }
    house.restart().await.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_lasts_as_long_as_an_operator_says_and_so_do_its_next_keys() {
    let house = House::open().await;
    person(&house, "alice").await;
    let (guest, before) = let_in(&house, "alice", "kiosk").await;
    let id = before.id.to_string();
    let set = async |seconds| house.admin.call(&node::SET_EXPIRY, &[&id], &node::Expiry { seconds }).await;
    let changed = set(Some(3600)).await.unwrap();
    assert_eq!((changed.changed, hours(&changed.outcome.node)), (true, Some(1)));
    assert_eq!(set(Some(400 * 86_400)).await.unwrap_err().code, "out_of_range");
    assert_eq!(set(Some(0)).await.unwrap_err().code, "out_of_range");

    let mut listener = guest.device.listen().await;
    house.admin.call(&node::EXPIRE, &[&id], &()).await.unwrap();
    assert!(guest.device.register(None).await.node_key_expired);
    assert!(set(None).await.unwrap().changed && !set(None).await.unwrap().changed);
    listener.until("no expiry", |m| m.node().is_some_and(|n| n.key_expiry.is_none())).await;
    assert!(guest.device.register(None).await.machine_authorized, "it is accepted again");

    let house = house.restart().await;
    let me = guest.device.me.rotated().unwrap();
    let again = Guest::come(&house, me, "kiosk").await.let_in(&house, &to_user("alice")).await;
    assert_eq!((again.id, again.expires), (before.id, None), "never is for the node, not for one key");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_changes_hands_and_keeps_id_name_and_addresses() {
    let house = House::open().await;
    for login in ["alice", "bob"] {
        person(&house, login).await;
    }
    let peer = house.member("peer").await;
    let (guest, before) = let_in(&house, "alice", "laptop").await;
    let id = before.id.to_string();
    let (mut ours, mut theirs) = (guest.device.listen().await, peer.listen().await);
    assert!(theirs.go.peer(before.id).is_none());

    let tags = node::Tags { tags: vec!["tag:member".parse().unwrap()] };
    let tagged = house.admin.call(&node::TAG, &[&id], &tags).await.unwrap().outcome.node;
    assert_eq!((tagged.tags.len(), &tagged.user, tagged.expires), (1, &None, None));
    theirs.until("the laptop as a member", |m| online(m, before.id)).await;
    ours.until("its tags", |m| m.node().is_some_and(|n| n.tags == ["tag:member"] && n.key_expiry.is_none()))
        .await;

    let to = |login: &str| node::Move { user: login.into() };
    let moved = house.admin.call(&node::MOVE, &[&id], &to("bob")).await.unwrap();
    let moved_node = moved.outcome.node;
    assert_eq!((moved.changed, moved_node.user.as_deref(), moved_node.tags.len()), (true, Some("bob"), 0));
    assert_eq!(hours(&moved_node), Some(180 * 24));
    assert_eq!((moved_node.id, moved_node.ipv4, &moved_node.name), (before.id, before.ipv4, &before.name));
    theirs.until("the laptop gone", |m| m.peer(before.id).is_none()).await;
    ours.agrees_with(&guest.device).await;
    theirs.agrees_with(&peer).await;
    assert!(!house.admin.call(&node::MOVE, &[&id], &to("bob")).await.unwrap().changed);
    assert_eq!(house.admin.call(&node::MOVE, &[&id], &to("nobody")).await.unwrap_err().code, "not_found");

    let me = guest.device.me.rotated().unwrap();
    let alices = Guest::come(&house, me, "laptop").await.let_in(&house, &to_user("alice")).await;
    assert_ne!(alices.id, before.id);
    let taken = house.admin.call(&node::MOVE, &[&id], &to("alice")).await.unwrap_err();
    assert_eq!(taken.code, "exists", "alice has a node on that machine");
    house.admin.call(&node::EXPIRE, &[&id], &()).await.unwrap();
    let tagged = house.admin.call(&node::TAG, &[&id], &tags).await.unwrap().outcome.node;
    assert!(tagged.expired, "no tag brings a key back that has run out");
    house.world().check_invariants().unwrap();
    house.restart().await.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_device_that_is_deleted_while_it_listens_is_cut_and_waits_again() {
    let house = House::open().await;
    person(&house, "alice").await;
    let (guest, node) = let_in(&house, "alice", "laptop").await;
    let mut listener = guest.device.listen().await;
    house.admin.call(&node::DELETE, &[&node.id.to_string()], &()).await.unwrap();
    listener.ends().await;
    let answer = guest.device.register(None).await;
    assert!(!answer.machine_authorized && answer.auth_url != guest.url, "{answer:?}");
    let device: &Device = &guest.device;
    let told = device.client.map_once(&device.request()).await.unwrap();
    assert!(told.node.unwrap().key_expiry.unwrap() < jiff::Timestamp::now(), "it must log in");
    house.close().await;
}
