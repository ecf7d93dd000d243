//! Packets of one sender to the outboxes of their addressees, as many at a time as go the same way.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use derp::is_disco;
use ident::NodeKey;

use super::{
    outbox::{LANE_FRAMES, Lane, Outbox},
    switch::Seat,
    tally::Dropped,
};

const MAX_CACHED_ROUTES: usize = 1024;

/// Holds packets until one goes another way.
pub(super) struct Sorter<'a> {
    seat: &'a Seat,
    generation: u64,
    routes: HashMap<NodeKey, Arc<Outbox>>,
    way: Option<(NodeKey, Lane)>,
    packets: Vec<Bytes>,
}

impl<'a> Sorter<'a> {
    pub(super) fn new(seat: &'a Seat) -> Self {
        let generation = seat.relay().generation();
        Self { seat, generation, routes: HashMap::new(), way: None, packets: Vec::new() }
    }

    /// Takes one more packet; what goes another way is delivered before.
    pub(super) async fn pass_on(&mut self, to: NodeKey, packet: Bytes) {
        let way = (to, if is_disco(&packet) { Lane::Disco } else { Lane::Data });
        if self.way != Some(way) || self.packets.len() >= LANE_FRAMES {
            self.flush().await;
            self.way = Some(way);
        }
        self.packets.push(packet);
    }

    /// Delivers what is held.
    pub(super) async fn flush(&mut self) {
        let Some((to, lane)) = self.way.take() else { return };
        let packets = std::mem::take(&mut self.packets);
        let mut rest = packets.as_slice();
        // Each packet to somebody who is not here counts: its sender may be told.
        while let [_, behind @ ..] = rest {
            let Some(outbox) = self.route(&to, lane) else {
                self.seat.relay().tally().dropped(Dropped::NotHere, 1);
                rest = behind;
                continue;
            };
            outbox.deliver(lane, &self.seat.key, rest).await;
            rest = &[];
        }
        self.packets = packets;
        self.packets.clear();
    }

    /// The switchboard's lock is taken only for a destination that is new since the membership last changed.
    fn route(&mut self, to: &NodeKey, lane: Lane) -> Option<Arc<Outbox>> {
        let generation = self.seat.relay().generation();
        if generation != self.generation || self.routes.len() >= MAX_CACHED_ROUTES {
            self.routes.clear();
            self.generation = generation;
        }
        if let Some(outbox) = self.routes.get(to) {
            return Some(Arc::clone(outbox));
        }
        let outbox = self.seat.route(to, lane == Lane::Disco)?;
        self.routes.insert(*to, Arc::clone(&outbox));
        Some(outbox)
    }
}
