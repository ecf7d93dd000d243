//! A relay away from its control server: who may use it is what the server says, and when the server says nothing, what it
//! said last.

use std::{collections::BTreeSet, fs, net::SocketAddr, sync::Arc, time::Duration};

use api::node;
use control::{
    config::AdminFile,
    relay::certificate,
    standalone::{
        Fault, Standalone,
        config::{File, Flags, resolve},
        map, map_file,
    },
};
use derp::{ClientKey, Frame};
use harness::Identity;
use rustls::{ClientConfig, pki_types::ServerName};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::sleep};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    device::Device,
    house::{House, free_address, soon, without_relay},
    journal,
    origin::{Answer, Origin},
    relayed::{Relayed, Way, key_pair, knock},
};
use control_tests::admin::Admin;

/// How often the control server is asked about those who stay.
const EVERY: Duration = Duration::from_secs(1);

/// A relay in this process, and how clients get to it.
struct Post {
    relay: Standalone,
    address: SocketAddr,
    monitor: SocketAddr,
    tls: Arc<ClientConfig>,
    config: control::standalone::config::Config,
    _folder: TempDir,
}

/// Everything but who may use it.
fn file() -> File {
    File {
        hostname: Some("127.0.0.1".into()),
        listen: Some(free_address().to_string()),
        stun: Some(free_address().to_string()),
        verify_every: Some(format!("{}s", EVERY.as_secs())),
        admin: Some(AdminFile { listen: Some(free_address().to_string()), ..AdminFile::default() }),
        ..File::default()
    }
}

impl Post {
    /// One that asks at this URL.
    async fn open(verify: String) -> Self {
        Self::open_with(File { verify: Some(verify), ..file() }).await
    }

    async fn open_with(file: File) -> Self {
        journal::open();
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let file = File { data_dir: Some(folder.path().join("relay")), ..file };
        let config = resolve(&file, &Flags::default()).unwrap();
        let relay = Standalone::start(config.clone()).await.unwrap();
        let own = certificate::load(&config.data_dir, &["127.0.0.1".to_owned()]).unwrap().unwrap();
        let tls = harness::trusting(&[own.cert_der]).unwrap();
        let (address, monitor) = (config.listen, config.monitor.unwrap().listen);
        Self { relay, address, monitor, tls, config, _folder: folder }
    }

    /// Says hello with this key; `None` when it is not let in.
    async fn enter(&self, pair: &ClientKey) -> Option<Relayed<TlsStream<TcpStream>>> {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let io = TlsConnector::from(self.tls.clone()).connect(name, tcp).await.unwrap();
        knock(io, Way::FastStart, pair).await
    }

    async fn looked_at(&self, path: &str) -> (u16, String) {
        let (status, text) = Admin::remote(self.monitor, None).raw("GET", path, String::new()).await.unwrap();
        (status.as_u16(), text)
    }

    async fn figure(&self, line: &str) -> u64 {
        let (_, text) = self.looked_at("/metrics").await;
        let found = text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or_else(|| panic!("no {line} in {text}"))
    }
}

fn verify_of(house: &House) -> String {
    format!("http://{}", house.address)
}

