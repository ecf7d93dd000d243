//! What was sent to streams, for the metrics.

use std::time::Duration;

use prometheus_client::metrics::{
    counter::Counter,
    family::Family,
    histogram::{Histogram, exponential_buckets},
};

/// A label `kind`: `whole`, `difference` or `keep_alive`.
pub type Kind = [(&'static str, &'static str); 1];

pub(super) const WHOLE: Kind = [("kind", "whole")];
pub(super) const DIFFERENCE: Kind = [("kind", "difference")];
pub(super) const BEAT: Kind = [("kind", "keep_alive")];

/// Counters of one hub; clones count together.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Messages to streams.
    pub messages: Family<Kind, Counter>,
    /// Their bytes, as they are packed.
    pub bytes: Family<Kind, Counter>,
    /// Seconds from the oldest change in a difference to the moment it was put together.
    pub latency: Histogram,
}

impl Default for Tally {
    fn default() -> Self {
        let latency = Histogram::new(exponential_buckets(0.000_5, 2.0, 16));
        Self { messages: Family::default(), bytes: Family::default(), latency }
    }
}

impl Tally {
    pub(super) fn sent(&self, kind: Kind, messages: usize, bytes: usize) {
        self.messages.get_or_create(&kind).inc_by(messages as u64);
        self.bytes.get_or_create(&kind).inc_by(bytes as u64);
    }
    pub(super) fn told_after(&self, wait: Duration) {
        self.latency.observe(wait.as_secs_f64());
    }
}
