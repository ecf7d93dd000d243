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
