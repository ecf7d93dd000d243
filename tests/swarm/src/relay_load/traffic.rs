//! Packets on their way: each says when it was sent, by which sender's count, and to whom.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use derp::Frame;
use ident::NodeKey;
use tokio::time::{sleep, sleep_until};

use super::{RelayArgs, line::Line};
use crate::report::histogram::{Histogram, Quantiles};

/// How often one reads that reads only now and then.
const NOW_AND_THEN: Duration = Duration::from_millis(500);
/// A sender that is later than that gives up what it has not sent.
const LATE: Duration = Duration::from_millis(200);

/// What senders do; the same for all of them.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    bytes: usize,
    burst: usize,
    /// Between two bursts; `None` sends as much as is taken.
    every: Option<Duration>,
    epoch: Instant,
}

impl Plan {
    pub fn new(args: &RelayArgs) -> Self {
        let senders = f64::from(args.pairs * args.senders);
        let every = args.rate.map(|rate| f64::from(args.burst) * senders / f64::from(rate));
        Self {
            bytes: args.bytes as usize,
            burst: args.burst as usize,
            every: every.map(Duration::from_secs_f64),
            epoch: Instant::now(),
        }
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// What all senders and receivers have seen.
pub struct Counts {
    pub sent: AtomicU64,
    pub delivered: AtomicU64,
    /// Packets that came to somebody else, from somebody else, twice or before an earlier one.
    pub wrong: AtomicU64,
    /// Connections that ended.
    pub ended: AtomicU64,
    latency: Histogram,
    stalled: AtomicBool,
}

impl Counts {
    pub fn new() -> Self {
        let zero = AtomicU64::default;
        let latency = Histogram::new();
        Self {
            sent: zero(),
            delivered: zero(),
            wrong: zero(),
            ended: zero(),
            latency,
            stalled: AtomicBool::new(false),
        }
    }

    /// From here on some receivers read only now and then.
    pub fn stall(&self) {
        self.stalled.store(true, Relaxed);
    }

    pub fn clear(&self) {
        self.sent.store(0, Relaxed);
        self.delivered.store(0, Relaxed);
        self.clear_latency();
    }

    pub fn clear_latency(&self) {
        self.latency.clear();
    }

    /// From a sender's write to the receiver, of receivers that always read.
    pub fn latency(&self) -> Quantiles {
        self.latency.quantiles()
    }

    fn is_stalled(&self) -> bool {
        self.stalled.load(Relaxed)
    }
}

/// Sends until it is stopped or the connection ends.
pub async fn send(mut line: Line, plan: Plan, to: NodeKey, counts: Arc<Counts>) {
    let mark = *to.as_bytes();
    let packet = Bytes::from(vec![0xda; plan.bytes]);
    let frame = Frame::SendPacket { to, packet }.to_bytes();
    let mut burst = frame.repeat(plan.burst);
    let mut number = 0u64;
    let mut due = tokio::time::Instant::now();
    loop {
        if let Some(every) = plan.every {
            due = (due + every).max(tokio::time::Instant::now().checked_sub(LATE).unwrap_or(due));
            sleep_until(due).await;
        }
        for frame in burst.chunks_mut(frame.len()) {
            let packet = &mut frame[frame_head()..];
            packet[..8].copy_from_slice(&plan.now_us().to_be_bytes());
            packet[8..16].copy_from_slice(&number.to_be_bytes());
            packet[16..24].copy_from_slice(&mark[..8]);
            number += 1;
        }
        if line.write(&burst).await.is_err() {
            counts.ended.fetch_add(1, Relaxed);
            return;
        }
        counts.sent.fetch_add(plan.burst as u64, Relaxed);
    }
}

/// Receives until it is stopped or the connection ends; only packets of these senders are right.
pub async fn receive(mut line: Line, plan: Plan, from: Vec<NodeKey>, stalls: bool, counts: Arc<Counts>) {
    let mut next: BTreeMap<NodeKey, u64> = from.into_iter().map(|key| (key, 0)).collect();
    loop {
        if stalls && counts.is_stalled() {
            sleep(NOW_AND_THEN).await;
        }
        if line.more().await.is_err() {
            counts.ended.fetch_add(1, Relaxed);
            return;
        }
        let now = plan.now_us();
        let mut delivered = 0;
        loop {
            let frame = match line.decoder.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => {
                    counts.wrong.fetch_add(1, Relaxed);
                    return;
                }
            };
            let Frame::RecvPacket { from, packet } = frame else { continue };
            let Some(sent_us) = checked(&packet, plan.bytes, &line.key, next.get_mut(&from)) else {
                counts.wrong.fetch_add(1, Relaxed);
                continue;
            };
            delivered += 1;
            if !stalls {
                counts.latency.record(Duration::from_micros(now.saturating_sub(sent_us)));
            }
        }
        counts.delivered.fetch_add(delivered, Relaxed);
    }
}

/// When the packet was sent, if it belongs here and comes after what its sender sent before.
fn checked(packet: &[u8], bytes: usize, own: &NodeKey, next: Option<&mut u64>) -> Option<u64> {
    let (sent, rest) = packet.split_first_chunk::<8>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (number, next) = (u64::from_be_bytes(*number), next?);
    let right = packet.len() == bytes && rest.starts_with(&own.as_bytes()[..8]) && number >= *next;
    *next = number + 1;
    right.then_some(u64::from_be_bytes(*sent))
}

/// Bytes of a SendPacket frame in front of its packet.
const fn frame_head() -> usize {
    derp::recv_packet_bytes(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_it_was_sent_is_noticed() {
        let own = NodeKey::from_bytes([5; 32]).unwrap();
        let packet = |number: u64, to: u8| {
            [7u64.to_be_bytes().to_vec(), number.to_be_bytes().to_vec(), vec![to; 8], vec![0; 6]].concat()
        };
        let mut next = 0;
        assert_eq!(checked(&packet(0, 5), 30, &own, Some(&mut next)), Some(7));
        assert_eq!(checked(&packet(4, 5), 30, &own, Some(&mut next)), Some(7), "drops are allowed");
        assert_eq!(checked(&packet(4, 5), 30, &own, Some(&mut next)), None, "twice");
        assert_eq!(checked(&packet(2, 5), 30, &own, Some(&mut next)), None, "late");
        assert_eq!(checked(&packet(9, 6), 30, &own, Some(&mut next)), None, "for somebody else");
        assert_eq!(checked(&packet(10, 5), 31, &own, Some(&mut next)), None, "cut");
        assert_eq!(checked(&packet(11, 5), 30, &own, None), None, "from somebody else");
    }
}
