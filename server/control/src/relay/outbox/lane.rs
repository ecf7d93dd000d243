//! Packets that wait for one connection, ready to be written: frames in a row in one buffer.

use bytes::Bytes;
use derp::{HEADER_BYTES, put_recv_packet, recv_packet_bytes};
use ident::NodeKey;

/// Packets that may wait.
pub(in crate::relay) const LANE_FRAMES: usize = 32;

/// What to do when no more may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    Refuse,
    DropOldest,
}

/// One queue. After somebody waited in vain it is stalled: until its writer takes something again, nobody else
/// waits for it, so that one dead reader does not hold up what its senders have for others.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Frames, each whole; the ones before `head` were dropped.
    bytes: Vec<u8>,
    head: usize,
    frames: usize,
    stalled: bool,
}

/// What came of packets that were to wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Put {
    /// So many of them, the first ones, wait.
    pub taken: usize,
    /// So many that waited were dropped for them.
    pub dropped: usize,
}

impl Waiting {
    /// Queues packets of one sender, in their order.
    pub(super) fn put(&mut self, from: &NodeKey, packets: &[Bytes], full: Full) -> Put {
        let mut put = Put::default();
        let room = LANE_FRAMES.saturating_sub(self.frames);
        let wanted: usize = packets.iter().take(room).map(|packet| recv_packet_bytes(packet.len())).sum();
        self.bytes.reserve(wanted);
        for packet in packets {
            if self.frames >= LANE_FRAMES {
                if full == Full::Refuse && !self.stalled {
                    break;
                }
                self.stalled = true;
                self.drop_oldest();
                put.dropped += 1;
            }
            put_recv_packet(&mut self.bytes, from, packet);
            self.frames += 1;
            put.taken += 1;
        }
        put
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// Moves everything to the end of `batch`; into an empty one without copying, its room is kept for later.
    pub(super) fn take(&mut self, batch: &mut Vec<u8>) {
        self.bytes.drain(..self.head);
        if batch.is_empty() {
            std::mem::swap(batch, &mut self.bytes);
        } else {
            batch.append(&mut self.bytes);
        }
        (self.head, self.frames, self.stalled) = (0, 0, false);
    }

    /// Gives back the memory of an empty queue.
    pub(super) fn shrink(&mut self) {
        if self.frames == 0 {
            *self = Self { stalled: self.stalled, ..Self::default() };
        }
    }

    /// How many wait.
    pub(super) fn frames(&self) -> usize {
        self.frames
    }

    fn drop_oldest(&mut self) {
        let Some(length) = self.bytes.get(self.head..).and_then(frame_bytes) else { return };
        self.head += length;
        self.frames -= 1;
        // What was dropped never takes more room than what waits, or than a little.
        if self.head >= (self.bytes.len() - self.head).max(MAX_DROPPED_BYTES) {
            self.bytes.drain(..self.head);
            self.head = 0;
        }
    }
}

const MAX_DROPPED_BYTES: usize = 4 << 10;

/// How long the frame at the beginning is: its header says so.
fn frame_bytes(frames: &[u8]) -> Option<usize> {
    let [_kind, length @ ..] = *frames.first_chunk::<HEADER_BYTES>()?;
    Some(HEADER_BYTES + u32::from_be_bytes(length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use derp::{Decoder, Frame};
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[derive(Debug, Clone)]
    enum Step {
        Put(Vec<Vec<u8>>, bool),
        Take(bool),
        Shrink,
    }

    fn step() -> impl Strategy<Value = Step> {
        let packets = || prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..40);
        prop_oneof![
            4 => (packets(), any::<bool>()).prop_map(|(packets, force)| Step::Put(packets, force)),
            1 => any::<bool>().prop_map(Step::Take),
            1 => Just(Step::Shrink),
        ]
    }

    fn packets_in(batch: &[u8]) -> Vec<Vec<u8>> {
        let (mut decoder, mut packets) = (Decoder::new(), Vec::new());
        decoder.push(batch);
        while let Some(frame) = decoder.next_frame().unwrap() {
            let Frame::RecvPacket { packet, .. } = frame else { panic!("{frame:?}") };
            packets.push(packet.to_vec());
        }
        packets
    }

    proptest! {
        /// The same as a queue of packets, which is bounded and forgets its oldest.
        #[test]
        fn it_is_a_bounded_queue(steps in prop::collection::vec(step(), 0..40)) {
            let from = NodeKey::from_bytes([3; 32]).unwrap();
            let (mut lane, mut model, mut stalled) = (Waiting::default(), VecDeque::new(), false);
            for step in steps {
                match step {
                    Step::Put(packets, force) => {
                        let full = if force { Full::DropOldest } else { Full::Refuse };
                        let bytes: Vec<_> = packets.iter().cloned().map(Bytes::from).collect();
                        let put = lane.put(&from, &bytes, full);
                        let mut expected = Put::default();
                        for packet in packets {
                            if model.len() == LANE_FRAMES {
                                if !force && !stalled {
                                    break;
                                }
                                stalled = true;
                                model.pop_front();
                                expected.dropped += 1;
                            }
                            model.push_back(packet);
                            expected.taken += 1;
                        }
                        prop_assert_eq!(put, expected);
                    }
                    Step::Take(into_empty) => {
                        let before = if into_empty { Vec::new() } else { b"\x06\0\0\0\0".to_vec() };
                        let mut batch = before.clone();
                        lane.take(&mut batch);
                        prop_assert!(batch.starts_with(&before));
                        prop_assert_eq!(packets_in(&batch[before.len()..]), Vec::from(std::mem::take(&mut model)));
                        stalled = false;
                    }
                    Step::Shrink => lane.shrink(),
                }
                prop_assert_eq!((lane.frames(), lane.is_empty()), (model.len(), model.is_empty()));
                let waiting: usize = model.iter().map(|packet| recv_packet_bytes(packet.len())).sum();
                prop_assert!(lane.bytes.len() <= 2 * waiting + MAX_DROPPED_BYTES + recv_packet_bytes(600));
            }
        }
    }
}
