//! Answers, byte for byte.

use std::{collections::BTreeMap, sync::Arc};

use ident::{MachineKey, NodeId, NodeKey, UserId};
use serde_json::json;
use wire::{
    Addresses, CapGrant, CapMap, CapVer, DerpMap, DerpNode, DerpRegion, DnsConfig, FilterRule, Hostinfo,
    Location, Login, MapResponse, NetPortRange, Node, PeerChange, PingRequest, PortRange, RegisterResponse,
    ServerKeys, Service, User, UserProfile, encode, plain,
};

fn text<T: serde::Serialize>(value: &T) -> String {
    encode(value).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
}

fn key(digit: char) -> String {
    digit.to_string().repeat(64)
}

#[test]
fn peers_learn_little_of_a_host() {
    let service = |proto: &str, port| Service { proto: proto.into(), port, description: String::new() };
    let host = Hostinfo {
        os: "linux".into(),
        os_version: "6.18".into(),
        hostname: "h".into(),
        services: vec![
            service("tcp", 22),
            service("peerapi-dns-proxy", 1),
            service("peerapi4", 4000),
            service("peerapi4", 4001),
            service("peerapi5", 1),
        ],
        location: Some(Location {
            country: "Österreich".into(),
            latitude: 47.0731234567.try_into().unwrap(),
            priority: 7,
            ..Location::default()
        }),
        ..Hostinfo::default()
    };
    assert_eq!(
        text(&host.for_peers()),
        concat!(
            // no OSVersion; of the services only those that peers know, each once, with a description
            r#"{"OS":"linux","Hostname":"h","Services":[{"Proto":"peerapi4","Port":4000,"Description":""},"#,
            r#"{"Proto":"peerapi-dns-proxy","Port":1,"Description":""}],"#,
            r#""Location":{"Country":"Österreich","Latitude":47.073123,"Priority":7}}"#
        )
    );
}

