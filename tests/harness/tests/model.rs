//! The habits of both client families, one by one.

use std::{collections::BTreeMap, sync::Arc};

use harness::{Family, FoldError, Model};
use ident::{NodeId, UserId};
use jiff::Timestamp;
use wire::{
    Addresses, CapGrant, CapVer, DerpMap, DerpRegion, FilterRule, MapResponse, NetPortRange, Node,
    PeerChange, PortRange,
};

#[cfg(test)]
mod sample {
    use super::*;

    pub fn id(n: u64) -> NodeId {
        NodeId::new(n).unwrap()
    }
    pub fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }
    pub fn node(n: u64) -> Node {
        Node {
            id: id(n),
            stable_id: format!("n{n}"),
            name: format!("host{n}.mesh.example."),
            user: UserId::FIRST,
            key: format!("nodekey:{n:064x}").parse().unwrap(),
            key_expiry: None,
            machine: None,
            disco_key: format!("discokey:{n:064x}").parse().ok(),
            addresses: Addresses { v4: "100.64.0.1".parse().unwrap(), v6: "fd7a::1".parse().unwrap() },
            allowed_ips: vec![],
            endpoints: vec!["192.0.2.1:1".parse().unwrap()],
            home_derp: 1,
            hostinfo: Arc::default(),
            created: None,
            cap: CapVer(130),
            tags: vec![],
            primary_routes: vec![],
            last_seen: None,
            online: Some(true),
            machine_authorized: true,
            cap_map: BTreeMap::new(),
            expired: false,
            is_jailed: false,
        }
    }
    pub fn rule(source: &str) -> FilterRule {
        let ports = NetPortRange { ip: "*".into(), ports: PortRange::ALL };
        FilterRule { src_ips: vec![source.into()], dst_ports: vec![ports], ..FilterRule::default() }
    }
    pub fn first(peers: &[Node]) -> MapResponse {
        MapResponse { node: Some(Box::new(node(1))), peers: Some(peers.to_vec()), ..MapResponse::default() }
    }
    /// A model that holds these peers.
    pub fn holding(family: Family, peers: &[Node]) -> Model {
        let mut model = Model::new(family);
        model.fold(first(peers)).unwrap();
        model
    }
    pub fn then(mut model: Model, message: MapResponse) -> Model {
        model.fold(message).unwrap();
        model
    }
    pub fn changed(node: Node) -> MapResponse {
        MapResponse { peers_changed: vec![node], ..MapResponse::default() }
    }
    pub fn patched(patch: PeerChange) -> MapResponse {
        MapResponse { peers_changed_patch: vec![patch], ..MapResponse::default() }
    }
}
use sample::{changed, first, holding, id, node, patched, rule, then, time};

const BOTH: [Family; 2] = [Family::Go, Family::Rust];

#[test]
fn a_stream_begins_with_the_node_itself() {
    for family in BOTH {
        let mut model = Model::new(family);
        model.fold(MapResponse::keep_alive()).unwrap();
        assert_eq!(model.fold(changed(node(2))), Err(FoldError::NoSelf));
        model.fold(first(&[])).unwrap();
        model.fold(changed(node(2))).unwrap();
        assert_eq!(model.peers().len(), 1);
    }
}

#[test]
fn a_full_list_silences_the_deltas_beside_it() {
    for family in BOTH {
        let message = MapResponse { peers_removed: vec![id(3)], ..first(&[node(3), node(4)]) };
        let model = then(holding(family, &[node(2)]), message);
        assert_eq!(model.peers().keys().copied().collect::<Vec<_>>(), [id(3), id(4)]);
    }
}

#[test]
fn an_empty_list_means_two_things() {
    let empty = MapResponse { peers: Some(vec![]), ..MapResponse::default() };
    assert_eq!(then(holding(Family::Go, &[node(2)]), empty.clone()).peers().len(), 1);
    assert_eq!(then(holding(Family::Rust, &[node(2)]), empty).peers().len(), 0);
}

#[test]
fn deltas_apply_in_a_fixed_order() {
    for family in BOTH {
        let message = MapResponse {
            peers_changed: vec![node(3)],
            online_change: BTreeMap::from([(id(3), false)]),
            peers_changed_patch: vec![PeerChange { derp_region: 9, ..PeerChange::new(id(2)) }],
            ..MapResponse::default()
        };
        let model = then(holding(family, &[node(2)]), message);
        assert_eq!(model.peer(id(2)).map(|n| n.home_derp), Some(9), "{family:?}");
        // a peer that comes with the message may already be spoken of
        assert_eq!(model.peer(id(3)).and_then(|n| n.online), Some(false), "{family:?}");
        assert_eq!(model.strays(), 0);
    }
}

