mod whole;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use wire::{DerpMap, DerpRegion};
use world::{
    Command, Context, Draft, DurableEvent, Event, Lifecycle, Live, Node, NonEmpty, Owner, Prepared, Presence,
    Settings, VolatileEvent,
};

use super::*;

const POLICY: &str = r#"{
    "tagOwners": {"tag:web": [], "tag:db": [], "tag:lone": []},
    "acls": [{"action": "accept", "src": ["tag:web"], "dst": ["tag:web:*", "tag:db:5432"]}],
}"#;
/// Nothing is expected within this time.
const QUIET: Duration = Duration::from_millis(250);

fn id(n: u64) -> NodeId {
    NodeId::new(n).unwrap()
}

fn node(n: u64, tag: &str) -> Node {
    Node {
        id: id(n),
        machine: format!("mkey:{n:064x}").parse().unwrap(),
        node_key: format!("nodekey:{n:064x}").parse().unwrap(),
        name: format!("host{n}"),
        renamed: false,
        never_expires: false,
        owner: Owner::Tags(NonEmpty::new(vec![tag.parse().unwrap()]).unwrap()),
        responsible: None,
        auth_key: None,
        v4: (0x6440_0000 + n as u32).into(),
        v6: (0xfd7a_115c_a1e0_0000_0000_0000_0001_0000_u128 + u128::from(n)).into(),
        created: Timestamp::UNIX_EPOCH,
        key_expiry: None,
        ephemeral: false,
        lifecycle: Lifecycle::Active,
        approved_routes: BTreeSet::new(),
        auto_routes: BTreeSet::new(),
        hostinfo: Arc::default(),
        live: Live {
            capver: 130,
            presence: Presence::Connected { instance: 1, epoch: 1 },
            ..Live::default()
        },
        class: None,
        badge: Default::default(),
        expired: false,
        rev: 0,
    }
}

/// Nodes 1 to 4: two web servers, a database, and one that nobody sees.
fn hub() -> Arc<Hub> {
    let mut draft = Draft::new(&World::empty(Settings::default()));
    let command = Command::SetPolicy { prepared: Prepared::parse(POLICY).unwrap() };
    draft.step(&command, Context { now: Timestamp::UNIX_EPOCH, rng: 7 }).unwrap();
    for (n, tag) in [(1, "tag:web"), (2, "tag:web"), (3, "tag:db"), (4, "tag:lone")] {
        draft.apply(&DurableEvent::NodeRegistered { node: Box::new(node(n, tag)) }.into());
    }
    let site = Site { derp_map: Arc::default(), collect_logs: false };
    Hub::new(Arc::new(draft.world), Arc::new(site))
}

fn happen(hub: &Hub, event: impl Into<Event>) {
    let mut draft = Draft::new(&hub.world());
    draft.apply(&event.into());
    hub.publish(draft.world, draft.changes, Instant::now());
}

fn endpoint(n: u64, port: u16) -> VolatileEvent {
    let endpoints = vec![([192, 0, 2, 1], port).into()];
    VolatileEvent::Reported { node: id(n), endpoints, disco: None, home_derp: 1, capver: 130 }
}

fn decoded(message: &Bytes, encoding: Encoding) -> MapResponse {
    let (length, payload) = message.split_at(4);
    assert_eq!(u32::from_le_bytes(length.try_into().unwrap()) as usize, payload.len());
    let json = match encoding {
        Encoding::Plain => payload.to_vec(),
        Encoding::Zstd => zstd::stream::decode_all(payload).unwrap(),
    };
    serde_json::from_slice(&json).unwrap()
}

/// The next message, put together from its slices.
async fn message(session: &mut Session) -> Option<Bytes> {
    let mut message = session.next().await?.to_vec();
    while (u32::from_le_bytes(*message.first_chunk().unwrap()) as usize) > message.len() - 4 {
        message.extend(session.next().await?);
    }
    Some(message.into())
}

