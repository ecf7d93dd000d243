//! Figures of the parts that a control server and a relay of its own have alike, and how figures are written.

use std::fmt;

use jiff::Timestamp;
use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

use crate::relay::Traffic;

/// Version, start, memory and open files of this process.
pub fn process(to: &mut DescriptorEncoder, started: Timestamp) -> fmt::Result {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    gauges(to, "build", "What runs; always 1", [(version, 1.0)])?;
    let started = started.as_second() as f64;
    gauge(to, "start_time_seconds", "When the process began to serve, in Unix time", started)?;
    if let Some(bytes) = resident_bytes() {
        gauge(to, "resident_memory_bytes", "Memory of the process", bytes)?;
    }
    match std::fs::read_dir("/proc/self/fd").map(Iterator::count) {
        Ok(files) => gauge(to, "open_files", "Open files and sockets of the process", files as f64),
        Err(_) => Ok(()),
    }
}

/// From when until when the certificate that is shown is good.
pub fn certificate(
    to: &mut DescriptorEncoder,
    (begins, expires): (Option<Timestamp>, Option<Timestamp>),
) -> fmt::Result {
    let second = |at: Timestamp| at.as_second() as f64;
    if let Some(begins) = begins.map(second) {
        let help = "When the certificate that is shown began to be good, in Unix time";
        gauge(to, "certificate_begins_seconds", help, begins)?;
    }
    match expires.map(second) {
        Some(expires) => {
            let help = "When the certificate that is shown stops being good, in Unix time";
            gauge(to, "certificate_expires_seconds", help, expires)
        }
        None => Ok(()),
    }
}

/// What a relay passed on, and what it did not.
pub fn relay(to: &mut DescriptorEncoder, traffic: Traffic) -> fmt::Result {
    counters(to, "relay_packets", "Packets passed on", [([], traffic.packets)])?;
    counters(to, "relay_bytes", "Bytes passed on", [([], traffic.bytes)])?;
    let reasons = [
        ([("reason", "queue_full")], traffic.queue_full),
        ([("reason", "not_here")], traffic.not_here),
        ([("reason", "left")], traffic.left),
    ];
    counters(to, "relay_dropped", "Packets not passed on, by reason", reasons)
}

/// One value.
pub fn gauge(to: &mut DescriptorEncoder, name: &str, help: &str, value: f64) -> fmt::Result {
    gauges(to, name, help, [([], value)])
}

/// Names and values.
pub type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Values by label.
pub fn gauges<const N: usize>(
    to: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (Labels<N>, f64)>,
) -> fmt::Result {
    let values = values.into_iter().map(|(labels, value)| (labels, ConstGauge::new(value)));
    encode(to, name, help, values)
}

/// The same of what only grows.
pub fn counters<const N: usize>(
    to: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (Labels<N>, u64)>,
) -> fmt::Result {
    let values = values.into_iter().map(|(labels, value)| (labels, ConstCounter::new(value)));
    encode(to, name, help, values)
}

fn encode<const N: usize, M: EncodeMetric>(
    to: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    values: impl Iterator<Item = (Labels<N>, M)>,
) -> fmt::Result {
    let mut values = values.peekable();
    let Some((_, first)) = values.peek() else { return Ok(()) };
    let kind = first.metric_type();
    let mut metric = to.encode_descriptor(name, help, None, kind)?;
    for (labels, value) in values {
        value.encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024.0)
}
