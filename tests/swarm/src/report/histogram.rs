//! Latencies in bounded memory: 64 steps per power of two, so a quantile is at most 1.6 % too high.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use serde::Serialize;

const STEP_BITS: u32 = 6;
const STEPS: usize = 1 << STEP_BITS;
/// Enough for every 64-bit number of microseconds.
const BUCKETS: usize = STEPS * (64 - STEP_BITS as usize + 1);

/// Counts durations; shared by all who have some.
pub struct Histogram {
    buckets: Vec<AtomicU64>,
    longest_us: AtomicU64,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Quantiles {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Histogram {
    pub fn new() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), longest_us: AtomicU64::new(0) }
    }

    pub fn record(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(us)].fetch_add(1, Relaxed);
        self.longest_us.fetch_max(us, Relaxed);
    }

    pub fn clear(&self) {
        self.buckets.iter().for_each(|b| b.store(0, Relaxed));
        self.longest_us.store(0, Relaxed);
    }

    pub fn quantiles(&self) -> Quantiles {
        let ms = |us: u64| us as f64 / 1000.0;
        let longest = self.longest_us.load(Relaxed);
        let at = |percent| ms(self.at(percent).min(longest));
        Quantiles { p50: at(50), p99: at(99), max: ms(longest) }
    }

    /// The end of the bucket below which that many per cent lie, in microseconds.
    fn at(&self, percent: u64) -> u64 {
        let total: u64 = self.buckets.iter().map(|b| b.load(Relaxed)).sum();
        let wanted = (total * percent).div_ceil(100).max(1);
        let mut below = 0;
        for (n, count) in self.buckets.iter().enumerate() {
            below += count.load(Relaxed);
            if below >= wanted {
                return end(n);
            }
        }
        0
    }
}

fn bucket(us: u64) -> usize {
    let shift = us.max(1).ilog2().saturating_sub(STEP_BITS);
    shift as usize * STEPS + (us >> shift) as usize
}

/// The largest number that falls into this bucket.
fn end(bucket: usize) -> u64 {
    if bucket < 2 * STEPS {
        return bucket as u64;
    }
    let shift = bucket / STEPS - 1;
    (((bucket - shift * STEPS) as u64 + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_lies_in_its_bucket() {
        for us in (0..10_000).chain([65_535, 65_536, 1 << 40, u64::MAX >> 8]) {
            let n = bucket(us);
            assert!(us <= end(n) && (n == 0 || us > end(n - 1)), "{us} in {n}");
            assert!(end(n) - us <= us / 64, "{us} in {n}");
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn quantiles_of_a_thousand() {
        let h = Histogram::new();
        assert_eq!(h.quantiles(), Quantiles::default());
        (1..=1000).for_each(|ms| h.record(Duration::from_millis(ms)));
        let q = h.quantiles();
        assert!((500.0..508.0).contains(&q.p50) && (990.0..1000.0).contains(&q.p99), "{q:?}");
        assert_eq!(q.max, 1000.0);
    }
}
