//! Devices that come without a key: the page they are told, whoever lets them in, and who they are then.

mod attacks;
pub mod checks;
mod denied;
pub mod pages;
mod restarts;

use api::{login, node, user};
use harness::Identity;
use ident::UserId;
use wire::RegisterResponse;

use crate::{
    device::{Device, Listener},
    house::{House, PATIENCE, set_policy},
};

/// A device that was told a page.
pub struct Guest {
    pub device: Device,
    pub url: String,
}

impl Guest {
    pub async fn come(house: &House, me: Identity, hostname: &str) -> Self {
        let device = Device::connect(&house.at, me, hostname).await;
        let url = told(&device.register(None).await);
        Self { device, url }
    }

    /// The end of the URL.
    pub fn code(&self) -> &str {
        self.url.rsplit('/').next().unwrap()
    }

    /// What its next request is answered, which waits until somebody has decided.
    pub fn wait(&self) -> tokio::task::JoinHandle<RegisterResponse> {
        let (device, url) = (self.device.clone(), self.url.clone());
        tokio::spawn(async move { follow_up(&device, &url).await })
    }

    /// Lets it in and waits until it knows.
    pub async fn let_in(&self, house: &House, input: &login::Approve) -> node::Node {
        let waiting = self.wait();
        let answer = house.admin.call(&login::APPROVE, &[self.code()], input).await.unwrap();
        assert!(answer.changed);
        let heard = tokio::time::timeout(PATIENCE, waiting).await.expect("it was not told").unwrap();
        assert!(heard.machine_authorized && heard.error.is_empty() && heard.auth_url.is_empty(), "{heard:?}");
        answer.outcome.node
    }
}

pub async fn follow_up(device: &Device, url: &str) -> RegisterResponse {
    let mut request = device.me.register_request(None, &device.hostname);
    request.followup = url.to_owned();
    device.client.register(&request).await.unwrap()
}

/// The page in an answer that lets nobody in.
pub fn told(answer: &RegisterResponse) -> String {
    assert!(!answer.machine_authorized && !answer.node_key_expired && answer.error.is_empty(), "{answer:?}");
    assert!(answer.auth_url.contains("/register/"), "{answer:?}");
    answer.auth_url.clone()
}

pub fn to_user(login: &str) -> login::Approve {
    login::Approve { user: Some(login.into()), role: None }
}

pub fn to_role(role: &str) -> login::Approve {
    login::Approve { user: None, role: Some(role.into()) }
}

pub async fn person(house: &House, login: &str) -> UserId {
    let create = user::Create { login: login.into(), display_name: None };
    house.admin.call(&user::CREATE, &[], &create).await.unwrap().outcome.user.id
}

