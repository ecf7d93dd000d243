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
fn json() -> impl Strategy<Value = String> {
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

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode::<RegisterRequest>(&bytes);
        let _ = decode::<MapRequest>(&bytes);
    }

    #[test]
    fn any_json_is_answered_and_what_was_read_is_kept(body in json()) {
        let _ = decode::<RegisterRequest>(body.as_bytes());
        if let Ok(request) = decode::<MapRequest>(body.as_bytes()) {
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
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert!(!holds_null(&value));
    }
}

fn holds_null(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Null => true,
        serde_json::Value::Array(items) => items.iter().any(holds_null),
        serde_json::Value::Object(map) => map.values().any(holds_null),
        _ => false,
    }
}
