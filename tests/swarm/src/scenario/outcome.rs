//! What came of a run.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::{
    args::{RunArgs, Scenario},
    fleet::{Fleet, Verdict, progress},
    gauge::Memory,
    report::histogram::Quantiles,
    report::{Report, Row, mib, row},
    target::Target,
};

/// One JSON object; what does not apply is null.
#[derive(Debug, Serialize)]
pub struct Outcome {
    scenario: Scenario,
    topology: &'static str,
    /// Changes per second that were asked for; 0 where the server sets the pace.
    rate: u32,
    nodes_connected: usize,
    /// Chose the witnesses.
    seed: u64,
    ramp_up_seconds: f64,
    seconds: f64,
    changes: u64,
    /// Changes times those who had to hear of each.
    deliveries: u64,
    /// Messages that were no keepalives.
    messages: u64,
    changes_per_second: f64,
    deliveries_per_second: f64,
    bytes_per_change: Option<f64>,
    /// To each who had to hear of it; of those who read, while others do not.
    delivery_ms: Quantiles,
    /// The same before a tenth stopped reading.
    pub delivery_ms_before: Option<Quantiles>,
    /// To the last of them.
    everybody_ms: Quantiles,
    #[serde(flatten)]
    verdict: Verdict,
    errors: u64,
    server: ServerUse,
}

/// While the scenario ran, without getting connected; memory over the whole run. Null for a server that was running.
#[derive(Debug, Serialize)]
struct ServerUse {
    cpu_seconds: Option<f64>,
    cpu_ms_per_change: Option<f64>,
    rss_bytes: Option<u64>,
    peak_rss_bytes: Option<u64>,
}

/// Where things stood when the measured part began.
pub struct Meter {
    from: Instant,
    cpu: Option<Duration>,
    messages: u64,
    bytes: u64,
}

impl Meter {
    pub fn start(target: &Target, fleet: &Fleet) -> Result<Self> {
        let ledger = &fleet.shared.ledger;
        let (messages, bytes) = (ledger.messages(), ledger.bytes());
        Ok(Self { from: Instant::now(), cpu: target.cpu()?, messages, bytes })
    }

    /// What it comes to from there to here.
    pub fn read(self, target: &Target, fleet: &Fleet) -> Result<Reading> {
        let ledger = &fleet.shared.ledger;
        Ok(Reading {
            nodes: fleet.devices.len(),
            seconds: self.from.elapsed().as_secs_f64(),
            cpu_seconds: target.cpu()?.zip(self.cpu).map(|(now, then)| (now - then).as_secs_f64()),
            memory: target.memory()?,
            deliveries: ledger.delivered(),
            messages: ledger.messages() - self.messages,
            bytes: ledger.bytes() - self.bytes,
            delivery_ms: ledger.delays(),
            everybody_ms: ledger.everybody(),
        })
    }
}

/// What was read off when the measured part was over.
pub struct Reading {
    nodes: usize,
    seconds: f64,
    cpu_seconds: Option<f64>,
    memory: Option<Memory>,
    deliveries: u64,
    messages: u64,
    bytes: u64,
    delivery_ms: Quantiles,
    everybody_ms: Quantiles,
}

impl Reading {
    /// With what was found out about everybody since.
    pub fn outcome(
        self,
        args: &RunArgs,
        rate: u32,
        changes: u64,
        ramp_up: Duration,
        (verdict, errors): (Verdict, u64),
    ) -> Outcome {
        let per_change = |sum: f64| (changes > 0).then(|| sum / changes as f64);
        Outcome {
            scenario: args.scenario,
            topology: args.topology.name(),
            rate,
            nodes_connected: self.nodes,
            seed: args.fleet.seed,
            ramp_up_seconds: ramp_up.as_secs_f64(),
            seconds: self.seconds,
            changes,
            deliveries: self.deliveries,
            messages: self.messages,
            changes_per_second: changes as f64 / self.seconds,
            deliveries_per_second: self.deliveries as f64 / self.seconds,
            bytes_per_change: per_change(self.bytes as f64),
            delivery_ms: self.delivery_ms,
            delivery_ms_before: None,
            everybody_ms: self.everybody_ms,
            verdict,
            errors,
            server: ServerUse {
                cpu_seconds: self.cpu_seconds,
                cpu_ms_per_change: self.cpu_seconds.and_then(|s| per_change(s * 1000.0)),
                rss_bytes: self.memory.map(|m| m.resident_bytes),
                peak_rss_bytes: self.memory.map(|m| m.peak_bytes),
            },
        }
    }
}

/// Waits until all is quiet and looks at every witness; also how many errors there were.
pub async fn judge(fleet: &Fleet) -> Result<(Verdict, u64)> {
    let ledger = &fleet.shared.ledger;
    if let Err(e) = fleet.settle().await {
        ledger.complain(&format!("{e:#}"));
    }
    let judging = Instant::now();
    let verdict = fleet.verdict().await?;
    progress("judged", judging);
    Ok((verdict, ledger.errors()))
}

impl Report for Outcome {
    fn rows(&self) -> Vec<Row> {
        let Self { server, verdict, .. } = self;
        let spread = |q: &Quantiles| format!("{:.1} / {:.1} / {:.1} ms", q.p50, q.p99, q.max);
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".into());
        let memory = |bytes: Option<u64>| or_none(bytes.map(mib));
        let name = format!("{:?}, {}, {}, {}", self.scenario, self.topology, self.nodes_connected, self.rate);
        let mut rows = vec![
            row("scenario, topology, nodes, changes per s", name.to_lowercase(), ""),
            row("until all knew all", format!("{:.1} s", self.ramp_up_seconds), ""),
            row("measured for", format!("{:.1} s", self.seconds), ""),
            row("changes / deliveries", format!("{} / {}", self.changes, self.deliveries), ""),
            row("messages", self.messages.to_string(), ""),
            row("bytes per change", or_none(self.bytes_per_change.map(|b| format!("{b:.0}"))), ""),
            row("change to each receiver, p50 / p99 / max", spread(&self.delivery_ms), ""),
            row("change to the last receiver, p50 / p99 / max", spread(&self.everybody_ms), ""),
            row("server CPU", or_none(server.cpu_seconds.map(|s| format!("{s:.2} s"))), ""),
            row("- per change", or_none(server.cpu_ms_per_change.map(|ms| format!("{ms:.2} ms"))), ""),
            row(
                "server memory, peak",
                format!("{}, {}", memory(server.rss_bytes), memory(server.peak_rss_bytes)),
                "",
            ),
            row(
                "models checked / wrong",
                format!("{} / {}", verdict.models_checked, verdict.models_wrong),
                "0 wrong",
            ),
            row("errors", self.errors.to_string(), "0"),
        ];
        if let Some(before) = &self.delivery_ms_before {
            rows.insert(7, row("- before a tenth stopped reading", spread(before), "p99 within 20 %"));
        }
        rows
    }

    fn is_right(&self) -> bool {
        self.verdict.models_wrong == 0 && self.errors == 0
    }
}
