//! Publishes each World to the sessions that it concerns, as differences that are rendered once per viewer class.
//! Knows streams; what a node may see is decided in `netmap`.

mod blocks;
mod bodies;
mod frame;
mod log;
mod pace;
mod seat;
mod session;
mod tally;
#[cfg(test)]
mod tests;
mod whole;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use ident::{NodeId, NodeKey};
use netmap::{Concern, Site, Span};
use wire::{MapResponse, PingRequest};
use world::{Change, World};

use bodies::Bodies;
use log::Published;
use pace::{Pace, Turn};
use seat::Seats;
use whole::Atlas;

pub use frame::Encoding;
pub use session::Session;
pub use tally::Tally;

/// Where Worlds are published and streams are opened.
pub struct Hub {
    itself: Weak<Hub>,
    /// The World as it is.
    front: ArcSwap<Published>,
    /// As far as open streams may read; behind the front only while they wait for their turn.
    told: ArcSwap<Published>,
    posted: ArcSwap<Posted>,
    notice: ArcSwap<Notice>,
    seats: Mutex<Seats>,
    pace: Pace,
    bodies: Bodies,
    atlas: Atlas,
    keep_alive: [Bytes; 2],
    tally: Tally,
}

struct Posted {
    number: u64,
    site: Arc<Site>,
}

/// A line for people, shown by the clients of all that hold a stream.
#[derive(Default)]
struct Notice {
    number: u64,
    text: Option<String>,
}

impl Hub {
    /// Nobody listens yet.
    pub fn new(world: Arc<World>, site: Arc<Site>) -> Arc<Hub> {
        let first = Arc::new(Published::new(world));
        let beat = |encoding| frame::rendered(&MapResponse::keep_alive(), encoding).unwrap_or_default();
        Arc::new_cyclic(|itself| Hub {
            itself: itself.clone(),
            front: ArcSwap::new(first.clone()),
            told: ArcSwap::new(first),
            posted: ArcSwap::from_pointee(Posted { number: 0, site }),
            notice: ArcSwap::default(),
            seats: Mutex::default(),
            pace: Pace::default(),
            bodies: Bodies::default(),
            atlas: Atlas::default(),
            keep_alive: [beat(Encoding::Zstd), beat(Encoding::Plain)],
            tally: Tally::default(),
        })
    }

    /// The World as it is.
    pub fn world(&self) -> Arc<World> {
        self.front.load().world.clone()
    }

    /// What is the same for every node.
    pub fn site(&self) -> Arc<Site> {
        self.posted.load().site.clone()
    }

    /// How many streams are open.
    pub fn streams(&self) -> usize {
        self.seats().len()
    }

    /// What was sent so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How long news that are not urgent wait behind the ones before them.
    pub fn window(&self) -> Duration {
        self.pace.window()
    }

    /// The next World, and how it came from the one before. For the one writer: calls must not overlap.
    pub fn publish(&self, world: World, changes: Vec<Change>, now: Instant) {
        let before = self.front.load_full();
        let span = Span::new(before.world.clone(), Arc::new(world), &changes);
        let mut next = before.then(span.new.clone(), changes, now);
        if self.pace.may_forget(now) {
            next.forget(self.seats().oldest(self.told.load().seq));
        }
        let seq = next.seq;
        self.front.store(Arc::new(next));
        if seq == before.seq {
            return;
        }
        self.seats().note(Concern::new(&span), &span.new, seq);
        match self.pace.turn(span.tightens(), now) {
            Turn::Now => self.flush(),
            Turn::At(at) => self.flush_at(at),
            Turn::Later => {}
        }
    }

    /// Other relays: every stream is told.
    pub fn set_site(&self, site: Arc<Site>) {
        let number = self.posted.load().number + 1;
        self.posted.store(Arc::new(Posted { number, site }));
        self.seats().wake_all();
    }

    /// What every stream is told; gives the number of this notice.
    pub fn set_notice(&self, text: Option<String>) -> u64 {
        let seats = self.seats();
        let number = self.notice.load().number + 1;
        self.notice.store(Arc::new(Notice { number, text }));
        seats.wake_all();
        number
    }

    /// What streams are told, and the nodes whose stream took it up.
    pub fn notice(&self) -> (Option<String>, Vec<NodeId>) {
        let notice = self.notice.load();
        (notice.text.clone(), self.seats().noticed(notice.number))
    }

    /// Opens the stream of a node. Of two sessions of one node the one with the lower epoch ends.
    pub fn subscribe(self: &Arc<Hub>, node: NodeId, epoch: u64, encoding: Encoding) -> Session {
        let mut seats = self.seats();
        // Behind the lock: a World that is not noted yet is then the front already.
        let seat = seats.take(node, epoch, &self.front.load().world);
        drop(seats);
        Session::new(self.clone(), seat, encoding)
    }

    /// Asks the node something in its stream. False when it holds none here, or has not read what it was asked before.
    pub fn ask(&self, node: NodeId, question: PingRequest) -> bool {
        self.seats().of(node).is_some_and(|seat| seat.ask(question))
    }

    /// Ends the node's stream.
    pub fn kick(&self, node: NodeId) {
        self.seats().close(node);
    }

    /// The whole map of a node, framed as in a stream; none for a node that does not exist.
    pub fn once(&self, node: NodeId, encoding: Encoding) -> Option<Bytes> {
        let front = self.front.load_full();
        let viewer = front.world.nodes.get(node)?;
        match self.whole(&front, viewer, encoding) {
            Ok((_, parts)) => Some(parts.concat().into()),
            Err(e) => {
                tracing::error!(%node, error = %e, "a map could not be rendered");
                None
            }
        }
    }

    /// The last map of a node that was deleted, whose id may be forgotten, framed as in a stream.
    pub fn farewell(&self, id: Option<NodeId>, key: NodeKey, encoding: Encoding) -> Option<Bytes> {
        let (world, site) = (self.world(), self.site());
        let message = netmap::farewell(&world, (id, key), &site, jiff::Timestamp::now());
        frame::rendered(&message, encoding).inspect_err(|e| tracing::error!(error = %e, "no farewell")).ok()
    }

    /// What a stream says when it has nothing to say, at least once a minute.
    pub fn keep_alive(&self, encoding: Encoding) -> Bytes {
        let [zstd, plain] = &self.keep_alive;
        match encoding {
            Encoding::Zstd => zstd.clone(),
            Encoding::Plain => plain.clone(),
        }
    }

    /// Under the lock, so that what is told never goes back.
    fn flush(&self) {
        let mut seats = self.seats();
        let front = self.front.load_full();
        seats.wake_noted(front.seq, || self.told.store(front.clone()));
    }

    /// Without a runtime nobody can wait, and nobody listens.
    fn flush_at(&self, at: Instant) {
        let (Ok(runtime), Some(hub)) = (tokio::runtime::Handle::try_current(), self.itself.upgrade()) else {
            self.pace.waited(Instant::now());
            return self.flush();
        };
        runtime.spawn(async move {
            tokio::time::sleep_until(at.into()).await;
            hub.pace.waited(Instant::now());
            hub.flush();
        });
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        lock(&self.seats)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

/// What a panic left behind is no worse than what any step leaves.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