async fn told(session: &mut Session) -> MapResponse {
    let message = tokio::time::timeout(Duration::from_secs(30), message(session)).await.unwrap().unwrap();
    decoded(&message, session.encoding())
}

async fn silent(session: &mut Session) -> bool {
    tokio::time::timeout(QUIET, session.next()).await.is_err()
}

async fn ended(session: &mut Session) -> bool {
    matches!(tokio::time::timeout(Duration::from_secs(30), session.next()).await, Ok(None))
}

#[tokio::test]
async fn a_stream_is_the_whole_map_and_then_what_changes() {
    for encoding in [Encoding::Zstd, Encoding::Plain] {
        let hub = hub();
        let mut session = hub.subscribe(id(1), 1, encoding);
        let first = told(&mut session).await;
        assert_eq!(first.node.unwrap().id, id(1));
        let peers: Vec<_> = first.peers.unwrap().iter().map(|p| p.id).collect();
        assert_eq!(peers, [id(2), id(3)]);
        assert_eq!(first.user_profiles.len(), 1);
        assert!(first.debug.unwrap().disable_log_tail);

        happen(&hub, endpoint(2, 4000));
        let patch = &told(&mut session).await.peers_changed_patch[0];
        assert_eq!((patch.node_id, patch.derp_region), (id(2), 1));

        happen(&hub, DurableEvent::NodeDeleted { node: id(3) });
        assert_eq!(told(&mut session).await.peers_removed, [id(3)]);
        assert!(silent(&mut session).await);
    }
}

#[tokio::test]
async fn what_nobody_may_see_is_told_to_nobody() {
    let hub = hub();
    let mut lone = hub.subscribe(id(4), 1, Encoding::Plain);
    let first = told(&mut lone).await;
    assert!(first.peers.is_none());
    assert_eq!(first.packet_filters, BTreeMap::from([("*".to_owned(), None)]), "nothing comes in");
    let mut web = hub.subscribe(id(1), 1, Encoding::Plain);
    told(&mut web).await;

    happen(&hub, endpoint(4, 4000));
    assert!(silent(&mut web).await);
    assert_eq!(told(&mut lone).await.node.unwrap().endpoints.len(), 1, "its own report comes back");
    happen(&hub, endpoint(2, 4000));
    assert!(silent(&mut lone).await);
}

#[tokio::test]
async fn who_moves_to_another_class_hears_what_that_one_hears() {
    let hub = hub();
    let mut mover = hub.subscribe(id(4), 1, Encoding::Plain);
    assert_eq!(told(&mut mover).await.peers, None);
    let tag = |tag: &str| {
        let tags = NonEmpty::new(vec![tag.parse().unwrap()]).unwrap();
        DurableEvent::NodeTagged { node: id(4), tags }
    };
    happen(&hub, tag("tag:db"));
    while !silent(&mut mover).await {}
    happen(&hub, endpoint(2, 4000));
    assert_eq!(told(&mut mover).await.peers_changed_patch[0].node_id, id(2));
    happen(&hub, tag("tag:lone"));
    while !silent(&mut mover).await {}
    happen(&hub, endpoint(2, 4001));
    assert!(silent(&mut mover).await);
}

#[tokio::test]
async fn a_slow_reader_is_told_the_sum() {
    let hub = hub();
    let mut session = hub.subscribe(id(1), 1, Encoding::Zstd);
    told(&mut session).await;
    for port in 1..50 {
        happen(&hub, endpoint(2, port));
    }
    happen(&hub, DurableEvent::NodeRegistered { node: Box::new(node(5, "tag:web")) });
    happen(&hub, DurableEvent::NodeDeleted { node: id(5) });
    let mut ports = Vec::new();
    while let Ok(Some(message)) = tokio::time::timeout(QUIET, session.next()).await {
        let message = decoded(&message, Encoding::Zstd);
        assert!(
            message.peers_changed.is_empty() && message.peers_removed.is_empty(),
            "5 came and went unseen"
        );
        ports.extend(
            message.peers_changed_patch.iter().flat_map(|p| p.endpoints.iter().flatten().map(|e| e.port())),
        );
    }
    assert_eq!(ports, [49]);
}

