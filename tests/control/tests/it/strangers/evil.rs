//! Descriptions of a device that are meant to hurt: said at a registration and in updates, kept over a restart. No start
//! stops at them, no row is set aside, no peer's map breaks.

use harness::Identity;
use http::Method;
use http_body_util::BodyExt;

use crate::{
    admin::reusable,
    device::Device,
    house::{House, durable},
};

/// JSON of host informations; what a decoder reads twice, reads differently, or cannot write again.
fn evil() -> Vec<String> {
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let objects = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
    [
        r#"{"Hostname":"a","os":"linux","OS":"linux","oS":7}"#,
        r#"{"Hostname":"b","OS":"linux","OS":7}"#,
        r#"{"Hostname":"c","hostname":7,"HOSTNAME":[1]}"#,
        r#"{"Hostname":"d","ſshHostKeys":7,"sshHostKeys":["x"],"sshhostkeys":7}"#,
        r#"{"Hostname":"e","NetInfo":{"PreferredDERP":900,"preferredderp":"x","DERPLatency":{"1":1e308,"2":-1e-308}}}"#,
        r#"{"Hostname":"f","Location":{"City":"x","city":7,"Latitude":1e300,"Priority":-1}}"#,
        r#"{"Hostname":"g","X":1.7976931348623157e308,"Y":-0.0,"Z":1e-400,"W":123456789012345678901234567890}"#,
        r#"{"Hostname":"h\u0000\u001b[2J\u202e","X\u0000Y":"\u0000","X\u0001Y":"","XY":""}"#,
        r#"{"Hostname":"i\ud83d\ude00","X":"\ud83d\ude00"}"#,
        r#"{"Hostname":"j","RoutableIPs":["0.0.0.0/0","0.0.0.0/0","10.0.0.1/8","10.0.0.0/8","::/0"],"RequestTags":[]}"#,
        r#"{"Hostname":"k","Services":[{"Proto":"peerapi4","proto":7,"Port":1,"port":"x"}]}"#,
        r#"{"Hostname":"l","Userspace":"maybe","userspace":true}"#,
        r#"{"Hostname":"m","kind":"node_deleted","node":1,"id":1,"machine":"x","node_key":"x"}"#,
        r#"{"Hostname":"n","":"","":7," ":1,"\"":2,"\\":3}"#,
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([format!(r#"{{"Hostname":"o","X":{deep}}}"#), format!(r#"{{"Hostname":"p","X":{objects}}}"#)])
    .collect()
}

async fn post(device: &Device, path: &str, body: String) -> u16 {
    let answer = device.client.call(Method::POST, path, body.into_bytes()).await.unwrap();
    let status = answer.status().as_u16();
    answer.into_body().collect().await.unwrap();
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn no_description_of_a_device_stops_the_next_start() {
    let house = House::open().await;
    let key = house.admin.key(&reusable()).await;
    let peer = house.member("peer").await;
    let mut kept = Vec::new();
    for (n, hostinfo) in evil().into_iter().enumerate() {
        let fresh = Device::connect(&house.at, Identity::random().unwrap(), "x").await;
        let (version, node) = (wire::CapVer::OURS, fresh.me.node);
        let head = format!(r#""Version":{version},"NodeKey":"{node}""#);
        let first = format!(r#"{{{head},"Auth":{{"AuthKey":"{key}"}},"Hostinfo":{hostinfo}}}"#);
        let status = post(&fresh, "/machine/register", first).await;
        assert!(status == 200 || status == 400, "{n}: {status}");
        let known = house.join(Identity::random().unwrap(), &key, &format!("known{n}")).await;
        let head = format!(r#""Version":{version},"NodeKey":"{}""#, known.me.node);
        for rest in [r#""OmitPeers":true,"Endpoints":[]"#, r#""Stream":false"#] {
            let update = format!(r#"{{{head},{rest},"Hostinfo":{hostinfo}}}"#);
            let status = post(&known, "/machine/map", update).await;
            assert!(status == 200 || status == 400, "{n}: {status}");
        }
        kept.push(known);
    }
    let before = durable(&house.world());
    let house = house.restart().await;
    assert_eq!(durable(&house.world()), before, "what was stored is what is read");
    let peers = peer.again(&house.at).await.map().await.peers.unwrap();
    assert_eq!(peers.len() + 1, house.world().nodes.len());
    for device in kept {
        let mut listener = device.again(&house.at).await.listen_plain().await;
        assert_eq!(listener.go.peers().len(), peers.len());
        listener.agrees_with(&device.again(&house.at).await).await;
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_key_has_expired_changes_nothing_by_what_it_says() {
    let house = House::open().await;
    let device = house.member("before").await;
    let peer = house.member("peer").await;
    let id = device.myself().await.id;
    device.report(&["192.0.2.1:1"], 900).await;
    house.admin.call(&api::node::EXPIRE, &[&id.to_string()], &()).await.unwrap();
    let record = |house: &House| {
        let node = house.world().nodes.get(id).unwrap().clone();
        (serde_json::to_value(&*node).unwrap(), node.live.endpoints.clone(), node.live.home_derp)
    };
    let before = record(&house);
    let report = device.me.report("after", &["203.0.113.66:666"], 666);
    device.client.lite_update(&report).await.expect("some clients do not survive a refusal");
    let mut request = device.request();
    request.disco_key = Some(Identity::random().unwrap().disco);
    let told = device.client.map_once(&request).await.unwrap().node.unwrap();
    assert!(told.key_expiry.is_some(), "its map is served and says so");
    assert_eq!(record(&house), before);
    let told = peer.map().await.peers.unwrap();
    assert!(told.iter().all(|p| !p.name.starts_with("after")), "{told:?}");
    house.close().await;
}
