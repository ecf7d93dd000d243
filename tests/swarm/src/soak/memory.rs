//! Whether memory grows, told from samples that were taken at moments that are alike.

use std::time::Duration;

use serde::Serialize;

use crate::report::fit;

/// The server remembers what happened for five minutes; before that is over, memory may grow.
const WARM: Duration = Duration::from_secs(360);
/// What an allocator does not give back is no leak.
const SLACK: u64 = 8 << 20;

#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub at: Duration,
    pub bytes: u64,
}

/// Resident memory of the server.
#[derive(Debug, Serialize)]
pub struct Growth {
    pub end_bytes: u64,
    pub peak_bytes: u64,
    /// The last part of the run, behind the first half or six minutes.
    pub judged_seconds: f64,
    /// The straight line that fits that part best, from its beginning to its end.
    pub grown_bytes: f64,
    /// A tenth of what it was when that part began, or 8 MiB.
    pub allowed_bytes: u64,
}

impl Growth {
    /// Judges samples in their order; `None` for less than two behind the warming up.
    pub fn of(samples: &[Sample], peak_bytes: u64) -> Option<Self> {
        let end = samples.last()?;
        let warm = WARM.min(end.at / 2);
        let judged: Vec<_> = samples.iter().filter(|s| s.at >= warm).collect();
        let first = judged.first()?;
        let points: Vec<_> = judged.iter().map(|s| (s.at.as_secs_f64(), s.bytes as f64)).collect();
        let lasted = (end.at - first.at).as_secs_f64();
        Some(Self {
            end_bytes: end.bytes,
            peak_bytes,
            judged_seconds: lasted,
            grown_bytes: fit::slope(&points)? * lasted,
            allowed_bytes: SLACK.max(first.bytes / 10),
        })
    }

    pub fn is_right(&self) -> bool {
        self.grown_bytes <= self.allowed_bytes as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growth(seconds: u64, bytes: impl Fn(u64) -> u64) -> Growth {
        let sample = |s: u64| Sample { at: Duration::from_secs(s), bytes: bytes(s) };
        Growth::of(&(1..=seconds / 10).map(|n| sample(10 * n)).collect::<Vec<_>>(), 0).unwrap()
    }

    #[test]
    fn warming_up_is_no_leak() {
        let warm = growth(3600, |s| (50 << 20) + s.min(300) * (1 << 20));
        assert!(warm.is_right() && warm.grown_bytes.abs() < 1.0, "{warm:?}");
        assert_eq!(warm.judged_seconds, 3240.0);
    }

    #[test]
    fn a_leak_is_found_in_an_hour_and_a_fast_one_in_a_minute() {
        assert!(!growth(3600, |s| (50 << 20) + s * 4096).is_right());
        assert!(growth(60, |s| (50 << 20) + s * 4096).is_right());
        assert!(!growth(60, |s| (50 << 20) + s * (1 << 19)).is_right());
    }

    #[test]
    fn one_sample_says_nothing() {
        assert!(Growth::of(&[Sample { at: Duration::from_secs(9), bytes: 1 }], 1).is_none());
        assert!(Growth::of(&[], 1).is_none());
    }
}
