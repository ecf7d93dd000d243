//! Laws: whatever comes is answered, what is written is read back the same, and the dialect holds for every text.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ident::{DiscoKey, NodeId, NodeKey, UserId};
use ipnet::IpNet;
use jiff::Timestamp;
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Map, Value, json};
use wire::{
    Addresses, CapVer, Hostinfo, MapRequest, MapResponse, Node, PeerChange, RegisterRequest, decode, encode,
};

fn node_id() -> impl Strategy<Value = NodeId> {
    (1u64..1 << 53).prop_filter_map("range", |n| NodeId::new(n).ok())
}

fn node_key() -> impl Strategy<Value = NodeKey> {
    any::<[u8; 32]>().prop_filter_map("zero", |b| NodeKey::from_bytes(b).ok())
}

fn disco_key() -> impl Strategy<Value = DiscoKey> {
    any::<[u8; 32]>().prop_filter_map("zero", |b| DiscoKey::from_bytes(b).ok())
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0i64..4_000_000_000, 0i32..1_000_000_000).prop_filter_map("range", |(s, n)| Timestamp::new(s, n).ok())
}

fn prefix() -> impl Strategy<Value = IpNet> {
    (any::<IpAddr>(), 0u8..=32).prop_filter_map("length", |(ip, len)| Some(IpNet::new(ip, len).ok()?.trunc()))
}

fn hostinfo() -> impl Strategy<Value = Hostinfo> {
    (any::<String>(), any::<String>(), vec(prefix(), 0..4), option::of(any::<bool>())).prop_map(
        |(os, hostname, routes, userspace)| {
            let mut routable_ips = routes;
            routable_ips.sort_unstable();
            routable_ips.dedup();
            Hostinfo { os, hostname, routable_ips, userspace, ..Hostinfo::default() }
        },
    )
}

prop_compose! {
    fn node()(
        id in node_id(),
        texts in (any::<String>(), any::<String>(), vec(any::<String>(), 0..3)),
        key in node_key(),
        key_expiry in option::of(time()),
        disco_key in option::of(disco_key()),
        addresses in (any::<std::net::Ipv4Addr>(), any::<std::net::Ipv6Addr>()),
        nets in (vec(prefix(), 0..4), vec(prefix(), 0..2)),
        ends in vec(any::<(IpAddr, u16)>(), 0..3),
        host in hostinfo(),
        numbers in any::<(u32, u32)>(),
        flags in (option::of(any::<bool>()), any::<bool>(), any::<bool>()),
        last_seen in option::of(time()),
    ) -> Node {
        Node {
            id,
            stable_id: texts.0,
            name: texts.1,
            user: UserId::FIRST,
            key,
            key_expiry,
            machine: None,
            disco_key,
            addresses: Addresses { v4: addresses.0, v6: addresses.1 },
            allowed_ips: nets.0,
            endpoints: ends.into_iter().map(SocketAddr::from).collect(),
            home_derp: numbers.0,
            hostinfo: Arc::new(host),
            created: None,
            cap: CapVer(numbers.1),
            tags: texts.2,
            primary_routes: nets.1,
            last_seen,
            online: flags.0,
            machine_authorized: flags.1,
            cap_map: BTreeMap::new(),
            expired: flags.2,
            is_jailed: false,
        }
    }
}

prop_compose! {
    fn patch()(
        id in node_id(),
        derp_region in any::<u32>(),
        cap in any::<u32>(),
        ends in option::of(vec(any::<(IpAddr, u16)>(), 0..3)),
        key in option::of(node_key()),
        disco_key in option::of(disco_key()),
        online in option::of(any::<bool>()),
        last_seen in option::of(time()),
        key_expiry in option::of(time()),
    ) -> PeerChange {
        PeerChange {
            node_id: id,
            derp_region,
            cap: CapVer(cap),
            cap_map: None,
            endpoints: ends.map(|list| list.into_iter().map(SocketAddr::from).collect()),
            key,
            disco_key,
            online,
            last_seen,
            key_expiry,
        }
    }
}

/// JSON of any shape, with the keys that requests hold among its own.
fn json_text() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("Version"),
        Just("nodekey"),
        Just("HostInfo"),
        Just("Auth"),
        Just("endpoints"),
        Just("NetInfo"),
        Just("RoutableIPs"),
        Just("Expiry"),
        Just("x"),
        Just("Services"),
        Just("AuthKey"),
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| format!("{n:e}")),
        "[a-z0-9:/.%-]{0,20}".prop_map(|s| format!("\"{s}\"")),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(|items| format!("[{}]", items.join(","))),
            vec((key.clone(), inner), 0..8).prop_map(|pairs| {
                let pairs: Vec<_> = pairs.into_iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
                format!("{{{}}}", pairs.join(","))
            }),
        ]
    })
}

/// A field of a Hostinfo as a client may send it: of the right type where that is needed to be read at all, with odd
/// texts everywhere, and with keys that are almost those of other fields.
fn field() -> impl Strategy<Value = (String, Value)> {
    let named = (
        prop_oneof![Just("Hostname"), Just("os"), Just("OSVersion"), Just("App"), Just("IPNVersion")],
        any::<String>(),
    );
    let service = (any::<String>(), any::<u16>(), any::<String>());
    let service = service.prop_map(|(p, n, d)| json!({"Proto": p, "Port": n, "Description": d}));
    let net = (vec((odd_key(), number()), 0..6), any::<String>()).prop_map(|(latencies, text)| {
        json!({"DERPLatency": latencies.into_iter().collect::<Map<_, _>>(), "LinkType": text})
    });
    let place = vec((odd_key(), loose()), 0..6).prop_map(|pairs| pairs.into_iter().collect::<Value>());
    let latitude = number().prop_map(|n| json!({"Latitude": n, "City": "x\u{1}"}));
    prop_oneof![
        2 => named.prop_map(|(key, text)| (key.to_owned(), text.into())),
        1 => vec(prefix(), 0..4).prop_map(|nets| ("RoutableIPs".to_owned(), json!(nets))),
        1 => vec(any::<String>(), 0..4).prop_map(|texts| ("sshHostKeys".to_owned(), texts.into())),
        1 => vec(any::<String>(), 0..4).prop_map(|texts| ("RequestTags".to_owned(), texts.into())),
        1 => vec(service, 0..4).prop_map(|all| ("Services".to_owned(), all.into())),
        1 => net.prop_map(|net| ("NetInfo".to_owned(), net)),
        2 => prop_oneof![place, latitude, loose()].prop_map(|place| ("Location".to_owned(), place)),
        4 => (almost_key(), loose()),
    ]
}