#[tokio::test]
async fn a_burst_is_gathered_and_nothing_of_it_is_lost() {
    let hub = hub();
    let mut session = hub.subscribe(id(1), 1, Encoding::Plain);
    told(&mut session).await;
    let writer = hub.clone();
    let burst = tokio::spawn(async move {
        for port in 1..=400 {
            happen(&writer, endpoint(2, port));
            tokio::task::yield_now().await;
        }
    });
    let mut ports = Vec::new();
    while ports.last() != Some(&400) {
        let message = told(&mut session).await;
        ports.extend(
            message.peers_changed_patch.iter().flat_map(|p| p.endpoints.iter().flatten().map(|e| e.port())),
        );
    }
    burst.await.unwrap();
    assert!(ports.is_sorted());
    assert!(ports.len() < 200, "{} messages", ports.len());
}

#[tokio::test]
async fn a_tightened_policy_takes_filter_and_peers_in_one_message() {
    let hub = hub();
    let mut session = hub.subscribe(id(2), 1, Encoding::Zstd);
    assert!(told(&mut session).await.packet_filters.len() > 1);
    happen(&hub, DurableEvent::PolicySet { policy: Prepared::deny_all(), message: String::new() });
    let message = told(&mut session).await;
    assert_eq!(message.packet_filters, BTreeMap::from([("r0000".to_owned(), None)]), "what was there goes");
    assert_eq!(message.peers_removed, [id(1), id(3)]);
}

#[tokio::test]
async fn the_newest_session_of_a_node_wins() {
    let hub = hub();
    let mut older = hub.subscribe(id(1), 1, Encoding::Zstd);
    told(&mut older).await;
    let mut newer = hub.subscribe(id(1), 2, Encoding::Zstd);
    assert!(ended(&mut older).await);
    drop(older);
    let mut late = hub.subscribe(id(1), 1, Encoding::Zstd);
    assert!(ended(&mut late).await);
    drop(late);
    told(&mut newer).await;
    assert_eq!(hub.streams(), 1);
    happen(&hub, endpoint(2, 4000));
    told(&mut newer).await;
    drop(newer);
    assert_eq!(hub.streams(), 0);
}

#[tokio::test]
async fn who_is_kicked_deleted_logged_out_or_has_another_key_is_cut() {
    let again = || DurableEvent::NodeReauthenticated {
        node: id(4),
        node_key: format!("nodekey:{:064x}", 99).parse().unwrap(),
        tags: NonEmpty::new(vec!["tag:lone".parse().unwrap()]),
        responsible: None,
        auth_key: ident::AuthKeyId::FIRST,
        ephemeral: false,
        expiry: None,
    };
    let hub = hub();
    let mut sessions: Vec<_> = (1..=4).map(|n| hub.subscribe(id(n), 1, Encoding::Zstd)).collect();
    for session in &mut sessions {
        told(session).await;
    }
    hub.kick(id(1));
    happen(&hub, DurableEvent::NodeDeleted { node: id(2) });
    happen(&hub, DurableEvent::NodeLoggedOut { node: id(3) });
    happen(&hub, again());
    for session in &mut sessions {
        while let Some(message) = session.next().await {
            let own = decoded(&message, Encoding::Zstd).node;
            let is_farewell = |own: &wire::Node| own.id == id(2) && own.name.starts_with("deleted.");
            assert!(own.is_none_or(|own| is_farewell(&own)), "only who was deleted is told something");
        }
    }
    drop(sessions);
    assert_eq!(hub.streams(), 0);
}

