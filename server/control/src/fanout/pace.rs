//! When sessions may go on: at once while there is little to do, otherwise so that they take half a core at most.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(2);
/// What encrypting and writing a message costs, on top of what rendering it took.
const SENDING: Duration = Duration::from_micros(12);

/// What to do with news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Tell it.
    Now,
    /// Wait until then; nobody else does.
    At(Instant),
    /// Somebody waits already.
    Later,
}

/// Counts what telling costs and gives turns.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Nanoseconds spent since the last turn.
    spent: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    waiting: bool,
}

impl Pace {
    /// A session was told something, and putting that together took so long.
    pub(super) fn spend(&self, rendering: Duration) {
        let nanos = u64::try_from((rendering + SENDING).as_nanos()).unwrap_or(u64::MAX);
        self.spent.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Whose turn it is. Urgent news do not wait.
    pub(super) fn turn(&self, urgent: bool, now: Instant) -> Turn {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = state.last.map_or(now, |last| last + self.window());
        if urgent || at <= now {
            return self.take(&mut state, now);
        }
        if state.waiting {
            return Turn::Later;
        }
        state.waiting = true;
        Turn::At(at)
    }

    /// The one who waited goes on.
    pub(super) fn waited(&self, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting = false;
        self.take(&mut state, now);
    }

    fn take(&self, state: &mut State, now: Instant) -> Turn {
        self.spent.store(0, Ordering::Relaxed);
        state.last = Some(now);
        Turn::Now
    }

    pub(super) fn window(&self) -> Duration {
        let spent = Duration::from_nanos(self.spent.load(Ordering::Relaxed));
        (spent * 2).clamp(SHORTEST, LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_news_go_at_once_and_busy_ones_wait_twice_the_cost() {
        let (pace, start) = (Pace::default(), Instant::now());
        assert_eq!(pace.turn(false, start), Turn::Now);
        assert_eq!(pace.turn(false, start), Turn::At(start + SHORTEST));
        assert_eq!(pace.turn(false, start), Turn::Later);
        assert_eq!(pace.turn(true, start), Turn::Now, "urgent");
        pace.waited(start);
        for _ in 0..1000 {
            pace.spend(Duration::from_micros(88));
        }
        assert_eq!(pace.turn(false, start + SHORTEST), Turn::At(start + Duration::from_millis(200)));
        pace.spend(Duration::from_secs(60));
        pace.waited(start + Duration::from_secs(1));
        assert_eq!(pace.turn(false, start + Duration::from_secs(2)), Turn::Now);
    }

    #[test]
    fn no_window_is_longer_than_two_seconds() {
        let (pace, start) = (Pace::default(), Instant::now());
        assert_eq!(pace.turn(false, start), Turn::Now);
        pace.spend(Duration::from_secs(60));
        assert_eq!(pace.turn(false, start), Turn::At(start + LONGEST));
    }
}
