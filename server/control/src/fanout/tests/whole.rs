//! Whole maps of a tailnet of several blocks.

use super::*;

/// Web servers and a database at the end of each ten; ids are not dense, and one block is empty.
fn many() -> Arc<Hub> {
    let hub = hub();
    for n in (5..=300).filter(|n| n % 7 != 0 && !(128..192).contains(n)) {
        let tag = if n % 10 == 9 { "tag:db" } else { "tag:web" };
        happen(&hub, DurableEvent::NodeRegistered { node: Box::new(node(n, tag)) });
    }
    hub
}

fn right(hub: &Hub, n: u64) -> MapResponse {
    let (world, now) = (hub.world(), Timestamp::UNIX_EPOCH);
    netmap::full(&world, world.nodes.get(id(n)).unwrap(), &hub.site(), now)
}

/// The slices of the next message.
async fn slices(session: &mut Session) -> Vec<Bytes> {
    let first = session.next().await.unwrap();
    let mut missing = u32::from_le_bytes(*first.first_chunk().unwrap()) as usize + 4 - first.len();
    let mut slices = vec![first];
    while missing > 0 {
        let next = session.next().await.unwrap();
        missing -= next.len();
        slices.push(next);
    }
    slices
}

#[test]
fn a_whole_map_in_pieces_says_what_the_slow_way_says() {
    let hub = many();
    let check = |n: u64, encoding| {
        let mut told = decoded(&hub.once(id(n), encoding).unwrap(), encoding);
        told.control_time = Some(Timestamp::UNIX_EPOCH);
        assert_eq!(told, right(&hub, n), "node {n} as {encoding:?}");
    };
    for encoding in [Encoding::Zstd, Encoding::Plain] {
        for n in [1, 2, 3, 4, 5, 8, 9, 64, 100, 127, 192, 199, 256, 299, 300] {
            check(n, encoding);
        }
        happen(&hub, endpoint(100, 4000));
        check(1, encoding);
        happen(&hub, DurableEvent::NodeDeleted { node: id(300) });
        check(1, encoding);
        happen(&hub, DurableEvent::NodeRegistered { node: Box::new(node(300, "tag:lone")) });
        check(1, encoding);
        happen(&hub, DurableEvent::NodeDeleted { node: id(300) });
        happen(&hub, DurableEvent::NodeRegistered { node: Box::new(node(300, "tag:web")) });
        check(1, encoding);
    }
    happen(&hub, DurableEvent::PolicySet { policy: Prepared::deny_all(), message: String::new() });
    check(1, Encoding::Zstd);
}

/// What may happen to a node, by a number.
fn event(n: u64, what: u8) -> Event {
    let routes = || ["10.0.0.0/8".parse().unwrap(), "192.0.2.0/24".parse().unwrap()].into();
    let router = |mut node: Node| {
        let hostinfo = wire::Hostinfo { routable_ips: Vec::from_iter(routes()), ..wire::Hostinfo::default() };
        (node.hostinfo, node.approved_routes) = (Arc::new(hostinfo), routes());
        node
    };
    let registered = |node: Node| DurableEvent::NodeRegistered { node: Box::new(node) }.into();
    let tags = |tag: &str| NonEmpty::new(vec![tag.parse().unwrap()]).unwrap();
    match what % 12 {
        0 | 1 => endpoint(n, u16::from(what)).into(),
        2 => DurableEvent::NodeDeleted { node: id(n) }.into(),
        3 => registered(node(n, "tag:web")),
        4 => registered(router(node(n, "tag:db"))),
        5 => DurableEvent::NodeTagged { node: id(n), tags: tags("tag:db") }.into(),
        6 => DurableEvent::NodeMoved { node: id(n), user: ident::UserId::FIRST, expiry: None }.into(),
        7 => {
            let prefix = "10.0.0.0/8".parse().unwrap();
            VolatileEvent::RoutePrimary { prefix, via: None, node: Some(id(n)) }.into()
        }
        8 => DurableEvent::NodeRoutesApproved { node: id(n), routes: BTreeSet::new() }.into(),
        9 | 10 => {
            let presence = match what % 2 {
                0 => Presence::Offline,
                _ => Presence::Connected { instance: 1, epoch: u64::from(what) },
            };
            VolatileEvent::PresenceChanged { node: id(n), presence, last_seen: None }.into()
        }
        _ => {
            let policy = if what > 128 { POLICY } else { PEOPLE };
            DurableEvent::PolicySet { policy: Prepared::parse(policy).unwrap(), message: String::new() }
                .into()
        }
    }
}

