//! The switchboard against a slow, obvious model.

use proptest::prelude::*;

use super::*;

fn key(byte: u8) -> NodeKey {
    NodeKey::from_bytes([byte + 1; 32]).unwrap()
}

#[test]
fn the_leaver_is_reported_to_those_it_sent_to_and_to_nobody_else() {
    let mut board = Switchboard::new();
    let [a, b, c] = [0, 1, 2].map(|n| board.join(key(n)).conn);
    assert_eq!(board.send(a, &key(1), false, 0), Delivery::To(b));
    assert_eq!(board.send(c, &key(0), false, 0), Delivery::To(a));
    assert_eq!(board.leave(a), [Notice { to: b, gone: key(0) }]);
    assert_eq!(board.leave(a), []);
    assert_eq!(board.leave(c), []);
}

#[test]
fn a_key_that_still_has_a_connection_has_not_left() {
    let mut board = Switchboard::new();
    let (old, new, b) = (board.join(key(0)).conn, board.join(key(0)).conn, board.join(key(1)).conn);
    board.send(old, &key(1), false, 0);
    assert_eq!(board.leave(old), []);
    assert_eq!(board.send(b, &key(0), false, 0), Delivery::To(new));
    assert_eq!(board.leave(new), [Notice { to: b, gone: key(0) }]);
}

#[test]
fn the_connection_that_last_sent_is_active() {
    let mut board = Switchboard::new();
    let (old, new, b) = (board.join(key(0)).conn, board.join(key(0)).conn, board.join(key(1)).conn);
    assert_eq!(board.send(b, &key(0), false, 0), Delivery::To(new));
    let before = board.generation();
    board.send(old, &key(9), false, 0);
    assert_ne!(board.generation(), before);
    assert_eq!(board.send(b, &key(0), false, 0), Delivery::To(old));
}

#[test]
fn only_disco_asks_and_three_answers_then_one_a_second() {
    let mut board = Switchboard::new();
    let a = board.join(key(0)).conn;
    assert_eq!(board.send(a, &key(1), false, 5000), Delivery::NotHere { tell: false });
    let told =
        |board: &mut Switchboard, at| board.send(a, &key(1), true, at) == Delivery::NotHere { tell: true };
    let answers: Vec<bool> = [5000, 5000, 5000, 5000, 5999, 6000, 6001, 60_000, 60_000, 60_000, 60_000]
        .map(|at| told(&mut board, at))
        .to_vec();
    assert_eq!(answers, [true, true, true, false, false, true, false, true, true, true, false]);
}

#[test]
fn a_closed_key_is_gone_at_once() {
    let mut board = Switchboard::new();
    let (a, b) = (board.join(key(0)).conn, board.join(key(1)).conn);
    board.send(a, &key(1), false, 0);
    let closed = Closed { connections: vec![a], notices: vec![Notice { to: b, gone: key(0) }] };
    assert_eq!(board.close_peer(&key(0)), closed);
    assert_eq!(board.send(b, &key(0), false, 0), Delivery::NotHere { tell: false });
    assert_eq!(board.send(a, &key(1), false, 0), Delivery::Stranger);
    assert_eq!(board.close_peer(&key(0)), Closed::default());
}

#[derive(Debug, Clone)]
enum Step {
    Join(u8),
    Leave(usize),
    Close(u8),
    Send { from: usize, to: u8, disco: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u8..5).prop_map(Step::Join),
        2 => (0usize..40).prop_map(Step::Leave),
        1 => (0u8..5).prop_map(Step::Close),
        8 => (0usize..40, 0u8..6, any::<bool>()).prop_map(|(from, to, disco)| Step::Send { from, to, disco }),
    ]
}

/// Every connection that ever joined, in the order of its last activity, and every packet that was delivered.
#[derive(Default)]
struct Model {
    present: Vec<(ConnId, NodeKey)>,
    delivered: Vec<(NodeKey, ConnId)>,
}

impl Model {
    fn key_of(&self, conn: ConnId) -> Option<NodeKey> {
        self.present.iter().find(|(c, _)| *c == conn).map(|(_, k)| *k)
    }
    fn active(&self, key: NodeKey) -> Option<ConnId> {
        self.present.iter().rev().find(|(_, k)| *k == key).map(|(c, _)| *c)
    }
    fn drop_conn(&mut self, conn: ConnId) {
        self.present.retain(|(c, _)| *c != conn);
        self.delivered.retain(|(_, c)| *c != conn);
    }
    /// The connections that must hear that `key` left, once it has no connection.
    fn mourners(&mut self, key: NodeKey) -> BTreeSet<ConnId> {
        if self.active(key).is_some() {
            return BTreeSet::new();
        }
        let told = self.delivered.iter().filter(|(k, _)| *k == key).map(|(_, c)| *c).collect();
        self.delivered.retain(|(k, _)| *k != key);
        told
    }
}

