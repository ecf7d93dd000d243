//! Strangers' failures: one stable line each for fail2ban, nothing they wrote in it. One source has so many lines a second,
//! all have so many together, and what is left out is counted.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use prometheus_client::metrics::{counter::Counter, family::Family};

use crate::quota::Party;

const SECOND: Duration = Duration::from_secs(1);
/// Lines a second of one source.
const EACH: u32 = 5;
/// Sources a second whose first line is written.
const SOURCES: usize = 60;
/// Lines a second beyond the first ones.
const FURTHER: u32 = 20;

/// A rate-limited log.
#[derive(Debug, Default)]
pub struct SecurityLog {
    turn: Arc<Mutex<Turn>>,
    failures: Family<Kind, Counter>,
}

/// A label `kind`.
pub type Kind = [(&'static str, &'static str); 1];

/// What was written since a moment, and what was not.
#[derive(Debug, Default)]
struct Turn {
    since: Option<Instant>,
    lines: HashMap<Party, u32>,
    further: u32,
    suppressed: u64,
}

impl SecurityLog {
    /// Writes `auth_fail ip=… kind=…`, or counts it for a line that comes within a second or two.
    pub fn failure(&self, ip: IpAddr, kind: &'static str) {
        self.failures.get_or_create(&[("kind", kind)]).inc();
        let mut turn = self.turn();
        if turn.is_over(Instant::now()) {
            turn.next(Instant::now());
        }
        if turn.takes(Party::household(ip)) {
            tracing::warn!(target: "security", "auth_fail ip={} kind={kind}", ip.to_canonical());
            return;
        }
        turn.suppressed += 1;
        if turn.suppressed == 1
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let turn = self.turn.clone();
            runtime.spawn(async move {
                tokio::time::sleep(SECOND).await;
                turn.lock().unwrap_or_else(PoisonError::into_inner).sum_up();
            });
        }
    }

    /// All failures by kind, those that no line was written of among them.
    pub fn failures(&self) -> &Family<Kind, Counter> {
        &self.failures
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    fn is_over(&self, now: Instant) -> bool {
        self.since.is_none_or(|since| now.duration_since(since) >= SECOND)
    }

    fn next(&mut self, now: Instant) {
        self.sum_up();
        *self = Self { since: Some(now), ..Self::default() };
    }

    /// Says what was left out, once.
    fn sum_up(&mut self) {
        let lines = std::mem::take(&mut self.suppressed);
        if lines > 0 {
            tracing::warn!(target: "security", "suppressed {lines} lines");
        }
    }

    /// Whether one more line of this source is written.
    fn takes(&mut self, source: Party) -> bool {
        match self.lines.get_mut(&source) {
            Some(lines) if *lines < EACH && self.further < FURTHER => {
                *lines += 1;
                self.further += 1;
                true
            }
            Some(_) => false,
            None => self.lines.len() < SOURCES && self.lines.insert(source, 1).is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(n: u32) -> Party {
        Party::household(std::net::Ipv4Addr::from(n).into())
    }

    #[test]
    fn a_loud_source_leaves_lines_for_the_others() {
        let mut turn = Turn::default();
        assert_eq!((0..1000).filter(|_| turn.takes(source(1))).count(), 5);
        assert!((2..=40).all(|n| turn.takes(source(n))), "the first line of each is written");
        assert_eq!((0..1000).filter(|n| turn.takes(source(2 + n % 39))).count(), 16, "and some more of all");
    }

    #[test]
    fn a_storm_from_everywhere_is_bounded_and_over_with_its_second() {
        let mut turn = Turn::default();
        assert_eq!((0..100_000).filter(|n| turn.takes(source(*n))).count(), 60);
        assert!(turn.lines.len() <= SOURCES);
        turn.suppressed = 99_940;
        let now = Instant::now();
        turn.next(now);
        assert_eq!(turn.suppressed, 0);
        assert!(turn.takes(source(7)) && !turn.is_over(now) && turn.is_over(now + SECOND));
    }
}
