//! Being told to stop: everything ends, nothing acknowledged is lost, and the next start finds its place free.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use api::{DEFAULT_TAILNET, event};
use control::{
    config::{File, RelayFile},
    relay::certificate,
};
use harness::{Identity, Server};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket, UnixStream},
};

use crate::{
    device::{Device, online},
    house::{House, free_address, join, soon, without_relay},
    relayed::{Way, enter, key_pair},
};

/// A stop waits for nobody: not for a request (10 s), nor for a silent channel (30 s).
const AT_ONCE: Duration = Duration::from_secs(8);

fn with_relay() -> File {
    let [listen, stun] = [free_address(), free_address()].map(|address| Some(address.to_string()));
    File { relay: Some(RelayFile { listen, stun, ..RelayFile::default() }), ..File::default() }
}

/// The relay of a house that shows its own certificate.
async fn relay_of(house: &House) -> tokio_rustls::client::TlsStream<TcpStream> {
    let own = certificate::load_or_create(house.folder(), &["127.0.0.1".to_owned()]).unwrap();
    let connector = tokio_rustls::TlsConnector::from(harness::trusting(&[own.cert_der]).unwrap());
    let port = house.regions()[&900].nodes[0].derp_port;
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    connector.connect("127.0.0.1".try_into().unwrap(), tcp).await.unwrap()
}

async fn stops_at_once(house: House) -> (tempfile::TempDir, File) {
    let start = Instant::now();
    let left = soon("the stop", house.close()).await;
    assert!(start.elapsed() < AT_ONCE, "the stop took {:?}", start.elapsed());
    left
}