#[test]
fn go_loses_a_peer_that_one_message_removes_and_brings_back() {
    // it compares whole nodes with what it held before the message, and finds nothing to do
    let message = MapResponse { peers_removed: vec![id(2)], ..changed(node(2)) };
    assert!(then(holding(Family::Go, &[node(2)]), message.clone()).peers().is_empty());
    assert_eq!(then(holding(Family::Rust, &[node(2)]), message).peers().len(), 1);
}

#[test]
fn changes_of_strangers_are_counted() {
    for family in BOTH {
        let message = MapResponse {
            peers_removed: vec![id(8)],
            online_change: BTreeMap::from([(id(9), true)]),
            ..MapResponse::default()
        };
        let model = then(holding(family, &[node(2)]), message);
        assert_eq!((model.peers().len(), model.strays()), (1, 2), "{family:?}");
    }
}

#[test]
fn go_loses_what_becomes_empty_in_a_whole_node() {
    let less = Node { home_derp: 0, endpoints: vec![], ..node(2) };
    let go = then(holding(Family::Go, &[node(2)]), changed(less.clone()));
    assert_eq!(go.peer(id(2)), Some(&node(2)));
    let rust = then(holding(Family::Rust, &[node(2)]), changed(less.clone()));
    assert_eq!(rust.peer(id(2)), Some(&less));
    // with another difference beside it, the node is taken whole
    let other = Node { name: "new.mesh.example.".into(), ..less };
    let go = then(holding(Family::Go, &[node(2)]), changed(other.clone()));
    assert_eq!(go.peer(id(2)), Some(&other));
    // and a patch can empty the endpoints
    let patch = PeerChange { endpoints: Some(vec![]), ..PeerChange::new(id(2)) };
    let go = then(holding(Family::Go, &[node(2)]), patched(patch));
    assert_eq!(go.peer(id(2)).map(|n| n.endpoints.len()), Some(0));
}

#[test]
fn go_loses_online_where_it_was_unknown() {
    let unknown = Node { online: None, ..node(2) };
    let go = then(holding(Family::Go, std::slice::from_ref(&unknown)), changed(node(2)));
    assert_eq!(go.peer(id(2)), Some(&unknown));
    let message = MapResponse { online_change: BTreeMap::from([(id(2), true)]), ..MapResponse::default() };
    assert_eq!(then(go, message).peer(id(2)), Some(&node(2)));
}

#[test]
fn go_learns_a_new_key_and_expiry_from_a_whole_node() {
    let new = Node { key: node(7).key, key_expiry: Some(time(5)), disco_key: node(7).disco_key, ..node(2) };
    let go = then(holding(Family::Go, &[node(2)]), changed(new.clone()));
    assert_eq!(go.peer(id(2)), Some(&new));
    let never = Node { key_expiry: None, ..new };
    assert_eq!(then(go, changed(never.clone())).peer(id(2)), Some(&never));
}

#[test]
fn go_drops_stale_disco_keys_of_offline_peers() {
    let was = Node { online: Some(false), last_seen: Some(time(10)), ..node(2) };
    let stale = |second| PeerChange {
        disco_key: node(7).disco_key,
        online: Some(false),
        last_seen: Some(time(second)),
        derp_region: 5,
        ..PeerChange::new(id(2))
    };
    let go = || holding(Family::Go, std::slice::from_ref(&was));
    assert_eq!(then(go(), patched(stale(10))).peer(id(2)), Some(&was));
    assert_eq!(then(go(), patched(stale(11))).peer(id(2)).map(|n| n.home_derp), Some(5));
    // the same in a full list
    let other = Node { disco_key: node(7).disco_key, ..was.clone() };
    assert_eq!(then(go(), first(std::slice::from_ref(&other))).peer(id(2)), Some(&was));
    let online = Node { online: Some(true), ..other };
    assert_eq!(then(go(), first(std::slice::from_ref(&online))).peer(id(2)), Some(&online));
}

