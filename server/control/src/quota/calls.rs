//! Shares of those who call the admin API.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use ident::ApiKeyId;

use super::{Party, Pass, Quota, Rate, Spent};

/// Calls without a good credential, of one household.
const STRANGER_EVERY: Duration = Duration::from_millis(100);
const STRANGER_AT_ONCE: u32 = 20;
/// Calls with one API key, whoever has it.
const KEY_EVERY: Duration = Duration::from_millis(5);
const KEY_AT_ONCE: u32 = 2000;
/// Streams of events, in all and with one API key.
const STREAMS: usize = 256;
const STREAMS_EACH: usize = 32;
/// Refusals of one caller that go into the event log.
const NOTE_EVERY: Duration = Duration::from_secs(6);
const NOTES_AT_ONCE: u32 = 20;

/// What callers have had of their shares. Whoever comes over the local socket is bounded in streams and notes only.
#[derive(Debug)]
pub struct CallLimits {
    strangers: Rate,
    keys: Rate,
    streams: Arc<Quota>,
    notes: Rate,
    left_out: AtomicU64,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            strangers: Rate::new(STRANGER_EVERY, STRANGER_AT_ONCE),
            keys: Rate::new(KEY_EVERY, KEY_AT_ONCE),
            streams: Quota::new(STREAMS, STREAMS_EACH),
            notes: Rate::new(NOTE_EVERY, NOTES_AT_ONCE),
            left_out: AtomicU64::new(0),
        }
    }
}

impl CallLimits {
    /// A call without a good credential.
    pub fn stranger(&self, remote: SocketAddr) -> Result<(), Spent> {
        self.strangers.admits(Party::at(remote))
    }
    /// A call with this one.
    pub fn key(&self, id: ApiKeyId) -> Result<(), Spent> {
        self.keys.admits(Party::Key(id))
    }
    /// A place for a stream of events, until it is dropped.
    pub fn stream(&self, by: Option<ApiKeyId>) -> Option<Pass> {
        self.streams.enter(party(by))
    }
    /// Whether a refusal is to be noted, and how many were not since the last one that was.
    pub fn note(&self, by: Option<ApiKeyId>) -> Option<u64> {
        if self.notes.admits(party(by)).is_err() {
            self.left_out.fetch_add(1, Relaxed);
            return None;
        }
        Some(self.left_out.swap(0, Relaxed))
    }
}

/// Everybody on the local socket together is one.
fn party(by: Option<ApiKeyId>) -> Party {
    by.map_or(Party::Local(SocketAddr::from(([0, 0, 0, 0], 0))), Party::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_bounded_for_each_and_what_is_left_out_is_counted() {
        let limits = CallLimits::default();
        let (one, other) = (ApiKeyId::FIRST, ApiKeyId::FIRST.next());
        let noted: Vec<_> = (0..100).filter_map(|_| limits.note(Some(one))).collect();
        assert_eq!(noted, [0; 20]);
        assert_eq!(limits.note(Some(other)), Some(80), "another one is noted, and says what is missing");
        assert_eq!(limits.note(None), Some(0));
    }

    #[test]
    fn streams_are_places_that_come_back() {
        let limits = CallLimits::default();
        let passes: Vec<_> = (0..40).filter_map(|_| limits.stream(Some(ApiKeyId::FIRST))).collect();
        assert_eq!(passes.len(), STREAMS_EACH);
        assert!(limits.stream(None).is_some());
        drop(passes);
        assert!(limits.stream(Some(ApiKeyId::FIRST)).is_some());
    }
}