/// A device whose node key we can prove.
async fn member(house: &House, key: &str, seed: u8) -> (Device, ClientKey) {
    let pair = key_pair(seed);
    let me = Identity { node: pair.public(), ..Identity::random().unwrap() };
    let device = Device::connect(&house.at().await, me, &format!("device{seed}")).await;
    assert!(device.register(Some(key)).await.machine_authorized);
    (device, pair)
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_of_the_mesh_meet_and_strangers_are_refused() {
    let house = House::open(without_relay()).await;
    let key = house.key().await;
    let [(_, a), (_, b)] = [member(&house, &key, 1).await, member(&house, &key, 2).await];
    let post = Post::open(verify_of(&house)).await;
    let (mut from, mut to) = (post.enter(&a).await.unwrap(), post.enter(&b).await.unwrap());
    from.send(b.public(), b"through").await;
    let packet = Frame::RecvPacket { from: a.public(), packet: b"through".as_slice().into() };
    assert_eq!(to.next().await, Some(packet));
    assert!(post.enter(&key_pair(3)).await.is_none(), "a stranger is served");
    assert_eq!(post.relay.relay().connections(), 2);
    assert_eq!(post.figure("meshctl_verify_questions_total{result=\"refused\"} ").await, 1);
    assert_eq!(post.figure("meshctl_relay_packets_total{} ").await, 1);
    assert_eq!(post.looked_at("/health").await.0, 200);
    post.relay.stop().await;
    from.ends().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_map_is_a_file_that_the_control_server_takes() {
    let post = Post::open("http://127.0.0.1:9".into()).await;
    assert_eq!(
        map(&post.config).unwrap().as_ref(),
        Some(post.relay.map()),
        "seen from outside it is the same"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.yaml");
    fs::write(&path, map_file(post.relay.map())).unwrap();
    let house = House::open(control::config::File {
        derp_maps: vec![path.to_str().unwrap().to_owned()],
        ..without_relay()
    })
    .await;
    let told = house.regions()[&901].nodes[0].clone();
    assert_eq!((told.host_name.as_str(), told.derp_port), ("127.0.0.1", post.address.port()));
    assert!(told.cert_name.starts_with("sha256-raw:"), "{told:?}");
    post.relay.stop().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_deleted_is_cut_at_the_next_question_and_stays_out() {
    let house = House::open(without_relay()).await;
    let key = house.key().await;
    let [(gone, a), (_, b)] = [member(&house, &key, 1).await, member(&house, &key, 2).await];
    let post = Post::open(verify_of(&house)).await;
    let (mut leaver, mut witness) = (post.enter(&a).await.unwrap(), post.enter(&b).await.unwrap());
    assert!(leaver.lives().await);
    let id = gone.myself().await.id.to_string();
    house.admin.call(&node::DELETE, &[&id], &()).await.unwrap();
    leaver.ends().await;
    assert!(post.enter(&a).await.is_none(), "it comes back");
    assert!(witness.lives().await, "another one was cut");
    post.relay.stop().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_away_those_stay_and_come_back_whom_it_let_in() {
    let house = House::open(without_relay()).await;
    let key = house.key().await;
    let [(_, a), (_, b)] = [member(&house, &key, 1).await, member(&house, &key, 2).await];
    let post = Post::open(verify_of(&house)).await;
    let mut stays = post.enter(&a).await.unwrap();
    let (folder, file) = house.close().await;
    soon("the relay to notice", async {
        while post.looked_at("/health").await.0 != 503 {
            sleep(EVERY / 20).await;
        }
    })
    .await;
    sleep(EVERY * 2).await;
    assert!(stays.lives().await, "it was cut without a word of the server");
    assert!(post.enter(&a).await.is_some(), "it may not come back");
    assert!(post.enter(&b).await.is_none(), "somebody is let in of whom nothing is known");

    let house = House::open_in(folder, file).await;
    soon("the server to be noticed", async {
        while post.looked_at("/health").await.0 != 200 {
            sleep(EVERY / 20).await;
        }
    })
    .await;
    assert!(post.enter(&b).await.is_some());
    assert!(stays.lives().await);
    post.relay.stop().await;
    house.close().await;
}

/// Every word of this text that is a metric's name.
fn metrics_of(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("meshctl_")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn its_alert_rules_name_what_it_serves_and_one_sees_that_the_server_is_away() {
    let post = Post::open("http://127.0.0.1:9".into()).await;
    assert!(post.enter(&key_pair(1)).await.is_none());
    let (_, served) = post.looked_at("/metrics").await;
    let alerts: serde_json::Value =
        serde_yaml::from_str(include_str!("../../../../docs/monitoring/alerts.yaml")).unwrap();
    let group = alerts["groups"].as_array().unwrap().iter().find(|group| group["name"] == "meshctl-relay");
    let expressions =
        group.unwrap()["rules"].as_array().unwrap().iter().map(|rule| rule["expr"].as_str().unwrap());
    let expressions: Vec<_> = expressions.collect();
    let named: BTreeSet<_> = expressions.iter().flat_map(|expression| metrics_of(expression)).collect();
    assert!(named.len() >= 2, "{expressions:?}");
    assert!(named.is_subset(&metrics_of(&served)), "{named:?} in {served}");
    assert!(
        expressions.contains(&"meshctl_verify_answers == 0")
            && served.contains("meshctl_verify_answers{} 0.0")
    );
    assert!(served.contains("meshctl_verify_questions_total{result=\"not_asked\"}"), "{served}");
    post.relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_lets_nobody_in() {
    let answers = [
        Answer::Status(500),
        Answer::Status(429),
        Answer::Redirect,
        Answer::Endless,
        Answer::Huge,
        Answer::Torn,
        Answer::Silence,
        Answer::Trickle,
        Answer::Text("{\"Allowed\": true}".into()),
        Answer::Text("{\"Allow\": \"true\"}".into()),
        Answer::Text("<html>".into()),
    ];
    let all = answers.into_iter().map(|answer| async move {
        let origin = Origin::open(answer.clone()).await;
        let post = Post::open(origin.url().replace("/derp.json", "")).await;
        assert!(post.enter(&key_pair(1)).await.is_none(), "{answer:?}");
        origin.says(Answer::Text("{\"Allow\":true}".into()));
        assert!(post.enter(&key_pair(1)).await.is_some(), "after {answer:?}");
        post.relay.stop().await;
    });
    futures_util::future::join_all(all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_let_in_only_where_that_was_asked_for() {
    let post = Post::open_with(File { allow_anyone: Some(true), ..file() }).await;
    assert!(post.enter(&key_pair(1)).await.unwrap().lives().await);
    assert!(!journal::lines_with("EVERYBODY MAY USE THIS RELAY").is_empty());
    assert_eq!(post.looked_at("/health").await.0, 200);
    post.relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_relay_which_keeps_its_key() {
    use std::os::unix::fs::PermissionsExt;
    let post = Post::open("http://127.0.0.1:9".into()).await;
    let again = Standalone::start(post.config.clone()).await;
    assert!(matches!(again, Err(Fault::Locked { .. })), "{:?}", again.err());
    let (key, map) = (post.relay.relay().public_key(), post.relay.map().clone());
    let mode = fs::metadata(post.config.data_dir.join("relay.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let Post { relay, config, _folder, .. } = post;
    relay.stop().await;
    let again = Standalone::start(config).await.unwrap();
    assert_eq!((again.relay().public_key(), again.map()), (key, &map));
    again.stop().await;
}
