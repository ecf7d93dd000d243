//! What the doors count of the calls that come in.

use std::time::Duration;

use prometheus_client::metrics::{
    counter::Counter,
    family::Family,
    histogram::{Histogram, exponential_buckets},
};

/// A label `result`: `active`, `key_expired`, `logged_out`, `fault`, or the code of a refusal.
pub type Result = [(&'static str, &'static str); 1];
/// Labels `noun`, `method` and `status` of a call of the admin API.
pub type Call = [(&'static str, String); 3];

/// Counters of one server; clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Requests of devices to register.
    pub registrations: Family<Result, Counter>,
    /// Calls of the admin API.
    pub calls: Family<Call, Counter>,
    /// Seconds that these took until the answer began.
    pub call_seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let call_seconds = Histogram::new(exponential_buckets(0.000_1, 2.0, 17));
        Self { registrations: Family::default(), calls: Family::default(), call_seconds }
    }
}

impl Metrics {
    /// A request to register was answered.
    pub fn registered(&self, result: &'static str) {
        self.registrations.get_or_create(&[("result", result)]).inc();
    }
    /// A call was answered.
    pub fn called(&self, noun: &'static str, method: &dyn ToString, status: u16, took: Duration) {
        let labels =
            [("noun", noun.to_owned()), ("method", method.to_string()), ("status", status.to_string())];
        self.calls.get_or_create(&labels).inc();
        self.call_seconds.observe(took.as_secs_f64());
    }
}