#[test]
fn the_key_answer_names_both_keys() {
    let machine: MachineKey = format!("mkey:{}", key('c')).parse().unwrap();
    let expected = format!(r#"{{"legacyPublicKey":"mkey:{}","publicKey":"mkey:{}"}}"#, key('0'), key('c'));
    assert_eq!(text(&ServerKeys::new(machine)), expected);
}

#[test]
fn register_answers_hold_every_key() {
    let user = User { id: 1, display_name: "alice".into(), ..User::default() };
    let login = Login {
        id: 1,
        provider: "mesh".into(),
        login_name: "alice@example.com".into(),
        display_name: "alice".into(),
        ..Login::default()
    };
    assert_eq!(
        text(&RegisterResponse::ok(user, login)),
        concat!(
            r#"{"User":{"ID":1,"DisplayName":"alice"},"#,
            r#""Login":{"ID":1,"Provider":"mesh","LoginName":"alice@example.com","DisplayName":"alice"},"#,
            r#""NodeKeyExpired":false,"MachineAuthorized":true,"AuthURL":"","Error":""}"#
        )
    );
    let refused = text(&RegisterResponse::error("no such \"key\""));
    // the quote would need a backslash
    assert!(
        refused.ends_with(r#""MachineAuthorized":false,"AuthURL":"","Error":"no such 'key'"}"#),
        "{refused}"
    );
    let visit = text(&RegisterResponse::visit("https://mesh.example/register/x"));
    assert!(
        visit.contains(r#""MachineAuthorized":false,"AuthURL":"https://mesh.example/register/x""#),
        "{visit}"
    );
    assert!(
        text(&RegisterResponse::expired(User::default(), Login::default()))
            .contains(r#""NodeKeyExpired":true"#)
    );
}

#[cfg(test)]
mod sample {
    use super::*;

    pub fn node() -> Node {
        let key: NodeKey = format!("nodekey:{}", key('a')).parse().unwrap();
        Node {
            id: NodeId::FIRST,
            stable_id: "n1".into(),
            name: "laptop.mesh.example.".into(),
            user: UserId::FIRST,
            key,
            key_expiry: None,
            machine: None,
            disco_key: None,
            addresses: Addresses {
                v4: "100.64.0.1".parse().unwrap(),
                v6: "fd7a:115c:a1e0::1".parse().unwrap(),
            },
            allowed_ips: vec!["100.64.0.1/32".parse().unwrap(), "fd7a:115c:a1e0::1/128".parse().unwrap()],
            endpoints: vec!["[2001:db8::1]:41641".parse().unwrap()],
            home_derp: 900,
            hostinfo: Arc::default(),
            created: Some("2026-01-02T03:04:05Z".parse().unwrap()),
            cap: CapVer(139),
            tags: vec![],
            primary_routes: vec![],
            last_seen: None,
            online: Some(false),
            machine_authorized: true,
            cap_map: BTreeMap::from([("https".into(), vec![])]),
            expired: false,
            is_jailed: false,
        }
    }
}

#[test]
fn arguments_of_capabilities_are_told_as_they_stand() {
    let arguments = json!({"command": "echo \"hi\"", "path": "C:\\x", "none": null});
    let caps: CapMap = BTreeMap::from([("example.com/cap/run".into(), vec![arguments.clone()])]);
    let grant = CapGrant { dsts: vec![], cap_map: caps.clone() };
    let rule = FilterRule { cap_grant: vec![grant], ..FilterRule::default() };
    let told = r#"{"example.com/cap/run":[{"command":"echo \"hi\"","none":null,"path":"C:\\x"}]}"#;
    assert_eq!(text(&rule), format!(r#"{{"SrcIPs":[],"CapGrant":[{{"Dsts":[],"CapMap":{told}}}]}}"#));
    let node = Node { cap_map: caps, ..sample::node() };
    assert!(text(&node).contains(&format!(r#""CapMap":{told}"#)));
    let read: Node = serde_json::from_str(&text(&node)).unwrap();
    assert_eq!(read.cap_map["example.com/cap/run"], [arguments]);
}

#[test]
fn a_first_message_byte_for_byte() {
    let rule = FilterRule {
        src_ips: vec!["100.64.0.0/10".into()],
        dst_ports: vec![NetPortRange { ip: "100.64.0.1/32".into(), ports: PortRange::ALL }],
        ..FilterRule::default()
    };
    let relay = DerpNode {
        name: "900a".into(),
        region_id: 900,
        host_name: "mesh.example".into(),
        ipv6: "none".into(),
        stun_port: -1,
        ..DerpNode::default()
    };
    let region = DerpRegion {
        region_id: 900,
        region_code: "home".into(),
        region_name: "Home".into(),
        nodes: vec![relay],
        ..DerpRegion::default()
    };
    let message = MapResponse {
        node: Some(Box::new(sample::node())),
        derp_map: Some(DerpMap { regions: BTreeMap::from([(900, region)]), ..DerpMap::default() }),
        peers: Some(vec![]),
        dns_config: Some(DnsConfig {
            routes: BTreeMap::from([("mesh.example".into(), vec![])]),
            domains: vec!["mesh.example".into()],
            proxied: true,
            ..DnsConfig::default()
        }),
        domain: "mesh.example".into(),
        packet_filters: BTreeMap::from([("*".into(), None), ("r0001".into(), Some(vec![rule]))]),
        user_profiles: vec![UserProfile {
            id: UserId::FIRST,
            login_name: "alice@example.com".into(),
            display_name: "Alice".into(),
            profile_pic_url: String::new(),
        }],
        ..MapResponse::default()
    };
    let expected = [
        r#"{"Node":{"ID":1,"StableID":"n1","Name":"laptop.mesh.example.","User":1,"Key":"nodekey:aaaa"#,
        r#"","Addresses":["100.64.0.1/32","fd7a:115c:a1e0::1/128"],"AllowedIPs":["100.64.0.1/32","fd7a:115c:a1e0::1/128"],"#,
        // a Hostinfo is there even when it is empty; Online is spelled out though it is false
        r#""Endpoints":["[2001:db8::1]:41641"],"HomeDERP":900,"Hostinfo":{},"Created":"2026-01-02T03:04:05Z","Cap":139,"#,
        r#""Online":false,"MachineAuthorized":true,"CapMap":{"https":[]}},"#,
        r#""DERPMap":{"Regions":{"900":{"RegionID":900,"RegionCode":"home","RegionName":"Home","Nodes":[{"Name":"900a","#,
        r#""RegionID":900,"HostName":"mesh.example","IPv6":"none","STUNPort":-1}]}}},"#,
        // no `Peers`: an empty list means two different things to the two client families
        r#""DNSConfig":{"Routes":{"mesh.example":[]},"Domains":["mesh.example"],"Proxied":true},"Domain":"mesh.example","#,
        // the one place where a null has a meaning: it clears the parts held before
        r#""PacketFilters":{"*":null,"r0001":[{"SrcIPs":["100.64.0.0/10"],"#,
        r#""DstPorts":[{"IP":"100.64.0.1/32","Ports":{"First":0,"Last":65535}}]}]},"#,
        r#""UserProfiles":[{"ID":1,"LoginName":"alice@example.com","DisplayName":"Alice"}]}"#,
    ]
    .concat()
    .replace("nodekey:aaaa", &format!("nodekey:{}", key('a')));
    assert_eq!(text(&message), expected);
    let read: MapResponse = serde_json::from_str(&expected).unwrap();
    assert_eq!(read, MapResponse { peers: None, ..message });
}

#[test]
fn small_messages_byte_for_byte() {
    assert_eq!(text(&MapResponse::keep_alive()), r#"{"KeepAlive":true}"#);
    assert_eq!(text(&MapResponse::default()), "{}");
    assert!(PeerChange::new(NodeId::FIRST).is_empty());
    let patch = PeerChange { online: Some(false), endpoints: Some(vec![]), ..PeerChange::new(NodeId::FIRST) };
    let message = MapResponse {
        peers_removed: vec![NodeId::FIRST],
        peers_changed_patch: vec![patch],
        online_change: BTreeMap::from([(NodeId::FIRST, false)]),
        packet_filter: Some(vec![]),
        health: Some(vec![]),
        ..MapResponse::default()
    };
    let expected = concat!(
        r#"{"PeersRemoved":[1],"PeersChangedPatch":[{"NodeID":1,"Endpoints":[],"Online":false}],"#,
        // empty is not absent here: block everything, clear the warnings
        r#""OnlineChange":{"1":false},"PacketFilter":[],"Health":[]}"#
    );
    assert_eq!(text(&message), expected);
    assert_eq!(serde_json::from_str::<MapResponse>(expected).unwrap(), message);
    let ping = PingRequest { url: "https://unused/x".into(), url_is_noise: true, ..PingRequest::default() };
    // Types must be there, even empty
    assert_eq!(text(&ping), r#"{"URL":"https://unused/x","URLIsNoise":true,"Types":""}"#);
}

#[test]
fn an_empty_peer_list_is_told_from_none_when_read() {
    assert_eq!(serde_json::from_str::<MapResponse>(r#"{"Peers":[]}"#).unwrap().peers, Some(vec![]));
    assert_eq!(serde_json::from_str::<MapResponse>("{}").unwrap().peers, None);
}

#[test]
fn addresses_are_one_of_each_family() {
    for bad in
        [r#"["100.64.0.1/32"]"#, r#"["fd7a::1/128","100.64.0.1/32"]"#, r#"["100.64.0.1/31","fd7a::1/128"]"#]
    {
        assert!(serde_json::from_str::<Addresses>(bad).is_err(), "{bad}");
    }
}

#[test]
fn plain_text_needs_no_escape() {
    assert_eq!(plain("a\"b\\c\r\n\t\u{7f}\u{85}\u{202e}dé☃"), "abcdé☃");
}