/// Comes with the next key of the same machine, as after an expiry or a forced login.
pub async fn come_again(house: &House, guest: &Guest) -> Guest {
    let me = guest.device.me.rotated().unwrap();
    let device = Device::connect(&house.at, me, &guest.device.hostname).await;
    let mut request = device.me.register_request(None, &device.hostname);
    request.old_node_key = Some(guest.device.me.node);
    let url = told(&device.client.register(&request).await.unwrap());
    Guest { device, url }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_without_a_key_is_told_a_page_and_is_nobody() {
    let house = House::open().await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    assert_eq!(guest.url, format!("http://{}/register/{}", house.address, guest.code()));
    assert_eq!(told(&guest.device.register(None).await), guest.url, "the same device waits once");
    assert!(house.world().nodes.is_empty());
    assert_eq!(crate::device::status(guest.device.client.map_once(&guest.device.request()).await).0, 404);

    let waiting = house.admin.call(&login::LIST, &[], &()).await.unwrap().logins;
    let [login] = &waiting[..] else { panic!("{waiting:?}") };
    assert_eq!((login.code.as_str(), &login.url), (guest.code(), &guest.url));
    assert_eq!((login.hostname.as_str(), login.os.as_str()), ("laptop", "linux"));
    assert_eq!((login.machine_key, login.node_key), (guest.device.me.machine_key(), guest.device.me.node));
    assert_eq!((login.source.to_string(), &login.was), ("127.0.0.1".into(), &None));
    let minutes = login.expires.duration_since(login.asked).as_secs() / 60;
    assert_eq!(minutes, 15);
    let events = house.admin.call(&api::server::STATUS, &[], &()).await.unwrap().counts.events;
    Guest::come(&house, Identity::random().unwrap(), "other").await;
    let after = house.admin.call(&api::server::STATUS, &[], &()).await.unwrap().counts.events;
    assert_eq!(events, after, "strangers write nothing into the log");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_let_in_for_a_person_is_that_persons() {
    let house = House::open().await;
    let alice = person(&house, "alice").await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    let early = guest.wait();
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert!(!early.is_finished(), "it waits");
    early.abort();

    let tried = house.admin.raw("POST", &approve_path(&guest, true), r#"{"user":"alice"}"#.into()).await;
    let (_, tried) = tried.unwrap();
    assert!(tried.contains(r#""changed":true,"check":true"#), "{tried}");
    assert!(house.world().nodes.is_empty());
    let node = guest.let_in(&house, &to_user("alice")).await;
    assert_eq!((node.user.as_deref(), node.tags.len(), node.key_id), (Some("alice"), 0, None));
    let days = node.expires.unwrap().duration_since(node.created).as_hours() / 24;
    assert_eq!(days, 180, "a person's key does not live for ever");
    let me = guest.device.myself().await;
    assert_eq!((me.user, me.name.as_str(), me.tags.len()), (alice, "laptop.mesh.internal.", 0));
    assert_eq!(me.key_expiry, node.expires);
    assert!(house.admin.call(&login::LIST, &[], &()).await.unwrap().logins.is_empty());

    let again = house.admin.call(&login::APPROVE, &[guest.code()], &to_user("alice")).await.unwrap();
    assert!(!again.changed && again.outcome.node.id == node.id, "to say it twice is no mistake");
    let listener = Listener::open(&guest.device.client, &guest.device.request()).await;
    assert_eq!(listener.go.node().unwrap().id, node.id);
    house.world().check_invariants().unwrap();
    let house = house.restart().await;
    assert!(guest.device.again(&house.at).await.register(None).await.machine_authorized);
    house.close().await;
}

fn approve_path(guest: &Guest, check: bool) -> String {
    let path = login::APPROVE.declared().at(&["default", guest.code()]).unwrap();
    format!("{path}?check={check}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_let_in_for_a_role_has_its_tags() {
    let house = House::open().await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "server").await;
    let node = guest.let_in(&house, &to_role("member")).await;
    assert_eq!((node.tags.len(), node.tags[0].to_string(), node.user), (1, "tag:member".into(), None));
    assert_eq!(node.expires, None);
    let peer = house.member("peer").await.myself().await;
    assert!(guest.device.map().await.peers.unwrap().iter().any(|p| p.id == peer.id));

    for (input, code) in [
        (to_role("nobody"), "not_found"),
        (to_user("nobody"), "not_found"),
        (login::Approve::default(), "whose_device"),
        (login::Approve { user: Some("alice".into()), role: Some("member".into()) }, "bad_request"),
    ] {
        let other = Guest::come(&house, Identity::random().unwrap(), "other").await;
        let refused = house.admin.call(&login::APPROVE, &[other.code()], &input).await.unwrap_err();
        assert_eq!(refused.code, code, "{input:?}");
    }
    assert_eq!(house.world().nodes.len(), 2);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_device_of_a_person_comes_back_with_id_and_addresses() {
    let house = House::open().await;
    person(&house, "alice").await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    let before = guest.let_in(&house, &to_user("alice")).await;
    house.admin.call(&node::EXPIRE, &[&before.id.to_string()], &()).await.unwrap();
    assert!(guest.device.register(None).await.node_key_expired);

    let back = come_again(&house, &guest).await;
    let waiting = house.admin.call(&login::LIST, &[], &()).await.unwrap().logins;
    assert_eq!(waiting[0].was.as_deref(), Some("laptop"), "who looks is told which device it was");
    let after = back.let_in(&house, &login::Approve::default()).await;
    assert_eq!((after.id, after.ipv4, after.ipv6), (before.id, before.ipv4, before.ipv6));
    assert_eq!((after.user.as_deref(), after.expired, after.name), (Some("alice"), false, before.name));
    assert!(after.expires.unwrap() > before.created);
    assert_eq!(after.node_key, back.device.me.node);
    assert_eq!(house.world().nodes.len(), 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_person_on_the_same_machine_is_another_node() {
    let house = House::open().await;
    for login in ["alice", "bob"] {
        person(&house, login).await;
    }
    let first = Guest::come(&house, Identity::random().unwrap(), "desk").await;
    let alices = first.let_in(&house, &to_user("alice")).await;
    let second = come_again(&house, &first).await;
    let bobs = second.let_in(&house, &to_user("bob")).await;
    assert_ne!((alices.id, alices.ipv4), (bobs.id, bobs.ipv4));
    assert_eq!(bobs.name, "desk-1");
    let third = come_again(&house, &second).await;
    let back = third.let_in(&house, &to_user("alice")).await;
    assert_eq!((back.id, back.ipv4, back.name.as_str()), (alices.id, alices.ipv4, "desk"));
    let tagged = come_again(&house, &third).await.let_in(&house, &to_role("member")).await;
    assert!(tagged.id != alices.id && tagged.id != bobs.id);
    assert_eq!(house.world().nodes.len(), 3);
    house.world().check_invariants().unwrap();
    house.restart().await.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_may_give_a_device_the_tags_that_the_policy_lets_that_person_give() {
    let house = House::open().await;
    for login in ["alice", "bob"] {
        person(&house, login).await;
    }
    set_policy(&house.admin, r#"{"tagOwners": {"tag:member": ["alice@"], "tag:island": []}}"#).await;
    let device = Device::connect(&house.at, Identity::random().unwrap(), "server").await;
    let mut request = device.me.register_request(None, "server");
    request.hostinfo.as_mut().unwrap().request_tags = vec!["tag:member".into()];
    let url = told(&device.client.register(&request).await.unwrap());
    let guest = Guest { device, url };
    for input in [to_user("bob"), to_role("island")] {
        let refused = house.admin.call(&login::APPROVE, &[guest.code()], &input).await.unwrap_err();
        assert_eq!(refused.code, "tags_not_permitted");
    }
    let node = guest.let_in(&house, &to_user("alice")).await;
    assert_eq!((node.tags[0].to_string(), node.user.as_deref()), ("tag:member".into(), Some("alice")));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_device_that_brings_a_key_becomes_another_node_with_another_node_key() {
    let house = House::open().await;
    person(&house, "alice").await;
    let guest = Guest::come(&house, Identity::random().unwrap(), "laptop").await;
    let before = guest.let_in(&house, &to_user("alice")).await;
    let key = house.admin.key(&crate::admin::reusable()).await;
    assert!(guest.device.register(Some(&key)).await.node_key_expired, "a fresh node key is asked for");
    let fresh = house.join(guest.device.me.rotated().unwrap(), &key, "laptop").await;
    assert_ne!(fresh.myself().await.id, before.id);
    house.world().check_invariants().unwrap();
    house.close().await;
}
