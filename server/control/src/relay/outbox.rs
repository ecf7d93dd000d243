//! What waits to be written to one connection: bounded, with path discovery beside the data so that neither
//! pushes out the other.

mod lane;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use derp::Frame;
use ident::NodeKey;
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

use super::tally::{Dropped, Tally};
pub(super) use lane::LANE_FRAMES;
use lane::{Full, Waiting};

const NOTICE_FRAMES: usize = 256;
const ROOM_WAIT: Duration = Duration::from_millis(5);
/// A writer that gets rid of a batch within that time is busy, not stuck: it is waited for twice as long as it took.
const BUSY: Duration = Duration::from_millis(50);

/// The queue in front of one connection.
#[derive(Debug)]
pub(super) struct Outbox {
    queues: Mutex<Queues>,
    ready: Notify,
    room: Notify,
    closed: CancellationToken,
    /// Microseconds that writing a batch takes of late.
    took_us: AtomicU64,
    tally: Arc<Tally>,
}

/// Which queue a packet waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Disco,
    Data,
}

impl Outbox {
    pub(super) fn new(tally: Arc<Tally>) -> Self {
        Self {
            queues: Mutex::default(),
            ready: Notify::new(),
            room: Notify::new(),
            closed: CancellationToken::new(),
            took_us: AtomicU64::new(0),
            tally,
        }
    }

    /// Queues packets of one sender. A full lane holds the caller (who thereby stops reading its source) until
    /// nothing was taken for 5 ms, or for twice the time that a batch takes where that is short; then the oldest packets
    /// make room. A reader that never paused would burn the core its writer needs, and one that waited long would keep
    /// what it has for others.
    pub(super) async fn deliver(&self, lane: Lane, from: &NodeKey, packets: &[Bytes]) {
        let mut rest = self.put(lane, from, packets, Full::Refuse);
        while !rest.is_empty() {
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            rest = self.put(lane, from, rest, Full::Refuse);
            if !rest.is_empty() && timeout(self.patience(), room).await.is_err() {
                rest = self.put(lane, from, rest, Full::DropOldest);
            }
        }
    }

    /// Writing a batch took so long; for the one writer.
    pub(super) fn wrote(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let late = match self.took_us.load(Relaxed) {
            0 => took,
            // One late batch among many makes nobody slow.
            before => before - before / 4 + took / 4,
        };
        self.took_us.store(late, Relaxed);
    }

