//! What waits to be written to one connection: bounded, with path discovery beside the data so that neither
//! pushes out the other.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use derp::Frame;
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

const LANE_FRAMES: usize = 32;
const NOTICE_FRAMES: usize = 256;
const ROOM_WAIT: Duration = Duration::from_millis(5);

/// The queue in front of one connection.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queues: Mutex<Queues>,
    ready: Notify,
    room: Notify,
    closed: CancellationToken,
}

/// Which queue a packet waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Disco,
    Data,
}

impl Outbox {
    /// Queues a packet. A full lane holds the caller (who thereby stops reading its source) for at most 5 ms; then
    /// the oldest packet makes room. A reader that never paused would burn the core its writer needs.
    pub(super) async fn deliver(&self, lane: Lane, frame: Bytes) {
        if self.put(lane, &frame, Full::Refuse) {
            return;
        }
        let patient = async {
            loop {
                let mut room = std::pin::pin!(self.room.notified());
                room.as_mut().enable();
                if self.put(lane, &frame, Full::Refuse) {
                    return;
                }
                room.await;
            }
        };
        if timeout(ROOM_WAIT, patient).await.is_err() {
            self.put(lane, &frame, Full::DropOldest);
        }
    }

    /// Queues the news that a peer is gone; beyond the bound it is dropped, and the client finds out by itself.
    pub(super) fn notice(&self, frame: &Frame) {
        let mut queues = self.lock();
        if queues.notices.len() < NOTICE_FRAMES && !self.closed.is_cancelled() {
            queues.notices.push_back(frame.to_bytes());
            self.ready.notify_one();
        }
    }

    /// Answers a ping; only the latest one that is still unanswered counts.
    pub(super) fn pong(&self, data: [u8; 8]) {
        self.lock().pong = Some(data);
        self.ready.notify_one();
    }

    /// Moves frames to `batch` until it has at least `enough` bytes or nothing waits.
    pub(super) fn fill(&self, batch: &mut Vec<u8>, enough: usize) {
        let mut queues = self.lock();
        if let Some(data) = queues.pong.take() {
            Frame::Pong(data).encode(batch);
        }
        while batch.len() < enough {
            let round = [queues.notices.pop_front(), queues.disco.take(), queues.data.take()];
            if round.iter().all(Option::is_none) {
                break;
            }
            round.iter().flatten().for_each(|frame| batch.extend_from_slice(frame));
        }
        drop(queues);
        self.room.notify_waiters();
    }

    /// Resolves when something may be waiting.
    pub(super) async fn ready(&self) {
        self.ready.notified().await;
    }

    /// The connection must end at once; what waits is dropped, and so is all that comes.
    pub(super) fn close(&self) {
        self.closed.cancel();
        *self.lock() = Queues::default();
        self.room.notify_waiters();
    }

    /// Resolves when the connection must end.
    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    fn put(&self, lane: Lane, frame: &Bytes, full: Full) -> bool {
        let mut queues = self.lock();
        if self.closed.is_cancelled() {
            return true;
        }
        let lane = match lane {
            Lane::Disco => &mut queues.disco,
            Lane::Data => &mut queues.data,
        };
        let put = lane.put(frame, full);
        if put {
            self.ready.notify_one();
        }
        put
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Queues {
    pong: Option<[u8; 8]>,
    notices: VecDeque<Bytes>,
    disco: Waiting,
    data: Waiting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    Refuse,
    DropOldest,
}

/// One lane. After somebody waited in vain it is stalled: until its writer takes something again, nobody else
/// waits for it, so that one dead reader does not hold up what its senders have for others.
#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Bytes>,
    stalled: bool,
}

impl Waiting {
    fn put(&mut self, frame: &Bytes, full: Full) -> bool {
        if self.frames.len() >= LANE_FRAMES {
            if full == Full::Refuse && !self.stalled {
                return false;
            }
            self.stalled = true;
            self.frames.pop_front();
        }
        self.frames.push_back(frame.clone());
        true
    }

    fn take(&mut self) -> Option<Bytes> {
        self.stalled = false;
        self.frames.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::poll_fn, sync::Arc, task::Poll, time::Instant};

    fn frame(n: usize) -> Bytes {
        Bytes::from(vec![n as u8])
    }

    fn taken(outbox: &Outbox) -> Vec<u8> {
        let mut batch = Vec::new();
        outbox.fill(&mut batch, usize::MAX);
        batch
    }

    #[tokio::test]
    async fn a_full_lane_waits_once_then_drops_the_oldest() {
        let outbox = Outbox::default();
        for n in 0..32 {
            outbox.deliver(Lane::Data, frame(n)).await;
        }
        let start = Instant::now();
        outbox.deliver(Lane::Data, frame(32)).await;
        assert!(start.elapsed() >= ROOM_WAIT);
        let start = Instant::now();
        for n in 33..64 {
            outbox.deliver(Lane::Data, frame(n)).await;
        }
        assert!(start.elapsed() < ROOM_WAIT * 31, "a stalled lane holds nobody");
        outbox.deliver(Lane::Disco, frame(200)).await;
        assert_eq!(taken(&outbox), [vec![200], (32..64).collect()].concat());
    }

    #[tokio::test]
    async fn room_ends_the_wait_at_once() {
        let outbox = Outbox::default();
        for n in 0..32 {
            outbox.deliver(Lane::Data, frame(n)).await;
        }
        let mut waiting = std::pin::pin!(outbox.deliver(Lane::Data, frame(32)));
        let mut done = async || poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_ready())).await;
        assert!(!done().await);
        assert_eq!(taken(&outbox).len(), 32);
        assert!(done().await);
        assert_eq!(taken(&outbox), [32]);
    }

    #[tokio::test]
    async fn nothing_is_lost_while_the_writer_writes() {
        let outbox = Arc::new(Outbox::default());
        let sender = tokio::spawn({
            let outbox = Arc::clone(&outbox);
            async move {
                for n in 0..200 {
                    outbox.deliver(Lane::Data, frame(n)).await;
                }
            }
        });
        let mut got = Vec::new();
        while got.len() < 200 {
            tokio::time::timeout(Duration::from_secs(5), outbox.ready()).await.unwrap();
            got.extend(taken(&outbox));
        }
        sender.await.unwrap();
        assert_eq!(got, (0..200).collect::<Vec<u8>>());
    }

    #[tokio::test]
    async fn a_closed_outbox_holds_nothing() {
        let outbox = Outbox::default();
        outbox.deliver(Lane::Data, frame(1)).await;
        outbox.close();
        for n in 0..100 {
            outbox.deliver(Lane::Data, frame(n)).await;
            outbox.notice(&Frame::KeepAlive);
        }
        outbox.closed().await;
        assert!(taken(&outbox).is_empty());
    }

    #[test]
    fn pongs_and_notices_are_bounded() {
        let outbox = Outbox::default();
        for n in 0..10_000u32 {
            outbox.pong([n as u8; 8]);
            outbox.notice(&Frame::KeepAlive);
        }
        let batch = taken(&outbox);
        assert_eq!(batch.len(), 13 + 5 * NOTICE_FRAMES);
        assert_eq!(batch[5..13], [(9_999u32 % 256) as u8; 8]);
    }
}
