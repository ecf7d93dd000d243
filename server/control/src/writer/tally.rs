//! What the writer has stored, for the metrics.

use std::time::Duration;

use prometheus_client::metrics::{
    counter::Counter,
    histogram::{Histogram, exponential_buckets},
};

/// Counters of one writer; clones count together.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Entries of the log.
    pub events: Counter,
    /// Seconds that transactions took which stored something.
    pub commits: Histogram,
    /// Transactions that failed.
    pub failures: Counter,
}

impl Default for Tally {
    fn default() -> Self {
        let commits = Histogram::new(exponential_buckets(0.000_5, 2.0, 14));
        Self { events: Counter::default(), commits, failures: Counter::default() }
    }
}

impl Tally {
    pub(super) fn committed(&self, events: usize, took: Duration) {
        self.events.inc_by(events as u64);
        self.commits.observe(took.as_secs_f64());
    }
}
