//! What the relay has passed on, and what it has not and why.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters that all connections of a relay share; added to once per batch.
#[derive(Debug, Default)]
pub(super) struct Tally {
    packets: AtomicU64,
    bytes: AtomicU64,
    queue_full: AtomicU64,
    not_here: AtomicU64,
    left: AtomicU64,
}

/// Why a packet was not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    /// Its addressee takes less than is sent to it; the oldest packet made room.
    QueueFull,
    /// Its addressee is not connected.
    NotHere,
    /// Its addressee left before it was written.
    Left,
}

/// Since the relay started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets handed to the connection of their addressee.
    pub packets: u64,
    /// Bytes in those packets.
    pub bytes: u64,
    /// Packets that made room for newer ones.
    pub queue_full: u64,
    /// Packets whose addressee was not connected.
    pub not_here: u64,
    /// Packets whose addressee left before they were written.
    pub left: u64,
}

impl Tally {
    pub(super) fn passed(&self, packets: usize, bytes: usize) {
        self.packets.fetch_add(packets as u64, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn dropped(&self, reason: Dropped, packets: usize) {
        if packets > 0 {
            let counter = match reason {
                Dropped::QueueFull => &self.queue_full,
                Dropped::NotHere => &self.not_here,
                Dropped::Left => &self.left,
            };
            counter.fetch_add(packets as u64, Relaxed);
        }
    }

    pub(super) fn traffic(&self) -> Traffic {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        Traffic {
            packets: read(&self.packets),
            bytes: read(&self.bytes),
            queue_full: read(&self.queue_full),
            not_here: read(&self.not_here),
            left: read(&self.left),
        }
    }
}