/// Reads to the end, whatever comes before it.
async fn is_cut(what: &str, mut io: impl tokio::io::AsyncRead + Unpin) {
    let mut scratch = [0; 4096];
    let end = async { while io.read(&mut scratch).await.is_ok_and(|n| n > 0) {} };
    soon(what, end).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_whatever_is_open_and_frees_every_place_at_once() {
    let mut house = House::open(with_relay()).await;
    let (key, at) = (house.key().await, house.at().await);
    let pairs = [key_pair(1), key_pair(2)];
    for round in 0..3 {
        let at = if round == 0 { at.clone() } else { house.at().await };
        let device = join(&at, &key, "laptop").await;
        let (mut packed, mut plain) =
            (device.listen().await, join(&at, &key, "peer").await.listen_plain().await);
        let mut relayed = Vec::new();
        for (pair, way) in pairs.iter().zip([Way::Upgrade, Way::FastStart]) {
            let me = Identity {
                node: pair.public(),
                ..Identity::seeded(pair.public().as_bytes()[0].into()).unwrap()
            };
            let device = Device::connect(&at, me, "relayed").await;
            assert!(device.register(Some(&key)).await.machine_authorized);
            relayed.push(enter(relay_of(&house).await, way, pair).await);
        }
        let mut follower = UnixStream::connect(&house.server.ready().socket).await.unwrap();
        let path = event::FOLLOW.path().replace("{tailnet}", DEFAULT_TAILNET);
        follower.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        assert!(follower.read(&mut [0; 1024]).await.unwrap() > 0);
        let mut half = TcpStream::connect(house.address).await.unwrap();
        half.write_all(b"POST /ts2021 HTTP/1.1\r\nHost:").await.unwrap();
        let idle = TcpStream::connect(house.address).await.unwrap();

        let socket = house.server.ready().socket.clone();
        assert!(socket.exists());
        let (folder, file) = stops_at_once(house).await;
        assert!(!socket.exists(), "the socket is still there");
        packed.ends().await;
        plain.ends().await;
        for (relayed, way) in relayed.into_iter().zip(["the upgraded one", "the fast one"]) {
            println!("{way}");
            relayed.ends().await;
        }
        is_cut("the end of the follower", follower).await;
        is_cut("the end of half a request", half).await;
        is_cut("the end of nothing", idle).await;

        house = House::open_in(folder, file).await;
        stun_answers(&house).await;
    }
    house.close().await;
}

async fn stun_answers(house: &House) {
    let port = house.regions()[&900].nodes[0].stun_port;
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.connect(("127.0.0.1", u16::try_from(port).unwrap())).await.unwrap();
    client.send(&derp::stun::encode_request(&[3; 12])).await.unwrap();
    let mut reply = [0; 100];
    let n = soon("STUN", client.recv(&mut reply)).await.unwrap();
    assert_eq!(derp::stun::parse_reply(&reply[..n]), Some(([3; 12], client.local_addr().unwrap())));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pin_of_the_relay_is_the_same_after_a_restart() {
    let house = House::open(with_relay()).await;
    let before = house.regions();
    assert!(before[&900].nodes[0].cert_name.starts_with("sha256-raw:"));
    let pem = house.folder().join("derp-cert.pem");
    let shown = CertificateDer::from_pem_file(&pem).unwrap();
    let house = house.restart().await;
    assert_eq!(house.regions(), before);
    assert_eq!(CertificateDer::from_pem_file(&pem).unwrap(), shown);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn across_a_restart_peers_hear_of_nothing_but_what_changed() {
    let house = House::open(File { leaving_grace: Some("1s".into()), ..without_relay() }).await;
    let (key, at) = (house.key().await, house.at().await);
    let [laptop, watcher, gone] =
        [join(&at, &key, "laptop").await, join(&at, &key, "watcher").await, join(&at, &key, "gone").await];
    let [laptop_id, gone_id] = [laptop.myself().await.id, gone.myself().await.id];
    let (mut theirs, ours) = (watcher.listen().await, laptop.listen().await);
    let soon_gone = gone.listen().await;
    theirs.until("both here", |m| online(m, laptop_id) && online(m, gone_id)).await;
    drop(soon_gone);
    theirs.until("one gone", |m| online(m, laptop_id) && !online(m, gone_id)).await;
    gone.report(&["192.0.2.9:9"], 7).await;
    // Said in the last moment before the stop.
    laptop.report(&["192.0.2.1:41641", "[2001:db8::1]:41641"], 17).await;
    theirs.until("the last report", |m| m.peer(laptop_id).unwrap().home_derp == 17).await;
    let before = theirs.go.view();

    let house = house.restart().await;
    drop((ours, theirs));
    let at = house.at().await;
    let mut theirs = watcher.again(&at).await.listen().await;
    assert_eq!(theirs.go.view(), before);
    theirs.is_silent_for(Duration::from_secs(3)).await;
    let _back = laptop.again(&at).await.listen().await;
    theirs.is_silent_for(Duration::from_secs(1)).await;
    laptop.again(&at).await.report(&["192.0.2.2:41641"], 17).await;
    theirs.until("the laptop's new endpoint", |m| m.peer(laptop_id).unwrap().endpoints.len() == 1).await;
    assert!(!online(&theirs.go, gone_id) && online(&theirs.go, laptop_id));
    theirs.agrees_with(&watcher.again(&at).await).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_joins_loses_none_that_was_answered() {
    let house = House::open(without_relay()).await;
    let (key, at) = (house.key().await, house.at().await);
    let answered = Arc::new(Mutex::new(Vec::new()));
    let stopped = Arc::new(AtomicBool::new(false));
    let crowd: Vec<_> = (0..8)
        .map(|_| tokio::spawn(keep_joining(at.clone(), key.clone(), answered.clone(), stopped.clone())))
        .collect();
    while answered.lock().unwrap().len() < 20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (folder, file) = stops_at_once(house).await;
    stopped.store(true, Ordering::SeqCst);
    for one in crowd {
        soon("the crowd", one).await.unwrap();
    }
    assert!(!fs::exists(folder.path().join("control.sock")).unwrap());
    let house = House::open_in(folder, file).await;
    let world = house.server.doors().hub.world();
    world.check_invariants().unwrap();
    for me in answered.lock().unwrap().iter() {
        let node = world.nodes.by_node_key(&me.node).expect("a registration that was answered is lost");
        assert_eq!(node.live.endpoints.len(), 1, "and so is a report");
    }
    assert!(house.admin.call(&event::VERIFY, &[], &()).await.unwrap().intact);
    house.close().await;
}

/// Joins and reports, one device after another, until the server has gone.
async fn keep_joining(
    at: Server,
    key: String,
    answered: Arc<Mutex<Vec<Identity>>>,
    stopped: Arc<AtomicBool>,
) {
    while !stopped.load(Ordering::SeqCst) {
        let me = Identity::random().unwrap();
        let Ok(client) = harness::Client::connect(&at, &me.machine).await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let Ok(answer) = client.register(&me.register_request(Some(&key), "crowd")).await else { continue };
        let reported = client.lite_update(&me.report("crowd", &["192.0.2.1:1"], 0)).await.is_ok();
        if answer.machine_authorized && reported {
            answered.lock().unwrap().push(me);
        }
    }
}