/// Cleaned it may be the key of a named field, itself it is not.
fn almost_key() -> impl Strategy<Value = String> {
    let typed = ["hostname", "os", "app", "services", "netinfo", "sshhostkeys", "location", "routableips"];
    let more =
        ["osversion", "ipnversion", "requesttags", "shieldsup", "shareenode", "userspace", "appconnector"];
    odd_key().prop_filter("a named field", move |key| {
        let key = key.to_ascii_lowercase();
        !typed.contains(&key.as_str()) && !more.contains(&key.as_str())
    })
}

fn odd_key() -> impl Strategy<Value = String> {
    let stem = prop_oneof![
        Just("Hostname"),
        Just("OS"),
        Just("Userspace"),
        Just("sshHostKeys"),
        Just("City"),
        Just("Latitude"),
        Just("priority"),
        Just("TPM"),
        Just("7-v4"),
        Just("x"),
    ];
    let odd = prop_oneof![
        Just(""),
        Just("\u{1}"),
        Just("\""),
        Just("\\"),
        Just("\u{202e}"),
        Just("\u{17f}"),
        Just("y")
    ];
    prop_oneof![4 => (stem, odd).prop_map(|(stem, odd)| format!("{stem}{odd}")), 1 => any::<String>()]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<f64>().prop_map(Value::from),
        (-400.0..400.0).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
    ]
    .prop_filter("not a number", Value::is_number)
}

/// Any JSON.
fn loose() -> impl Strategy<Value = Value> {
    let text = any::<String>().prop_map(Value::from);
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), number(), text];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((odd_key(), inner), 0..5).prop_map(|pairs| pairs.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn a_sanitised_host_is_read_back_as_it_was_written(fields in vec(field(), 0..10)) {
        let json = Value::Object(fields.into_iter().collect());
        let mut read: Vec<Hostinfo> = serde_json::from_value(json.clone()).into_iter().collect();
        let report: MapRequest = decode(&serde_json::to_vec(&json!({"Hostinfo": json})).unwrap()).unwrap();
        let joining: RegisterRequest = decode(&serde_json::to_vec(&json!({"HOSTINFO": json})).unwrap()).unwrap();
        let clean = report.hostinfo.clone().map(Hostinfo::sanitised);
        prop_assert_eq!(&joining.hostinfo.clone().map(Hostinfo::sanitised), &clean);
        let again: MapRequest = decode(&serde_json::to_vec(&json!({"Hostinfo": clean})).unwrap()).unwrap();
        prop_assert_eq!(again.hostinfo, clean);
        read.extend(report.hostinfo);
        for host in read {
            let clean = host.sanitised();
            let json = serde_json::to_string(&clean).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Hostinfo>(&json).unwrap(), &clean, "{}", json);
            prop_assert!(json.len() <= 32 << 10 && !json.contains('\\'), "{}", json);
            prop_assert_eq!(clean.clone().sanitised(), clean);
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode::<RegisterRequest>(&bytes);
        let _ = decode::<MapRequest>(&bytes);
    }

    #[test]
    fn any_json_is_answered_and_what_was_read_is_kept(body in json_text()) {
        let _ = decode::<RegisterRequest>(body.as_bytes());
        if let Ok(mut request) = decode::<MapRequest>(body.as_bytes()) {
            request.hostinfo = request.hostinfo.map(Hostinfo::sanitised);
            let again: MapRequest = decode(&encode(&request).unwrap()).unwrap();
            prop_assert_eq!(again, request);
        }
    }

    #[test]
    fn a_sanitised_host_needs_no_escape_and_stays_itself(host in hostinfo()) {
        let clean = host.sanitised();
        prop_assert_eq!(encode(&clean).unwrap(), serde_json::to_vec(&clean).unwrap());
        prop_assert_eq!(clean.clone().sanitised(), clean);
    }

    #[test]
    fn nodes_and_patches_round_trip(node in node(), patch in patch()) {
        let read: Node = serde_json::from_slice(&serde_json::to_vec(&node).unwrap()).unwrap();
        prop_assert_eq!(read, node);
        let read: PeerChange = serde_json::from_slice(&serde_json::to_vec(&patch).unwrap()).unwrap();
        prop_assert_eq!(read, patch);
    }

    #[test]
    fn messages_hold_no_backslash_and_no_null(nodes in vec(node(), 0..3), patches in vec(patch(), 0..3), domain: String) {
        let message = MapResponse {
            node: nodes.first().cloned().map(Box::new),
            peers_changed: nodes.clone(),
            peers: Some(nodes),
            peers_changed_patch: patches,
            domain,
            ..MapResponse::default()
        };
        let bytes = encode(&message).unwrap();
        prop_assert!(!bytes.contains(&b'\\'));
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert!(!holds_null(&value));
    }
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(map) => map.values().any(holds_null),
        _ => false,
    }
}