#[test]
fn rust_takes_a_patch_in_place_of_an_online_change() {
    let message = MapResponse {
        online_change: BTreeMap::from([(id(2), false)]),
        peers_changed_patch: vec![PeerChange { derp_region: 4, ..PeerChange::new(id(2)) }],
        ..MapResponse::default()
    };
    let online = |family| {
        let model = then(holding(family, &[node(2)]), message.clone());
        model.peer(id(2)).map(|n| (n.online, n.home_derp))
    };
    assert_eq!(online(Family::Go), Some((Some(false), 4)));
    assert_eq!(online(Family::Rust), Some((Some(true), 4)));
}

#[test]
fn rust_does_not_believe_online_with_a_time() {
    let odd = Node { last_seen: Some(time(3)), ..node(2) };
    assert_eq!(holding(Family::Rust, std::slice::from_ref(&odd)).peer(id(2)).and_then(|n| n.online), None);
    assert_eq!(holding(Family::Go, &[odd]).peer(id(2)).and_then(|n| n.online), Some(true));
}

#[test]
fn filters_are_parts_in_the_order_of_their_names() {
    for family in BOTH {
        let parts = |list: &[(&str, Option<Vec<FilterRule>>)]| MapResponse {
            packet_filters: list.iter().map(|(name, rules)| ((*name).to_owned(), rules.clone())).collect(),
            ..MapResponse::default()
        };
        let sources =
            |model: &Model| -> Vec<_> { model.view().rules.iter().flat_map(|r| r.src_ips.clone()).collect() };
        let unnamed = MapResponse { packet_filter: Some(vec![rule("b")]), ..first(&[]) };
        let mut model = then(Model::new(family), unnamed);
        model.fold(parts(&[("a", Some(vec![rule("a")])), ("c", Some(vec![rule("c")]))])).unwrap();
        assert_eq!(sources(&model), ["a", "b", "c"], "{family:?}");
        model.fold(parts(&[("a", None)])).unwrap();
        assert_eq!(sources(&model), ["b", "c"]);
        model.fold(parts(&[("*", None), ("d", Some(vec![rule("d")]))])).unwrap();
        assert_eq!(sources(&model), ["d"]);
        model.fold(MapResponse { packet_filter: Some(vec![]), ..parts(&[("d", None)]) }).unwrap();
        assert_eq!(sources(&model), [""; 0]);
    }
}

#[test]
fn rust_breaks_on_a_rule_of_two_kinds() {
    let grant = CapGrant { dsts: vec!["100.64.0.1/32".parse().unwrap()], cap_map: BTreeMap::new() };
    for bad in
        [FilterRule { cap_grant: vec![grant], ..rule("a") }, FilterRule { dst_ports: vec![], ..rule("a") }]
    {
        let message =
            MapResponse { packet_filters: BTreeMap::from([("x".into(), Some(vec![bad]))]), ..first(&[]) };
        assert_eq!(Model::new(Family::Rust).fold(message.clone()), Err(FoldError::Rule("x".into())));
        assert_eq!(Model::new(Family::Go).fold(message), Ok(()));
    }
}

#[test]
fn profiles_stay_known_but_only_those_in_use_count() {
    let profile = |n, name: &str| wire::UserProfile {
        id: UserId::new(n).unwrap(),
        login_name: name.into(),
        display_name: name.into(),
        profile_pic_url: String::new(),
    };
    let message = MapResponse { user_profiles: vec![profile(1, "a"), profile(2, "b")], ..first(&[]) };
    let model = then(Model::new(Family::Go), message);
    assert_eq!(model.view().profiles.len(), 1);
    assert!(model.view().nameless().is_empty());
    let other = Node { user: UserId::new(3).unwrap(), ..node(2) };
    assert_eq!(then(model, changed(other)).view().nameless(), [UserId::new(3).unwrap()]);
}

#[test]
fn what_is_left_out_stays() {
    let region = DerpRegion { region_id: 900, ..DerpRegion::default() };
    let full = MapResponse {
        derp_map: Some(DerpMap { regions: BTreeMap::from([(900, region)]), ..DerpMap::default() }),
        dns_config: Some(wire::DnsConfig { proxied: true, ..wire::DnsConfig::default() }),
        domain: "mesh.example".into(),
        health: Some(vec!["x".into()]),
        ..first(&[node(2)])
    };
    for family in BOTH {
        let model = then(Model::new(family), full.clone());
        let before = model.view();
        assert_eq!(then(model, MapResponse::default()).view(), before);
    }
    let cleared = MapResponse { health: Some(vec![]), ..MapResponse::default() };
    let go = then(then(Model::new(Family::Go), full), cleared);
    assert!(go.view().health.is_empty() && go.view().dns.is_some());
}