/// People reach their own devices and the database's network, web servers nothing but it.
const PEOPLE: &str = r#"{
    "tagOwners": {"tag:web": [], "tag:db": [], "tag:lone": []},
    "acls": [
        {"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:*", "10.0.0.0/8:*"]},
        {"action": "accept", "src": ["tag:web"], "dst": ["tag:db:5432"]},
    ],
}"#;

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(20))]

    #[test]
    fn a_map_that_follows_the_world_is_one_from_scratch(
        happened in proptest::collection::vec((1..200u64, proptest::prelude::any::<u8>()), 1..60),
    ) {
        let hub = many();
        let created = Timestamp::UNIX_EPOCH;
        let (login, display_name) = ("alice".to_owned(), String::new());
        let alice = world::User { id: ident::UserId::FIRST, login, display_name, created };
        happen(&hub, DurableEvent::UserCreated { user: alice });
        for (n, what) in happened {
            let known = hub.world().nodes.get(id(n)).is_some();
            if known != matches!(what % 12, 3 | 4) {
                happen(&hub, event(n, what));
            }
            for viewer in [n, 1, 3, 8, 64, 300] {
                let Some(map) = hub.once(id(viewer), Encoding::Plain) else { continue };
                let mut told = decoded(&map, Encoding::Plain);
                told.control_time = Some(Timestamp::UNIX_EPOCH);
                let is_right = told == right(&hub, viewer);
                proptest::prop_assert!(is_right, "node {} after {} of {}", viewer, what, n);
            }
        }
    }
}

#[test]
fn who_comes_next_costs_what_has_changed() {
    let (hub, packed) = (many(), std::cell::RefCell::new(Vec::new()));
    let plans = super::super::whole::plan::Plans::default();
    let class = hub.world().nodes.get(id(1)).unwrap().class.unwrap();
    let look = || {
        let pack = &mut |block: &netmap::Block| {
            packed.borrow_mut().push(block.span().1);
            Ok(Bytes::from_static(b"peers"))
        };
        let told = plans.of(&hub.world(), class, Encoding::Zstd, pack).unwrap();
        assert_eq!(told.pages.len(), 4);
        packed.take()
    };
    assert_eq!(look(), [0, 1, 3, 4], "nobody is on the page from 128");
    assert!(look().is_empty());
    happen(&hub, endpoint(65, 4000));
    happen(&hub, DurableEvent::NodeDeleted { node: id(300) });
    assert_eq!(look(), [1, 4]);
    happen(&hub, DurableEvent::NodeRegistered { node: Box::new(node(140, "tag:lone")) });
    let at = hub.world();
    plans.of(&at, class, Encoding::Zstd, &mut |_| unreachable!("nobody sees the new one")).unwrap();
    happen(&hub, DurableEvent::NodeDeleted { node: id(140) });
    assert!(look().is_empty());
}

#[test]
fn what_two_are_told_alike_they_are_told_in_the_same_bytes() {
    let hub = many();
    let front = hub.front.load_full();
    let parts = |n| hub.whole(&front, front.world.nodes.get(id(n)).unwrap(), Encoding::Zstd).unwrap().1;
    let (one, other) = (parts(1), parts(200));
    let same = |a: &Bytes, b: &Bytes| std::ptr::eq(a.as_ptr(), b.as_ptr());
    let shared = one.iter().filter(|a| other.iter().any(|b| same(a, b))).count();
    assert_eq!(shared, 2, "ids from 64 to 127 and from 256 on");
}

#[tokio::test]
async fn a_large_map_comes_in_slices() {
    let hub = hub();
    for n in (5..=1000).filter(|n| n % 10 == 9) {
        let mut large = node(n, "tag:db");
        large.hostinfo = Arc::new(wire::Hostinfo { os: "x".repeat(3000), ..wire::Hostinfo::default() });
        happen(&hub, DurableEvent::NodeRegistered { node: Box::new(large) });
    }
    let told = slices(&mut hub.subscribe(id(1), 1, Encoding::Plain)).await;
    assert!(told.iter().map(Bytes::len).sum::<usize>() > 250_000);
    assert!(told.iter().all(|slice| slice.len() <= 64 << 10));
    decoded(&told.concat().into(), Encoding::Plain);
}

#[tokio::test]
async fn who_comes_in_a_crowd_waits_until_others_have_taken_theirs_but_not_for_ever() {
    let hub = many();
    let mut ids = hub.world().nodes.iter().map(|n| n.id).collect::<Vec<_>>().into_iter();
    let mut subscribe = || hub.subscribe(ids.next().unwrap(), 1, Encoding::Zstd);
    let mut crowd: Vec<_> = (0..64).map(|_| subscribe()).collect();
    for session in &mut crowd {
        session.next().await.unwrap();
    }
    let mut late = subscribe();
    assert!(silent(&mut late).await);
    told_rest(&mut crowd[0]).await;
    let begun = Instant::now();
    late.next().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());

    let begun = Instant::now();
    subscribe().next().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
}

async fn told_rest(session: &mut Session) {
    while !silent(session).await {}
}
