//! Who holds a stream: one session per node, the newest.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ident::NodeId;
use netmap::Concern;
use tokio::sync::Notify;

/// How a session is reached.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) node: NodeId,
    epoch: u64,
    wake: Notify,
    closed: AtomicBool,
}

impl Seat {
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
    /// Returns when there may be news since the last call.
    pub(super) async fn news(&self) {
        self.wake.notified().await;
    }
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }
    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake();
    }
}

/// All seats, and whose holders are to be woken at the next turn.
#[derive(Debug, Default)]
pub(super) struct Seats {
    by_node: BTreeMap<NodeId, Arc<Seat>>,
    pending: BTreeSet<NodeId>,
}

impl Seats {
    /// A new seat. Of two for one node the one with the lower epoch is closed.
    pub(super) fn take(&mut self, node: NodeId, epoch: u64) -> Arc<Seat> {
        let seat = Arc::new(Seat { node, epoch, wake: Notify::new(), closed: AtomicBool::new(false) });
        match self.by_node.get(&node) {
            Some(newer) if newer.epoch > epoch => seat.close(),
            other => {
                if let Some(older) = other {
                    older.close();
                }
                self.by_node.insert(node, seat.clone());
            }
        }
        seat
    }

    /// The seat is free, unless somebody else has it already.
    pub(super) fn leave(&mut self, seat: &Arc<Seat>) {
        if self.by_node.get(&seat.node).is_some_and(|other| Arc::ptr_eq(other, seat)) {
            self.by_node.remove(&seat.node);
        }
    }

    pub(super) fn close(&mut self, node: NodeId) {
        if let Some(seat) = self.by_node.remove(&node) {
            seat.close();
        }
    }

    /// Notes whom something concerns.
    pub(super) fn note(&mut self, mut concern: Concern) {
        self.pending.extend(self.by_node.keys().filter(|node| concern.of(**node)));
    }

    pub(super) fn wake_noted(&mut self) {
        for node in std::mem::take(&mut self.pending) {
            if let Some(seat) = self.by_node.get(&node) {
                seat.wake();
            }
        }
    }

    pub(super) fn wake_all(&self) {
        self.by_node.values().for_each(|seat| seat.wake());
    }

    pub(super) fn len(&self) -> usize {
        self.by_node.len()
    }
}
