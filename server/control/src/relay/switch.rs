//! The relay itself: its key, who may use it, and who is connected.

use std::{
    collections::BTreeMap,
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use derp::{ConnId, Delivery, Frame, Gone, Notice, ServerKey, Switchboard};
use ident::{NodeKey, Secret};

use super::{
    outbox::Outbox,
    tally::{Tally, Traffic},
};
use crate::quota::Quota;

/// Connections that have not said hello yet: in all, and from one household.
const STRANGERS: usize = 256;
const STRANGERS_EACH: usize = 32;

/// Something that is being found out.
pub type Inquiry = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Who may use the relay. Asked when a node says hello; who loses the right later is [`Relay::cut`].
pub trait Admission: Send + Sync + 'static {
    /// Whether the key belongs to a known node and has not expired, as far as is known here at this moment.
    fn admits(&self, key: &NodeKey) -> bool;

    /// What has to be waited for before [`Admission::admits`] knows about a node that came from this address; `None` where
    /// it knows by itself.
    fn inquire(&self, _key: &NodeKey, _from: IpAddr) -> Option<Inquiry> {
        None
    }
}

/// One relay, shared by all its connections.
pub struct Relay {
    key: ServerKey,
    admission: Arc<dyn Admission>,
    strangers: Arc<Quota>,
    board: Mutex<Board>,
    generation: AtomicU64,
    tally: Arc<Tally>,
    started: Instant,
}

impl Relay {
    /// A relay that is known by this key.
    pub fn new(private_key: Secret<[u8; 32]>, admission: Arc<dyn Admission>) -> Arc<Relay> {
        Arc::new(Relay {
            key: ServerKey::new(private_key),
            admission,
            strangers: Quota::new(STRANGERS, STRANGERS_EACH),
            board: Mutex::default(),
            generation: AtomicU64::new(0),
            tally: Arc::default(),
            started: Instant::now(),
        })
    }

    /// The node may not use the relay any more: its connections end at once. Call it after [`Admission`] has begun
    /// to refuse the key; then no connection of it can slip through.
    pub fn cut(&self, key: &NodeKey) {
        self.change(|board| {
            let closed = board.switch.close_peer(key);
            closed.connections.iter().for_each(|conn| board.close(*conn));
            board.tell(&closed.notices);
        });
    }

    /// What the relay is known by.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.public()
    }

    /// The keys of those who are connected.
    pub fn keys(&self) -> Vec<NodeKey> {
        self.change(|board| board.switch.keys().copied().collect())
    }

    /// How many connections have said hello and are open.
    pub fn connections(&self) -> usize {
        self.change(|board| board.switch.connections())
    }

    /// What it has passed on and dropped since it started.
    pub fn traffic(&self) -> Traffic {
        self.tally.traffic()
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) fn key(&self) -> &ServerKey {
        &self.key
    }

    pub(super) fn strangers(&self) -> &Arc<Quota> {
        &self.strangers
    }

    /// What has to be waited for before [`Relay::admit`] can tell.
    pub(super) fn inquire(&self, key: &NodeKey, from: IpAddr) -> Option<Inquiry> {
        self.admission.inquire(key, from)
    }

    /// A seat for a client that proved to hold `key`; `None` if it is not admitted.
    pub(super) fn admit(self: &Arc<Self>, key: NodeKey) -> Option<Seat> {
        if !self.admission.admits(&key) {
            return None;
        }
        let outbox = Arc::new(Outbox::new(Arc::clone(&self.tally)));
        let conn = self.change(|board| {
            let joined = board.switch.join(key);
            if let Some(evicted) = joined.evicted {
                board.close(evicted);
            }
            board.outboxes.insert(joined.conn, Arc::clone(&outbox));
            joined.conn
        });
        let seat = Seat { relay: Arc::clone(self), conn, key, outbox };
        // A cut between the first question and the seat found nothing to close.
        self.admission.admits(&key).then_some(seat)
    }

    /// Changes whenever an answer of [`Seat::route`] may have become wrong.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn change<T>(&self, f: impl FnOnce(&mut Board) -> T) -> T {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let out = f(&mut board);
        self.generation.store(board.switch.generation(), Ordering::Release);
        out
    }
}

/// A connection's place on the switchboard; dropping it is leaving.
pub(super) struct Seat {
    relay: Arc<Relay>,
    conn: ConnId,
    pub(super) key: NodeKey,
    pub(super) outbox: Arc<Outbox>,
}

impl Seat {
    pub(super) fn relay(&self) -> &Relay {
        &self.relay
    }

    /// Where a packet to `to` goes. If `to` is not here, the sender may get a notice instead.
    pub(super) fn route(&self, to: &NodeKey, disco: bool) -> Option<Arc<Outbox>> {
        let now_ms = u64::try_from(self.relay.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.relay.change(|board| match board.switch.send(self.conn, to, disco, now_ms) {
            Delivery::To(conn) => board.outboxes.get(&conn).cloned(),
            Delivery::NotHere { tell } => {
                if tell {
                    self.outbox.notice(&Frame::PeerGone { peer: *to, reason: Gone::NotHere });
                }
                None
            }
            Delivery::Stranger => None,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.relay.change(|board| {
            let notices = board.switch.leave(self.conn);
            board.close(self.conn);
            board.tell(&notices);
        });
    }
}

#[derive(Default)]
struct Board {
    switch: Switchboard,
    outboxes: BTreeMap<ConnId, Arc<Outbox>>,
}

impl Board {
    fn close(&mut self, conn: ConnId) {
        if let Some(outbox) = self.outboxes.remove(&conn) {
            outbox.close();
        }
    }

    fn tell(&self, notices: &[Notice]) {
        for Notice { to, gone } in notices {
            let Some(outbox) = self.outboxes.get(to) else { continue };
            outbox.notice(&Frame::PeerGone { peer: *gone, reason: Gone::Disconnected });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Admits once.
    struct Fickle(AtomicU64);

    impl Admission for Fickle {
        fn admits(&self, _: &NodeKey) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed) == 0
        }
    }

    #[test]
    fn who_loses_the_right_while_taking_a_seat_gets_none() {
        let relay = Relay::new(Secret::new([1; 32]), Arc::new(Fickle(AtomicU64::new(0))));
        assert!(relay.admit(NodeKey::from_bytes([2; 32]).unwrap()).is_none());
        assert_eq!(relay.connections(), 0);
    }
}
