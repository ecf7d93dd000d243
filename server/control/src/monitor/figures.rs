//! What is looked up when somebody asks for the metrics.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

use crate::{doors::Doors, quota::Quota};

/// Reads the parts of a running server.
pub(super) struct Figures {
    pub(super) doors: Arc<Doors>,
    pub(super) strangers: Arc<Quota>,
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Figures")
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.process(&mut encoder)?;
        self.mesh(&mut encoder)?;
        self.connections(&mut encoder)?;
        self.certificate(&mut encoder)?;
        self.relay(&mut encoder)
    }
}

impl Figures {
    fn process(&self, to: &mut DescriptorEncoder) -> fmt::Result {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        gauges(to, "build", "What runs; always 1", [(version, 1.0)])?;
        let started = self.doors.started.as_second() as f64;
        gauge(to, "start_time_seconds", "When the process began to serve, in Unix time", started)?;
        if let Some(bytes) = resident_bytes() {
            gauge(to, "resident_memory_bytes", "Memory of the process", bytes)?;
        }
        let files = std::fs::read_dir("/proc/self/fd").map(Iterator::count);
        match files {
            Ok(files) => gauge(to, "open_files", "Open files and sockets of the process", files as f64),
            Err(_) => Ok(()),
        }
    }

    fn mesh(&self, to: &mut DescriptorEncoder) -> fmt::Result {
        let (hub, world) = (&self.doors.hub, self.doors.hub.world());
        let online = world.nodes.iter().filter(|n| n.online()).count();
        let offline = world.nodes.len() - online;
        let nodes = [([("state", "online")], online as f64), ([("state", "offline")], offline as f64)];
        gauges(to, "nodes", "Devices", nodes)?;
        gauge(to, "users", "People", world.users.len() as f64)?;
        let classes = world.classes.len() as f64;
        gauge(to, "viewer_classes", "Groups of nodes that every rule treats alike", classes)?;
        let window = hub.window().as_secs_f64();
        gauge(to, "fanout_window_seconds", "How long news that are not urgent wait", window)
    }

    fn connections(&self, to: &mut DescriptorEncoder) -> fmt::Result {
        let relay = self.doors.relay.as_ref().map_or(0, |r| r.connections());
        let kinds = [
            ([("kind", "stranger")], self.strangers.taken() as f64),
            ([("kind", "stream")], self.doors.hub.streams() as f64),
            ([("kind", "relay")], relay as f64),
        ];
        gauges(to, "connections", "Connections that proved nothing yet, map streams, relay clients", kinds)
    }

    fn certificate(&self, to: &mut DescriptorEncoder) -> fmt::Result {
        let shown = self.doors.certificate.as_ref().and_then(|certificate| certificate.shown().pair());
        let Some(pair) = shown else { return Ok(()) };
        let second = |at: Timestamp| at.as_second() as f64;
        let (begins, expires) = (pair.begins().map(second), pair.expires().map(second));
        if let Some(begins) = begins {
            let help = "When the certificate that is shown began to be good, in Unix time";
            gauge(to, "certificate_begins_seconds", help, begins)?;
        }
        match expires {
            Some(expires) => {
                let help = "When the certificate that is shown stops being good, in Unix time";
                gauge(to, "certificate_expires_seconds", help, expires)
            }
            None => Ok(()),
        }
    }

    fn relay(&self, to: &mut DescriptorEncoder) -> fmt::Result {
        let Some(relay) = &self.doors.relay else { return Ok(()) };
        let traffic = relay.traffic();
        counters(to, "relay_packets", "Packets passed on", [([], traffic.packets)])?;
        counters(to, "relay_bytes", "Bytes passed on", [([], traffic.bytes)])?;
        let reasons = [
            ([("reason", "queue_full")], traffic.queue_full),
            ([("reason", "not_here")], traffic.not_here),
            ([("reason", "left")], traffic.left),
        ];
        counters(to, "relay_dropped", "Packets not passed on, by reason", reasons)
    }
}

fn gauge(to: &mut DescriptorEncoder, name: &str, help: &str, value: f64) -> fmt::Result {
    gauges(to, name, help, [([], value)])
}

type Labels<const N: usize> = [(&'static str, &'static str); N];

fn gauges<const N: usize>(
    to: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (Labels<N>, f64)>,
) -> fmt::Result {
    let values = values.into_iter().map(|(labels, value)| (labels, ConstGauge::new(value)));
    encode(to, name, help, values)
}

fn counters<const N: usize>(
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