fn told(notices: &[Notice], gone: NodeKey) -> BTreeSet<ConnId> {
    assert!(notices.iter().all(|notice| notice.gone == gone));
    notices.iter().map(|notice| notice.to).collect()
}

fn play(board: &mut Switchboard, model: &mut Model, all: &mut Vec<ConnId>, step: Step) {
    match step {
        Step::Join(who) => {
            let joined = board.join(key(who));
            assert!(!all.contains(&joined.conn));
            let mine: Vec<ConnId> =
                model.present.iter().filter(|(_, k)| *k == key(who)).map(|(c, _)| *c).collect();
            let expected = (mine.len() == MAX_CONNECTIONS_PER_KEY).then(|| mine[0]);
            assert_eq!(joined.evicted, expected);
            if let Some(evicted) = expected {
                model.drop_conn(evicted);
            }
            model.present.push((joined.conn, key(who)));
            all.push(joined.conn);
        }
        Step::Leave(at) => {
            let Some(conn) = all.get(at).copied() else { return };
            let Some(gone) = model.key_of(conn) else { return assert_eq!(board.leave(conn), []) };
            let notices = board.leave(conn);
            model.drop_conn(conn);
            assert_eq!(told(&notices, gone), model.mourners(gone));
        }
        Step::Close(who) => {
            let closed = board.close_peer(&key(who));
            let mine: Vec<ConnId> =
                model.present.iter().filter(|(_, k)| *k == key(who)).map(|(c, _)| *c).collect();
            assert_eq!(closed.connections, mine);
            mine.iter().for_each(|conn| model.drop_conn(*conn));
            assert_eq!(told(&closed.notices, key(who)), model.mourners(key(who)));
        }
        Step::Send { from, to, disco } => {
            let Some(from) = all.get(from).copied() else { return };
            let answer = board.send(from, &key(to), disco, 0);
            let Some(sender) = model.key_of(from) else { return assert_eq!(answer, Delivery::Stranger) };
            model.present.retain(|(c, _)| *c != from);
            model.present.push((from, sender));
            match model.active(key(to)) {
                Some(target) => {
                    assert_eq!(answer, Delivery::To(target));
                    assert_eq!(model.key_of(target), Some(key(to)));
                    model.delivered.push((sender, target));
                }
                None => assert!(matches!(answer, Delivery::NotHere { tell } if disco || !tell)),
            }
        }
    }
}

proptest! {
    /// The law *Relay*: whatever happened before, a packet reaches its addressee's active connection or nobody.
    #[test]
    fn nothing_reaches_anyone_but_its_addressee(steps in prop::collection::vec(step(), 0..120)) {
        let (mut board, mut model, mut all) = (Switchboard::new(), Model::default(), Vec::new());
        for step in steps {
            play(&mut board, &mut model, &mut all, step);
            prop_assert_eq!(board.connections(), model.present.len());
        }
        for conn in &all {
            board.leave(*conn);
        }
        prop_assert!(board.seats.is_empty() && board.lines.is_empty());
    }

    /// A cached answer may be used as long as the generation stands.
    #[test]
    fn the_same_generation_gives_the_same_answer(steps in prop::collection::vec(step(), 0..120)) {
        let (mut board, mut model, mut all) = (Switchboard::new(), Model::default(), Vec::new());
        let mut cached: BTreeMap<(ConnId, u8), (u64, ConnId)> = BTreeMap::new();
        for step in steps {
            if let Step::Send { from, to, .. } = &step && let Some(conn) = all.get(*from).copied() {
                let before = board.generation();
                let known = cached.get(&(conn, *to)).filter(|(at, _)| *at == before).map(|(_, target)| *target);
                let answer = board.send(conn, &key(*to), false, 0);
                if let Some(target) = known {
                    prop_assert_eq!(answer, Delivery::To(target));
                }
                if let Delivery::To(target) = answer {
                    cached.insert((conn, *to), (board.generation(), target));
                }
            }
            play(&mut board, &mut model, &mut all, step);
        }
    }
}
