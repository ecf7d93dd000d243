//! A machine that names another machine's node: refused like an unknown one, and the victim notices nothing.

mod evil;
mod floods;
mod handshake;
mod late_bodies;
mod lines;
mod nonsense;
mod old_keys;
mod quotas;

use api::node;
use harness::Identity;
use ident::NodeKey;
use wire::{MapRequest, RegisterRequest, RegisterResponse};

use crate::{
    admin::{reusable, single_use},
    device::{Device, Listener, online, status},
    house::House,
};

/// A victim that listens, a witness that watches it, and a machine of another owner with a node of its own or none.
struct Scene {
    house: House,
    victim: Device,
    stream: Listener,
    witness: Listener,
    before: serde_json::Value,
}

impl Scene {
    async fn set() -> Self {
        let house = House::open().await;
        let victim = house.member("victim").await;
        let stream = victim.listen().await;
        let witness = house.member("witness").await.listen().await;
        let before = Self::record(&house, &victim);
        Self { house, victim, stream, witness, before }
    }

    fn record(house: &House, victim: &Device) -> serde_json::Value {
        let node = house.world().nodes.by_node_key(&victim.me.node).expect("the victim is there").clone();
        let live = format!("{:?}", node.live);
        serde_json::json!({"node": *node, "live": live})
    }

    async fn stranger(&self) -> Device {
        Device::connect(&self.house.at, Identity::random().unwrap(), "stranger").await
    }

    /// Nothing of the victim has changed, it is online, and its stream brings what happens next.
    async fn left_alone(mut self) {
        assert_eq!(Self::record(&self.house, &self.victim), self.before);
        let id = self.stream.go.node().unwrap().id;
        self.witness.until("the victim online", |m| online(m, id)).await;
        let rename = node::Rename { name: "seen".into() };
        self.house.admin.call(&node::RENAME, &["witness"], &rename).await.unwrap();
        let named = |m: &harness::Model| m.peers().values().any(|p| p.name.starts_with("seen."));
        self.stream.until("what happens next", named).await;
        self.stream.agrees_with(&self.victim).await;
        self.house.close().await;
    }
}

fn naming(device: &Device, node_key: NodeKey, key: Option<&str>) -> RegisterRequest {
    RegisterRequest { node_key: Some(node_key), ..device.me.register_request(key, "stranger") }
}

fn is_refused(answer: &RegisterResponse) {
    let (error, auth_url) = (answer.error.clone(), answer.auth_url.clone());
    let plain = RegisterResponse { error, auth_url, ..RegisterResponse::default() };
    assert_eq!(*answer, plain, "a refusal tells nothing but its text or a page");
    let page = answer.error.is_empty() && answer.auth_url.contains("/register/");
    assert!(page || answer.error.contains("not registered here"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_for_another_machines_node_is_answered_like_asking_for_none() {
    let scene = Scene::set().await;
    let (target, nobody) = (scene.victim.me.node, Identity::random().unwrap().node);
    let member = scene.house.member("insider").await;
    for device in [scene.stranger().await, member] {
        for expiry in [None, Some("1970-01-01T00:02:03Z"), Some("2090-01-01T00:00:00Z")] {
            let ask = async |node_key| {
                let expiry = expiry.map(|at| at.parse().unwrap());
                let request = RegisterRequest { expiry, ..naming(&device, node_key, None) };
                device.client.register(&request).await.unwrap()
            };
            let answer = ask(target).await;
            is_refused(&answer);
            assert_eq!(told(answer), told(ask(nobody).await), "expiry {expiry:?}");
        }
    }
    scene.left_alone().await;
}

/// An answer without the code of the page in it.
fn told(answer: RegisterResponse) -> RegisterResponse {
    let (page, code) = answer.auth_url.rsplit_once('/').unwrap_or_default();
    RegisterResponse { auth_url: format!("{page} {}", code.len()), ..answer }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_key_does_not_make_another_machines_node_ours() {
    let scene = Scene::set().await;
    let target = scene.victim.me.node;
    let key = scene.house.admin.key(&single_use()).await;
    let stranger = scene.stranger().await;
    is_refused(&stranger.client.register(&naming(&stranger, target, Some(&key))).await.unwrap());

    let insider = scene.house.member("insider").await;
    let mine = insider.myself().await;
    let mut rotation = naming(&insider, target, Some(&key));
    rotation.old_node_key = Some(insider.me.node);
    is_refused(&insider.client.register(&rotation).await.unwrap());
    assert_eq!(insider.myself().await, mine);

    let mut theft = insider.me.rotated().unwrap().register_request(Some(&key), "insider");
    theft.old_node_key = Some(target);
    let (id, address) = (mine.id, mine.addresses);
    assert!(insider.client.register(&theft).await.unwrap().machine_authorized, "its own node rotates");
    let rotated = scene.house.world().nodes.by_node_key(&theft.node_key.unwrap()).unwrap().clone();
    assert_eq!((rotated.id, rotated.v4), (id, address.v4));
    scene.left_alone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_machine_that_claims_a_strangers_old_key_is_a_new_node() {
    let scene = Scene::set().await;
    let key = scene.house.admin.key(&reusable()).await;
    let stranger = scene.stranger().await;
    let mut request = stranger.me.register_request(Some(&key), "stranger");
    request.old_node_key = Some(scene.victim.me.node);
    assert!(stranger.client.register(&request).await.unwrap().machine_authorized);
    let theirs = stranger.myself().await;
    let victim = scene.victim.myself().await;
    assert_ne!((theirs.id, theirs.addresses), (victim.id, victim.addresses));
    scene.left_alone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kind_of_poll_serves_another_machines_node() {
    let scene = Scene::set().await;
    let (target, nobody) = (scene.victim.me.node, Identity::random().unwrap().node);
    for device in [scene.stranger().await, scene.house.member("insider").await] {
        let ask = async |node_key: NodeKey| {
            let naming = |r: MapRequest| MapRequest { node_key: Some(node_key), ..r };
            let stream = naming(device.request());
            let lite = naming(device.me.report("stolen", &["203.0.113.66:666"], 666));
            let both = MapRequest { omit_peers: true, ..stream.clone() };
            let read_only = |r: &MapRequest| MapRequest { read_only: true, ..r.clone() };
            [
                status(device.client.stream(&stream).await),
                status(device.client.map_once(&stream).await),
                status(device.client.lite_update(&lite).await),
                status(device.client.stream(&both).await),
                status(device.client.stream(&read_only(&stream)).await),
                status(device.client.map_once(&read_only(&stream)).await),
                status(device.client.lite_update(&read_only(&lite)).await),
            ]
        };
        let answers = ask(target).await;
        assert!(answers.iter().all(|(status, _)| *status == 404), "{answers:?}");
        assert_eq!(answers, ask(nobody).await);
    }
    scene.left_alone().await;
}