    fn patience(&self) -> Duration {
        match Duration::from_micros(self.took_us.load(Relaxed)) {
            took if took <= BUSY => ROOM_WAIT.max(2 * took),
            _ => ROOM_WAIT,
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

    /// Moves everything that waits into `batch`, which is empty. When nothing does, the queues hold no memory.
    pub(super) fn fill(&self, batch: &mut Vec<u8>) {
        let mut queues = self.lock();
        if let Some(data) = queues.pong.take() {
            Frame::Pong(data).encode(batch);
        }
        queues.notices.drain(..).for_each(|frame| batch.extend_from_slice(&frame));
        for lane in [Lane::Disco, Lane::Data] {
            let lane = queues.lane(lane);
            if !lane.is_empty() {
                lane.take(batch);
            }
        }
        if batch.is_empty() {
            queues.shrink();
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
        let left = std::mem::take(&mut *self.lock());
        self.tally.dropped(Dropped::Left, left.disco.frames() + left.data.frames());
        self.room.notify_waiters();
    }

    /// Resolves when the connection must end.
    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Answers the packets that found no room.
    fn put<'a>(&self, lane: Lane, from: &NodeKey, packets: &'a [Bytes], full: Full) -> &'a [Bytes] {
        let mut queues = self.lock();
        if self.closed.is_cancelled() {
            self.tally.dropped(Dropped::Left, packets.len());
            return &[];
        }
        let put = queues.lane(lane).put(from, packets, full);
        drop(queues);
        let (taken, rest) = packets.split_at(put.taken.min(packets.len()));
        if !taken.is_empty() {
            self.ready.notify_one();
            self.tally.passed(taken.len(), taken.iter().map(Bytes::len).sum());
            self.tally.dropped(Dropped::QueueFull, put.dropped);
        }
        rest
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

impl Queues {
    fn lane(&mut self, lane: Lane) -> &mut Waiting {
        match lane {
            Lane::Disco => &mut self.disco,
            Lane::Data => &mut self.data,
        }
    }

    fn shrink(&mut self) {
        self.disco.shrink();
        self.data.shrink();
        self.notices = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use derp::Decoder;
    use futures_util::FutureExt;
    use std::{future::poll_fn, task::Poll, time::Instant};

    fn outbox() -> Outbox {
        Outbox::new(Arc::default())
    }

    fn sender() -> NodeKey {
        NodeKey::from_bytes([9; 32]).unwrap()
    }

    fn packets(numbers: std::ops::Range<usize>) -> Vec<Bytes> {
        numbers.map(|n| Bytes::from(vec![n as u8])).collect()
    }

    /// The first byte of each packet.
    fn taken(outbox: &Outbox) -> Vec<u8> {
        let mut batch = Vec::new();
        outbox.fill(&mut batch);
        let (mut decoder, mut numbers) = (Decoder::new(), Vec::new());
        decoder.push(&batch);
        while let Some(frame) = decoder.next_frame().unwrap() {
            let Frame::RecvPacket { from, packet } = frame else { continue };
            assert_eq!(from, sender());
            numbers.push(packet[0]);
        }
        numbers
    }

    #[tokio::test]
    async fn a_full_lane_waits_once_then_drops_the_oldest() {
        let outbox = outbox();
        outbox.deliver(Lane::Data, &sender(), &packets(0..32)).await;
        let start = Instant::now();
        outbox.deliver(Lane::Data, &sender(), &packets(32..33)).await;
        assert!(start.elapsed() >= ROOM_WAIT);
        for n in 33..64 {
            let delivered = outbox.deliver(Lane::Data, &sender(), &packets(n..n + 1)).now_or_never();
            delivered.expect("a stalled lane holds nobody");
        }
        outbox.deliver(Lane::Disco, &sender(), &packets(200..201)).await;
        assert_eq!(taken(&outbox), [vec![200], (32..64).collect()].concat());
        let traffic = outbox.tally.traffic();
        assert_eq!((traffic.packets, traffic.bytes, traffic.queue_full), (65, 65, 32));
    }

    #[tokio::test]
    async fn who_is_busy_is_waited_for_and_who_is_slow_is_not() {
        let outbox = outbox();
        assert_eq!(outbox.patience(), ROOM_WAIT);
        outbox.wrote(Duration::from_millis(20));
        assert_eq!(outbox.patience(), Duration::from_millis(40));
        outbox.wrote(BUSY * 3);
        assert_eq!(outbox.patience(), ROOM_WAIT);
        outbox.wrote(Duration::from_millis(40));
        outbox.deliver(Lane::Data, &sender(), &packets(0..32)).await;
        let start = Instant::now();
        outbox.deliver(Lane::Data, &sender(), &packets(32..33)).await;
        assert!(start.elapsed() >= Duration::from_millis(80), "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn room_ends_the_wait_at_once() {
        let outbox = outbox();
        let (from, all) = (sender(), packets(0..70));
        let mut waiting = std::pin::pin!(outbox.deliver(Lane::Data, &from, &all));
        let mut done = async || poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_ready())).await;
        assert!(!done().await);
        assert_eq!(taken(&outbox).len(), 32);
        assert!(!done().await);
        assert_eq!(taken(&outbox).len(), 32);
        assert!(done().await);
        assert_eq!(taken(&outbox), [64, 65, 66, 67, 68, 69]);
        assert_eq!(outbox.tally.traffic().queue_full, 0);
    }

    #[tokio::test]
    async fn nothing_is_lost_while_the_writer_writes() {
        let outbox = Arc::new(outbox());
        let sending = tokio::spawn({
            let outbox = Arc::clone(&outbox);
            async move {
                for n in 0..200 {
                    outbox.deliver(Lane::Data, &sender(), &packets(n..n + 1)).await;
                }
            }
        });
        let mut got = Vec::new();
        while got.len() < 200 {
            tokio::time::timeout(Duration::from_secs(30), outbox.ready()).await.unwrap();
            got.extend(taken(&outbox));
        }
        sending.await.unwrap();
        assert_eq!(got, (0..200).collect::<Vec<u8>>());
    }

    #[tokio::test]
    async fn a_closed_outbox_holds_nothing() {
        let outbox = outbox();
        outbox.deliver(Lane::Data, &sender(), &packets(0..3)).await;
        outbox.close();
        for n in 0..100 {
            outbox.deliver(Lane::Data, &sender(), &packets(n..n + 1)).await;
            outbox.notice(&Frame::KeepAlive);
        }
        outbox.closed().await;
        assert!(taken(&outbox).is_empty());
        assert_eq!(outbox.tally.traffic().left, 103);
    }

    #[test]
    fn pongs_and_notices_are_bounded() {
        let outbox = outbox();
        for n in 0..10_000u32 {
            outbox.pong([n as u8; 8]);
            outbox.notice(&Frame::KeepAlive);
        }
        let mut batch = Vec::new();
        outbox.fill(&mut batch);
        assert_eq!(batch.len(), 13 + 5 * NOTICE_FRAMES);
        assert_eq!(batch[5..13], [(9_999u32 % 256) as u8; 8]);
    }
}