#[tokio::test]
async fn who_is_too_far_behind_gets_the_whole_map_or_begins_again() {
    let hub = hub();
    let mut web = hub.subscribe(id(1), 1, Encoding::Zstd);
    let mut lone = hub.subscribe(id(4), 1, Encoding::Zstd);
    told(&mut web).await;
    told(&mut lone).await;
    for n in 0..5000 {
        happen(&hub, endpoint([2, 4][usize::from(n % 2)], n % 5 + 1));
    }
    tokio::time::sleep(QUIET).await;
    let whole = told(&mut web).await;
    assert_eq!(whole.peers.unwrap().len(), 2);
    assert!(ended(&mut lone).await, "an empty list of peers would change nothing");
}

#[tokio::test]
async fn who_is_not_concerned_falls_behind_nothing_and_keeps_nothing_in_memory() {
    let hub = hub();
    let mut web = hub.subscribe(id(1), 1, Encoding::Zstd);
    let mut lone = hub.subscribe(id(4), 1, Encoding::Zstd);
    told(&mut web).await;
    told(&mut lone).await;
    for n in 0..5000 {
        happen(&hub, endpoint(2, n % 5 + 1));
    }
    happen(&hub, endpoint(4, 1));
    let message = told(&mut lone).await;
    assert!(message.node.is_some() && message.peers.is_none() && message.packet_filters.is_empty());

    assert!(hub.front.load().reaches(1000), "web has yet to be told");
    told(&mut web).await;
    while !silent(&mut web).await {}
    let mut draft = Draft::new(&hub.world());
    draft.apply(&endpoint(2, 9).into());
    hub.publish(draft.world, draft.changes, Instant::now() + Duration::from_secs(2));
    assert!(!hub.front.load().reaches(4999), "everybody was told of that");
    assert_eq!(told(&mut web).await.peers_changed_patch.len(), 1);
}

#[tokio::test]
async fn other_relays_are_told_to_everybody() {
    let hub = hub();
    let mut session = hub.subscribe(id(4), 1, Encoding::Plain);
    told(&mut session).await;
    let region = DerpRegion { region_id: 900, ..DerpRegion::default() };
    let derp_map = DerpMap { regions: BTreeMap::from([(900, region)]), ..DerpMap::default() };
    hub.set_site(Arc::new(Site { derp_map: Arc::new(derp_map.clone()), collect_logs: false }));
    let message = told(&mut session).await;
    assert_eq!(message, MapResponse { derp_map: Some(derp_map), ..MapResponse::default() });
    assert!(silent(&mut session).await);
}

#[tokio::test]
async fn one_map_alone_needs_no_stream() {
    let hub = hub();
    let once = decoded(&hub.once(id(3), Encoding::Zstd).unwrap(), Encoding::Zstd);
    assert_eq!(once.peers.unwrap().len(), 2);
    assert!(hub.once(id(9), Encoding::Zstd).is_none());
    assert_eq!(hub.streams(), 0);
    assert_eq!(decoded(&hub.keep_alive(Encoding::Zstd), Encoding::Zstd), MapResponse::keep_alive());
    assert_eq!(hub.keep_alive(Encoding::Plain).split_at(4).1, br#"{"KeepAlive":true}"#);
}

#[tokio::test]
async fn what_a_class_is_told_is_rendered_once() {
    let hub = hub();
    let mut sessions: Vec<_> = (1..=2).map(|n| hub.subscribe(id(n), 1, Encoding::Zstd)).collect();
    for session in &mut sessions {
        told(session).await;
    }
    happen(&hub, endpoint(3, 4000));
    let first = sessions[0].next().await.unwrap();
    let second = sessions[1].next().await.unwrap();
    assert_eq!(decoded(&first, Encoding::Zstd).peers_changed_patch.len(), 1);
    assert!(std::ptr::eq(first.as_ptr(), second.as_ptr()), "the very same bytes");
}
