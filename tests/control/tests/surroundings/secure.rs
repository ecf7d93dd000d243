//! One port with TLS from certificate files: the key, channels, the relay and the admin API.

use std::fs;

use api::{DEFAULT_TAILNET, apikey, node};
use bytes::Bytes;
use control::config::{AdminFile, File, RelayFile, TlsFile};
use derp::Frame;
use harness::{Identity, Server};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use crate::{
    authority::Authority,
    device::Device,
    house::{House, config, free_address, join, start},
    relayed::{Way, enter, key_pair},
};
use control_tests::admin::Admin;

const NODES: &str = node::LIST.path();

pub fn with(tls: TlsFile) -> File {
    let address = free_address();
    File {
        server_url: Some(format!("https://localhost:{}", address.port())),
        listen: Some(address.to_string()),
        relay: Some(RelayFile { stun: Some("off".into()), ..RelayFile::default() }),
        tls: Some(tls),
        ..File::default()
    }
}

async fn open() -> (House, Server) {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let file = with(authority.files(folder.path(), "mesh", "localhost"));
    let url = file.server_url.clone().unwrap();
    let house = House::open_in(folder, file).await;
    let at = Server::find(&url, Some(authority.trusted())).await.unwrap();
    (house, at)
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_meet_over_tls_and_are_told_of_a_relay_without_a_pin() {
    let (house, at) = open().await;
    let key = house.key().await;
    let [laptop, peer] = [join(&at, &key, "laptop").await, join(&at, &key, "peer").await];
    let id = laptop.myself().await.id;
    let mut theirs = peer.listen().await;
    let _ours = laptop.listen().await;
    laptop.report(&["192.0.2.1:41641"], 900).await;
    theirs.until("the report", |m| m.peer(id).is_some_and(|p| p.home_derp == 900)).await;
    theirs.agrees_with(&peer).await;

    let map = laptop.map().await.derp_map.unwrap();
    let [relay] = map.regions[&900].nodes.as_slice() else { panic!("{map:?}") };
    assert_eq!((relay.host_name.as_str(), relay.derp_port), ("localhost", house.address.port()));
    assert_eq!(relay.cert_name, "", "the certificate is checked like any other");
    assert!(!house.folder().join("derp-cert.pem").exists(), "none of its own is needed");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_answers_on_the_same_port() {
    let (house, at) = open().await;
    let key = house.key().await;
    let pairs = [key_pair(1), key_pair(2)];
    let mut relayed = Vec::new();
    for (pair, way) in pairs.iter().zip([Way::Upgrade, Way::FastStart]) {
        let me = Identity { node: pair.public(), ..Identity::random().unwrap() };
        let device = Device::connect(&at, me, "relayed").await;
        assert!(device.register(Some(&key)).await.machine_authorized);
        relayed.push(enter(at.dial().await.unwrap(), way, pair).await);
    }
    let [a, b] = relayed.as_mut_slice() else { panic!() };
    a.send(pairs[1].public(), b"through").await;
    let packet = Frame::RecvPacket { from: pairs[0].public(), packet: b"through".as_slice().into() };
    assert_eq!(b.next().await, Some(packet));
    b.send(pairs[0].public(), b"back").await;
    let packet = Frame::RecvPacket { from: pairs[1].public(), packet: b"back".as_slice().into() };
    assert_eq!(a.next().await, Some(packet));
    let (status, _) = at.get("/derp/latency-check").await.unwrap();
    assert_eq!(status, StatusCode::OK);
    house.close().await;
}

pub async fn nodes(at: &Server, authorization: Option<&str>) -> (StatusCode, String) {
    let io = TokioIo::new(at.dial().await.unwrap());
    let (mut sender, connection) = http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let path = NODES.replace("{tailnet}", DEFAULT_TAILNET);
    let mut request = Request::get(path).header(header::HOST, "localhost");
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    let answer = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_api_answers_who_has_an_api_key_and_nobody_else() {
    let (house, at) = open().await;
    join(&at, &house.key().await, "laptop").await;
    let create = apikey::Create { description: "afar".into(), ..apikey::Create::default() };
    let created = house.admin.call(&apikey::CREATE, &[], &create).await.unwrap().outcome;
    let secret = created.secret.unwrap();
    let bearer = format!("Bearer {}", secret.expose());

    let (status, body) = nodes(&at, Some(&bearer)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let list: node::Nodes = serde_json::from_str(&body).unwrap();
    assert_eq!(list.nodes[0].name, "laptop");
    let wrong = format!("{}x", &bearer[..bearer.len() - 1]);
    for authorization in [None, Some(wrong.as_str()), Some("Bearer "), Some("Basic cm9vdDpyb290")] {
        let (status, body) = nodes(&at, authorization).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{authorization:?}");
        assert!(!body.contains("laptop"));
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_trust_the_authority_or_speaks_no_tls_gets_nothing() {
    let (house, _) = open().await;
    let url = house.server.ready().server_url.clone();
    assert!(Server::find(&url, Some(Authority::new().trusted())).await.is_err());
    assert!(Server::find(&url.replace("https", "http"), None).await.is_err());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_files_that_cannot_be_used_are_named_and_the_next_start_works() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let good = authority.files(folder.path(), "good", "localhost");
    let other = authority.files(folder.path(), "other", "localhost");
    let garbage = folder.path().join("garbage.pem");
    fs::write(&garbage, [0xff; 3000]).unwrap();
    let torn = folder.path().join("torn.pem");
    fs::write(&torn, "-----BEGIN CERTIFICATE-----\nMIIB\n").unwrap();
    let hollow = folder.path().join("hollow.pem");
    fs::write(&hollow, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let missing = folder.path().join("missing.pem");
    let cert = |path: &std::path::Path| TlsFile { cert_file: Some(path.into()), ..good.clone() };
    let key = |path: &std::path::Path| TlsFile { key_file: Some(path.into()), ..good.clone() };
    let swapped = TlsFile { cert_file: good.key_file.clone(), key_file: good.cert_file.clone() };
    let mismatching = TlsFile { key_file: other.key_file.clone(), ..good.clone() };
    let cases = [
        ("no chain", cert(&missing), "missing.pem"),
        ("no key", key(&missing), "missing.pem"),
        ("a folder", cert(folder.path()), folder.path().to_str().unwrap()),
        ("a chain of garbage", cert(&garbage), "garbage.pem"),
        ("a key of garbage", key(&garbage), "garbage.pem"),
        ("half a chain", cert(&torn), "torn.pem"),
        ("a chain that is none", cert(&hollow), "hollow.pem"),
        ("the files swapped", swapped, "good-key.pem"),
        ("another's key", mismatching, "other-key.pem"),
    ];
    let data = folder.path().join("data");
    let file = with(good.clone());
    for (what, tls, named) in cases {
        let started = start(config(&data, &File { tls: Some(tls), ..file.clone() })).await;
        let Err(fault) = started else { panic!("{what}: it started") };
        let text = fault.to_string();
        assert!(text.contains(named), "{what}: {text}");
        assert!(!text.contains("Os {") && text.lines().count() == 1, "{what}: {text}");
    }
    start(config(&data, &file)).await.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn since_when_and_until_when_the_certificate_is_good_is_a_metric() {
    let (authority, folder, at) = (Authority::new(), tempfile::tempdir().unwrap(), free_address());
    let admin = Some(AdminFile { listen: Some(at.to_string()), ..AdminFile::default() });
    let tls = authority.files(folder.path(), "mesh", "localhost");
    let house = House::open_in(folder, File { admin, ..with(tls) }).await;
    let (status, text) = Admin::remote(at, None).raw("GET", "/metrics", String::new()).await.unwrap();
    assert_eq!(status, 200);
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("{} "));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse::<f64>().unwrap()
    };
    let pair = house.server.doors().certificate.as_ref().unwrap().shown().pair().unwrap();
    let second = |at: Option<jiff::Timestamp>| at.unwrap().as_second() as f64;
    assert_eq!(value("meshctl_certificate_begins_seconds"), second(pair.begins()));
    assert_eq!(value("meshctl_certificate_expires_seconds"), second(pair.expires()));
    assert!(value("meshctl_certificate_begins_seconds") < value("meshctl_start_time_seconds"));
    house.close().await;
}
