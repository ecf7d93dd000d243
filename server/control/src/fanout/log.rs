//! What was published lately, so that a session which is behind is told the difference at once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use imbl::Vector;
use netmap::Span;
use world::{Change, World};

const MOST_ENTRIES: usize = 4096;
/// Changes in all entries together; bounds what old Worlds keep alive.
const MOST_CHANGES: usize = 16_384;
const OLDEST: Duration = Duration::from_secs(300);

/// A World and the way to it.
#[derive(Debug, Clone)]
pub(super) struct Published {
    pub(super) world: Arc<World>,
    /// Counts the Worlds that somebody may have been told of.
    pub(super) seq: u64,
    log: Vector<Arc<Entry>>,
    changes: usize,
}

#[derive(Debug)]
struct Entry {
    before: Arc<World>,
    changes: Vec<Change>,
    at: Instant,
}

impl Published {
    pub(super) fn new(world: Arc<World>) -> Self {
        Self { world, seq: 0, log: Vector::new(), changes: 0 }
    }

    /// With the next World. Without changes it stands for what the one before it stood for.
    pub(super) fn then(&self, world: Arc<World>, changes: Vec<Change>, now: Instant) -> Self {
        let mut next = Self { world, ..self.clone() };
        if changes.is_empty() {
            return next;
        }
        next.seq += 1;
        next.changes += changes.len();
        next.log.push_back(Arc::new(Entry { before: self.world.clone(), changes, at: now }));
        next.shorten(now);
        next
    }

    /// When the first of what happened since then was published, as far as that is known.
    pub(super) fn waits_since(&self, seq: u64) -> Option<Instant> {
        let behind = usize::try_from(self.seq.checked_sub(seq)?).ok()?;
        Some(self.log.get(self.log.len().checked_sub(behind)?)?.at)
    }

    /// Whether it is known what happened since.
    pub(super) fn reaches(&self, seq: u64) -> bool {
        self.seq.saturating_sub(seq) <= self.log.len() as u64
    }

    /// What happened since; none when that is no longer known.
    pub(super) fn since(&self, seq: u64) -> Option<Span> {
        let behind = usize::try_from(self.seq.checked_sub(seq)?).ok()?;
        let known = self.log.skip(self.log.len().checked_sub(behind)?);
        let before = known.front()?.before.clone();
        Some(Span::new(before, self.world.clone(), known.iter().flat_map(|e| &e.changes)))
    }

    fn shorten(&mut self, now: Instant) {
        let too_much = |p: &Self, first: &Entry| {
            let old = now.saturating_duration_since(first.at) > OLDEST;
            old || p.log.len() > MOST_ENTRIES || p.changes > MOST_CHANGES
        };
        while let Some(first) = self.log.front().filter(|first| too_much(self, first)) {
            self.changes -= first.changes.len();
            self.log.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(changes_each: usize, times: usize, apart: Duration) -> Published {
        let world = Arc::new(World::empty(world::Settings::default()));
        let mut now = Instant::now();
        let mut published = Published::new(world.clone());
        for _ in 0..times {
            now += apart;
            published = published.then(world.clone(), vec![Change::Policy; changes_each], now);
        }
        published
    }

    #[test]
    fn what_is_known_is_bounded_by_entries_changes_and_age() {
        for (each, times, apart, known) in [
            (1, 5000, Duration::ZERO, MOST_ENTRIES as u64),
            (64, 1000, Duration::ZERO, 256),
            (1, 100, Duration::from_secs(10), 31),
        ] {
            let published = published(each, times, apart);
            for (seq, is_known) in [(published.seq - known, true), (published.seq - known - 1, false)] {
                assert_eq!(published.since(seq).is_some(), is_known);
                assert_eq!(published.reaches(seq), is_known);
            }
        }
    }

    #[test]
    fn nothing_changed_is_nothing_new() {
        let first = published(1, 1, Duration::ZERO);
        let second = first.then(first.world.clone(), Vec::new(), Instant::now());
        assert_eq!(first.seq, second.seq);
        assert!(second.since(second.seq).is_none());
        assert!(second.since(second.seq + 1).is_none());
    }
}
