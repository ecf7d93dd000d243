//! Who holds a stream: one session per node, the newest.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use ident::NodeId;
use netmap::Concern;
use tokio::sync::Notify;
use wire::PingRequest;
use world::{ClassId, World};

/// Questions that wait for a client that reads nothing.
const MOST_QUESTIONS: usize = 4;

/// How a session is reached.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) node: NodeId,
    epoch: u64,
    wake: Notify,
    closed: AtomicBool,
    questions: Mutex<Vec<PingRequest>>,
}

impl Seat {
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
    /// What the client is to be asked.
    pub(super) fn questions(&self) -> Vec<PingRequest> {
        std::mem::take(&mut *self.lock())
    }
    /// False when the client has not yet read what it was asked before.
    pub(super) fn ask(&self, question: PingRequest) -> bool {
        let mut questions = self.lock();
        let has_room = questions.len() < MOST_QUESTIONS;
        if has_room {
            questions.push(question);
            drop(questions);
            self.wake();
        }
        has_room
    }
    fn lock(&self) -> MutexGuard<'_, Vec<PingRequest>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
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
    by_node: BTreeMap<NodeId, Holder>,
    /// The same nodes, so that whole classes are passed over with one look.
    by_class: BTreeMap<Option<ClassId>, BTreeSet<NodeId>>,
    pending: BTreeSet<NodeId>,
}

/// A seat, and the class of the node that has it.
#[derive(Debug)]
struct Holder {
    seat: Arc<Seat>,
    class: Option<ClassId>,
}

impl Seats {
    /// A new seat in this World, which is the last one noted or a later one. Of two for one node the one with the lower
    /// epoch is closed.
    pub(super) fn take(&mut self, node: NodeId, epoch: u64, world: &World) -> Arc<Seat> {
        let seat = Arc::new(Seat {
            node,
            epoch,
            wake: Notify::new(),
            closed: AtomicBool::new(false),
            questions: Mutex::default(),
        });
        match self.by_node.get(&node) {
            Some(newer) if newer.seat.epoch > epoch => seat.close(),
            other => {
                if let Some(older) = other {
                    older.seat.close();
                }
                self.remove(node);
                let class = class_of(node, world);
                self.by_node.insert(node, Holder { seat: seat.clone(), class });
                self.by_class.entry(class).or_default().insert(node);
            }
        }
        seat
    }

    /// The seat is free, unless somebody else has it already.
    pub(super) fn leave(&mut self, seat: &Arc<Seat>) {
        if self.by_node.get(&seat.node).is_some_and(|other| Arc::ptr_eq(&other.seat, seat)) {
            self.remove(seat.node);
        }
    }

    pub(super) fn close(&mut self, node: NodeId) {
        if let Some(seat) = self.remove(node) {
            seat.close();
        }
    }

    pub(super) fn of(&self, node: NodeId) -> Option<&Seat> {
        self.by_node.get(&node).map(|holder| &*holder.seat)
    }

    /// Notes whom something concerns that led to this World.
    pub(super) fn note(&mut self, mut concern: Concern, world: &World) {
        if concern.is_everybody() {
            self.by_class.clear();
            for (node, holder) in &mut self.by_node {
                holder.class = class_of(*node, world);
                self.by_class.entry(holder.class).or_default().insert(*node);
            }
            self.pending.extend(self.by_node.keys());
            return;
        }
        for node in concern.named() {
            let Some(holder) = self.by_node.get_mut(&node) else { continue };
            unfile(&mut self.by_class, node, holder.class);
            holder.class = class_of(node, world);
            self.by_class.entry(holder.class).or_default().insert(node);
            self.pending.insert(node);
        }
        for (class, members) in &self.by_class {
            if members.first().is_some_and(|member| concern.of_class(*class, *member)) {
                self.pending.extend(members);
            }
        }
    }

    pub(super) fn wake_noted(&mut self) {
        for node in std::mem::take(&mut self.pending) {
            if let Some(holder) = self.by_node.get(&node) {
                holder.seat.wake();
            }
        }
    }

    pub(super) fn wake_all(&self) {
        self.by_node.values().for_each(|holder| holder.seat.wake());
    }

    pub(super) fn len(&self) -> usize {
        self.by_node.len()
    }

    fn remove(&mut self, node: NodeId) -> Option<Arc<Seat>> {
        let holder = self.by_node.remove(&node)?;
        unfile(&mut self.by_class, node, holder.class);
        Some(holder.seat)
    }
}

fn unfile(by_class: &mut BTreeMap<Option<ClassId>, BTreeSet<NodeId>>, node: NodeId, class: Option<ClassId>) {
    if let Some(members) = by_class.get_mut(&class) {
        members.remove(&node);
        if members.is_empty() {
            by_class.remove(&class);
        }
    }
}

fn class_of(node: NodeId, world: &World) -> Option<ClassId> {
    world.nodes.get(node).and_then(|n| n.class)
}
