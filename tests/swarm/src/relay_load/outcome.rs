//! What a load cost.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use anyhow::Result;
use api::server::RelayTraffic;
use serde::Serialize;

use super::{RelayArgs, guests::House, traffic::Counts};
use crate::{
    gauge::Memory,
    report::{Report, Row, histogram::Quantiles, mib, row},
};

/// One JSON object; what does not apply is null or zero.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    pub pairs: u32,
    pub senders_each: u32,
    pub packet_bytes: u32,
    /// Packets per second that were asked for; null when as many as possible.
    pub rate: Option<u32>,
    pub seconds: f64,
    pub sent: u64,
    pub delivered: u64,
    pub packets_per_second: f64,
    /// Packets that came to the wrong client, from the wrong one, twice or out of order.
    pub wrong: u64,
    /// Connections that ended before they were told to.
    pub ended: u64,
    pub latency_ms: Quantiles,
    /// The same before some receivers stalled.
    pub latency_ms_before: Option<Quantiles>,
    pub idle: Option<Idle>,
    pub server: ServerUse,
    /// The relay's own counters, over its whole life.
    pub relay_says: Option<RelayTraffic>,
    /// Per cent of the receivers.
    pub stalled: u32,
}

/// What the relay's process used while the load was held.
#[derive(Debug, Default, Serialize)]
pub struct ServerUse {
    pub cpu_seconds: f64,
    /// Delivered packets for each second of CPU time.
    pub packets_per_cpu_second: f64,
    pub peak_rss_bytes: u64,
}

/// Connections that say nothing.
#[derive(Debug, Serialize)]
pub struct Idle {
    pub connections: usize,
    pub bytes_each: f64,
}

impl Idle {
    pub fn of(connections: usize, before: Memory, after: Memory) -> Self {
        let grown = after.resident_bytes.saturating_sub(before.resident_bytes);
        Self { connections, bytes_each: grown as f64 / connections as f64 }
    }
}

/// Where things stood when the measured part began.
pub struct Meter {
    from: Instant,
    cpu: Duration,
}

impl Meter {
    pub fn start(house: &House) -> Result<Self> {
        Ok(Self { from: Instant::now(), cpu: house.gauge.cpu()? })
    }

    pub fn read(self, house: &House, counts: &Counts, outcome: &mut Outcome) -> Result<()> {
        let seconds = self.from.elapsed().as_secs_f64();
        let cpu_seconds = (house.gauge.cpu()? - self.cpu).as_secs_f64();
        let delivered = counts.delivered.load(Relaxed);
        outcome.seconds = seconds;
        outcome.sent = counts.sent.load(Relaxed);
        outcome.delivered = delivered;
        outcome.packets_per_second = delivered as f64 / seconds;
        outcome.wrong = counts.wrong.load(Relaxed);
        outcome.ended = counts.ended.load(Relaxed);
        outcome.latency_ms = counts.latency();
        outcome.server = ServerUse {
            cpu_seconds,
            packets_per_cpu_second: delivered as f64 / cpu_seconds.max(0.01),
            peak_rss_bytes: house.gauge.memory()?.peak_bytes,
        };
        Ok(())
    }
}

impl Outcome {
    pub fn of(args: &RelayArgs) -> Self {
        Self {
            pairs: args.pairs,
            senders_each: args.senders,
            packet_bytes: args.bytes,
            rate: args.rate,
            stalled: args.stalled,
            ..Self::default()
        }
    }
}

impl Report for Outcome {
    fn rows(&self) -> Vec<Row> {
        let spread = |q: &Quantiles| format!("{:.2} / {:.2} / {:.2} ms", q.p50, q.p99, q.max);
        let mut rows = Vec::new();
        if self.pairs > 0 {
            let rate = self.rate.map_or("as many as are taken".to_owned(), |rate| format!("{rate} per s"));
            let load = format!("{} x {}, {} B, {rate}", self.pairs, self.senders_each, self.packet_bytes);
            let packets = format!("{} / {}", self.sent, self.delivered);
            rows.extend([
                row("pairs x senders, packets", load, ""),
                row("sent / delivered", packets, ""),
                row("delivered per s", format!("{:.0}", self.packets_per_second), ""),
                row("relay CPU", format!("{:.2} s in {:.1} s", self.server.cpu_seconds, self.seconds), ""),
                row("delivered per s of CPU", format!("{:.0}", self.server.packets_per_cpu_second), ""),
                row("sender to receiver, p50 / p99 / max", spread(&self.latency_ms), ""),
                row("relay memory, peak", mib(self.server.peak_rss_bytes), ""),
                row("wrong packets", self.wrong.to_string(), "0"),
                row("connections that ended", self.ended.to_string(), "0"),
            ]);
        }
        if let Some(before) = &self.latency_ms_before {
            let name = format!("- before {} % of the receivers stalled", self.stalled);
            rows.insert(6, row(name, spread(before), "p99 within 20 %"));
        }
        if let Some(idle) = &self.idle {
            let each = format!("{:.0} B each of {}", idle.bytes_each, idle.connections);
            rows.push(row("idle connections", each, "15000 B"));
        }
        if let Some(t) = &self.relay_says {
            let dropped = format!("{} / {} / {}", t.dropped_queue_full, t.dropped_not_here, t.dropped_left);
            rows.push(row("the relay dropped: queue full / not here / left", dropped, ""));
        }
        rows
    }

    fn is_right(&self) -> bool {
        self.wrong == 0 && self.ended == 0
    }
}
