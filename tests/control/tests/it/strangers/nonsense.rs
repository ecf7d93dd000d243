//! Requests that say too much or nonsense: bounded, cleaned, and no peer breaks on them.

use harness::Identity;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::{
    admin::reusable,
    device::Device,
    house::{House, durable, eventually},
};

/// Host names that people and programs have come up with.
fn hostnames() -> Vec<String> {
    let texts = [
        "",
        ".",
        "---",
        "Alice's \"MacBook\"",
        r"back\slash\",
        "line\nbreak\ttab\r\0null",
        "\u{1b}[31mred\u{1b}[0m\u{7}",
        "🦀🦀🦀",
        "日本語のホスト名",
        "\u{202e}gnp.exe\u{2066}",
        "<script>alert(1)</script>&amp;",
        "'; DROP TABLE node; --",
        "node",
        "LOCALHOST",
        "wpad.corp.example",
    ];
    let mut all: Vec<_> = texts.iter().map(ToString::to_string).collect();
    all.extend(["a".repeat(300), "é".repeat(300), "a-".repeat(150), "💥".repeat(5000)]);
    all
}

async fn post(device: &Device, path: &str, body: Vec<u8>) -> (StatusCode, String) {
    let answer = device.client.call(Method::POST, path, body).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn registration(device: &Device, key: &str, hostinfo: Value) -> Vec<u8> {
    let request = json!({
        "Version": wire::CapVer::OURS,
        "NodeKey": device.me.node,
        "Auth": {"AuthKey": key},
        "Hostinfo": hostinfo,
    });
    request.to_string().into_bytes()
}

fn report(device: &Device, hostinfo: Value, endpoints: Value) -> Vec<u8> {
    let request = json!({
        "Version": wire::CapVer::OURS,
        "NodeKey": device.me.node,
        "DiscoKey": device.me.disco,
        "OmitPeers": true,
        "Hostinfo": hostinfo,
        "Endpoints": endpoints,
    });
    request.to_string().into_bytes()
}

/// A hostinfo where every text is this one.
fn all_over(text: &str) -> Value {
    json!({
        "Hostname": text, "OS": text, "OSVersion": text, "IPNVersion": text, "App": text, "Package": text,
        "DeviceModel": text, "sshHostKeys": [text, text], "RoutableIPs": [text, "10.0.0.0/8", "0.0.0.0/99", "::/0"],
        "Services": [{"Proto": "peerapi4", "Port": 1, "Description": text}, {"Proto": text, "Port": 2}],
        "NetInfo": {"LinkType": text, "DERPLatency": {text: 0.1}, "FirewallMode": text, "PreferredDERP": 900},
        "Location": {"City": text, text: text}, text: {text: [text]},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_host_name_breaks_a_peers_map() {
    let house = House::open().await;
    let key = house.admin.key(&reusable()).await;
    let peer = house.member("peer").await;
    let mut listeners = [peer.listen().await, peer.again(&house.at).await.listen_plain().await];
    let [_, listener] = &mut listeners;
    for hostname in hostnames() {
        let device = Device::connect(&house.at, Identity::random().unwrap(), "x").await;
        let (status, text) =
            post(&device, "/machine/register", registration(&device, &key, all_over(&hostname))).await;
        assert_eq!(status, 200, "{hostname:?}: {text}");
        assert!(!text.contains('\\'), "{text}");
        let (status, text) =
            post(&device, "/machine/map", report(&device, all_over(&hostname), json!([]))).await;
        assert_eq!((status, text.as_str()), (StatusCode::OK, ""), "{hostname:?}");
        let mut own = device.listen_plain().await;
        own.agrees_with(&device).await;
        let node = own.go.node().unwrap();
        let label = node.name.strip_suffix(".mesh.internal.").unwrap();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(label.len() <= 63 && label.chars().all(plain) && !label.starts_with('-'), "{label:?}");
        assert!(!["localhost", "wpad"].contains(&label), "a name that others look up on their own");
        let id = node.id;
        listener.until("the newcomer", |m| m.peer(id).is_some()).await;
        listener.agrees_with(&peer).await;
    }
    assert_eq!(listener.go.peers().len(), hostnames().len());
    house.world().check_invariants().unwrap();
    let house = house.restart().await;
    assert_eq!(peer.again(&house.at).await.map().await.peers.unwrap().len(), hostnames().len());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_gives_no_name_that_is_none() {
    let house = House::open().await;
    house.member("laptop").await;
    let before = durable(&house.world());
    let long = "a".repeat(300);
    for name in ["", &long, "🦀", "é", "wpad", "localhost", "Laptop", "a b", "7", "-a", "a.b", "\u{202e}a"]
    {
        let rename = api::node::Rename { name: name.to_owned() };
        let problem = house.admin.call(&api::node::RENAME, &["laptop"], &rename).await.unwrap_err();
        assert_eq!((problem.code.as_str(), problem.status), ("bad_name", 422), "{name:?}");
        assert!(problem.detail.len() < 1000, "{problem:?}");
    }
    assert_eq!(durable(&house.world()), before);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_nonsense_endpoints_only_those_that_can_be_dialled_are_passed_on() {
    let house = House::open().await;
    let [laptop, peer] = [house.member("laptop").await, house.member("peer").await];
    let id = laptop.myself().await.id;
    let mut theirs = peer.listen().await;
    let mut endpoints = vec![
        json!("0.0.0.0:1"),
        json!("[::]:1"),
        json!("224.0.0.1:1"),
        json!("255.255.255.255:9"),
        json!("[fe80::1%eth0]:1"),
        json!("[fe80::1]:1"),
        json!("192.0.2.1:0"),
        json!("192.0.2.1:70000"),
        json!("192.0.2.1"),
        json!("example.com:1"),
        json!(""),
        json!("\u{1b}[2J\"\\"),
        json!("9".repeat(100_000)),
        json!(null),
        json!("192.0.2.7:41641"),
        json!("192.0.2.7:41641"),
    ];
    endpoints.extend((1..2000).map(|port| json!(format!("198.51.100.1:{port}"))));
    let body = report(&laptop, json!({"Hostname": "laptop"}), Value::Array(endpoints));
    assert_eq!(post(&laptop, "/machine/map", body).await.0, 200);
    let good = "192.0.2.7:41641".parse().unwrap();
    theirs.until("the good one", |m| m.peer(id).is_some_and(|p| p.endpoints.contains(&good))).await;
    let told = &theirs.go.peer(id).unwrap().endpoints;
    assert!(told.len() <= 64, "{}", told.len());
    assert!(told.iter().all(|e| *e == good || e.ip().to_string() == "198.51.100.1"), "{told:?}");
    theirs.agrees_with(&peer).await;
    for bad in [json!("192.0.2.1:1"), json!([[1]]), json!({"a": 1}), json!([{}])] {
        let (status, text) = post(&laptop, "/machine/map", report(&laptop, json!({}), bad)).await;
        assert!(status == 200 || status == 400, "{status} {text}");
    }
    theirs.holds_for(std::time::Duration::from_millis(200), |m| m.peer(id).is_some()).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_over_a_mebibyte_are_refused_and_nothing_is_stored() {
    let house = House::open().await;
    let laptop = house.member("laptop").await;
    let key = house.admin.key(&reusable()).await;
    let before = durable(&house.world());
    let padding = "x".repeat(1 << 20);
    for body in [
        registration(&laptop, &key, json!({"Hostname": padding})),
        report(&laptop, json!({"Hostname": padding}), json!([])),
        vec![b' '; 3 << 20],
        vec![b'['; (1 << 20) + 1],
    ] {
        for path in ["/machine/register", "/machine/map"] {
            let sent = laptop.client.call(Method::POST, path, body.clone()).await;
            if let Ok(answer) = sent {
                assert_eq!(answer.status(), 413, "{path} with {} bytes", body.len());
            }
        }
    }
    assert_eq!(durable(&house.world()), before);
    assert!(laptop.again(&house.at).await.map().await.node.is_some());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_request_are_refused() {
    let house = House::open().await;
    let laptop = house.member("laptop").await;
    let before = durable(&house.world());
    let deep =
        |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000)).into_bytes();
    let inside =
        format!("{{\"Version\":113,\"Hostinfo\":{{\"x\":{}1{}}}}}", "[".repeat(100_000), "]".repeat(100_000));
    let wide = format!("{{\"Version\":113,\"Endpoints\":[{}\"\"]}}", "\"\",".repeat(300_000)).into_bytes();
    let bodies = [
        deep("[", "]"),
        deep("{\"a\":", "1}"),
        inside.into_bytes(),
        wide,
        Vec::new(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{\"NodeKey\":\"nodekey:zz\"}".to_vec(),
        b"{\"NodeKey\":7}".to_vec(),
        b"{} {}".to_vec(),
        b"\xff\xfe\x00".to_vec(),
    ];
    for body in bodies {
        for path in ["/machine/register", "/machine/map"] {
            let start = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            let (status, text) = post(&laptop, path, body.clone()).await;
            let said_no =
                status.is_client_error() || (path.ends_with("register") && text.contains("\"Error\":\"this"));
            assert!(said_no, "{path} {start:?}: {status} {text}");
            assert!(text.len() < 1000, "{path} {start:?}: {} bytes", text.len());
        }
    }
    assert_eq!(durable(&house.world()), before);
    assert!(laptop.map().await.node.is_some(), "on the same connection");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_hostinfo_costs_the_server_and_the_peers_little() {
    let house = House::open().await;
    let key = house.admin.key(&reusable()).await;
    let peer = house.member("peer").await;
    let device = Device::connect(&house.at, Identity::random().unwrap(), "x").await;
    let mut huge = json!({"Hostname": "big", "Package": "p".repeat(200_000)});
    let routes: Vec<_> = (0..10_000).map(|n| format!("10.{}.{}.0/24", n / 256, n % 256)).collect();
    huge["RoutableIPs"] = json!(routes);
    huge["Services"] =
        json!(vec![json!({"Proto": "peerapi4", "Port": 7, "Description": "d".repeat(100)}); 1000]);
    huge["sshHostKeys"] = json!(vec!["k".repeat(3000); 50]);
    for n in 0..500 {
        huge[format!("Unknown{n}")] = json!("u".repeat(500));
    }
    let body = registration(&device, &key, huge.clone());
    assert!(body.len() > 800_000 && body.len() < 1 << 20, "{}", body.len());
    assert_eq!(post(&device, "/machine/register", body).await.0, 200);
    assert_eq!(post(&device, "/machine/map", report(&device, huge, json!([]))).await.0, 200);
    eventually("it is in", || house.world().nodes.by_node_key(&device.me.node).is_some()).await;
    let node = house.world().nodes.by_node_key(&device.me.node).unwrap().clone();
    let stored = serde_json::to_string(&*node.hostinfo).unwrap().len();
    assert!(stored < 128 << 10, "{stored} bytes are kept");
    let told = &peer.map().await.peers.unwrap()[0];
    assert!(serde_json::to_string(told).unwrap().len() < 64 << 10);
    house.close().await;
}
