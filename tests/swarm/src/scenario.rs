//! `swarm run`: one kind of life for some time, and what it cost.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    FleetArgs,
    fleet::{Fleet, Verdict, progress},
    histogram::Quantiles,
    report::{Report, Row, mib, row},
    say,
    server::Server,
};

/// After the last change, what is under way must have arrived within that.
const DELIVERED_WITHIN: Duration = Duration::from_secs(120);

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Outcome {
    topology: &'static str,
    rate: u32,
    nodes_connected: usize,
    ramp_up_seconds: f64,
    seconds: f64,
    changes: u64,
    deliveries: u64,
    /// Messages that were no keepalives.
    messages: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_change: Option<f64>,
    delivery_ms: Quantiles,
    #[serde(flatten)]
    verdict: Verdict,
    errors: u64,
    server: ServerUse,
}

/// While the scenario ran, without getting connected; memory over the whole run.
#[derive(Debug, Serialize)]
struct ServerUse {
    cpu_seconds: f64,
    /// None when nothing was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ms_per_change: Option<f64>,
    rss_bytes: u64,
    peak_rss_bytes: u64,
}

/// So many changes a second; none at all when `rate` is 0.
pub async fn run(args: &FleetArgs, seconds: u32, rate: u32) -> Result<Outcome> {
    let mut server = Server::spawn(&args.program()?).await?;
    let outcome = live(&server, args, seconds, rate).await;
    let ended = server.ended()?;
    ensure!(ended.is_none(), "the server ended: {ended:?}\n{}", server.log());
    outcome.with_context(|| server.log())
}

async fn live(server: &Server, args: &FleetArgs, seconds: u32, rate: u32) -> Result<Outcome> {
    let start = Instant::now();
    let mut fleet = Fleet::new(harness::Server::find(&server.url, None).await?, args.nodes())?;
    let admin = server.admin()?;
    admin.prepare_mesh().await?;
    let keys = fleet.mint(&admin).await?;
    let joining = Instant::now();
    fleet.register(keys).await?;
    fleet.connect(args.witnesses()).await?;
    let connecting = joining.elapsed();
    let ramp_up = connecting + fleet.settle().await?;
    progress("all know all", start);

    let ledger = &fleet.shared.ledger;
    ledger.watch();
    let (from, cpu, messages, bytes) =
        (Instant::now(), server.gauge().cpu()?, ledger.messages(), ledger.bytes());
    let length = Duration::from_secs(seconds.into());
    let changes = if rate == 0 { rest(length).await } else { churn(&fleet, length, rate).await? };
    ledger.settled(DELIVERED_WITHIN).await?;
    let (took, cpu) = (from.elapsed(), server.gauge().cpu()? - cpu);
    let messages = ledger.messages() - messages;
    if rate == 0 && messages > 0 {
        ledger.complain(&format!("{messages} messages while nothing happened"));
    }
    progress("lived", start);
    let per_change = |sum: f64| (changes > 0).then(|| sum / changes as f64);
    let memory = server.gauge().memory()?;
    let verdict = fleet.verdict().await?;
    Ok(Outcome {
        topology: "mesh",
        rate,
        nodes_connected: fleet.devices.len(),
        ramp_up_seconds: ramp_up.as_secs_f64(),
        seconds: took.as_secs_f64(),
        changes,
        deliveries: ledger.delivered(),
        messages,
        bytes_per_change: per_change((ledger.bytes() - bytes) as f64),
        delivery_ms: ledger.delays(),
        verdict,
        errors: ledger.errors(),
        server: ServerUse {
            cpu_seconds: cpu.as_secs_f64(),
            cpu_ms_per_change: per_change(cpu.as_secs_f64() * 1000.0),
            rss_bytes: memory.resident_bytes,
            peak_rss_bytes: memory.peak_bytes,
        },
    })
}

async fn rest(length: Duration) -> u64 {
    sleep(length).await;
    0
}

/// Changes at an even pace whatever becomes of them: a slow server gets no mercy.
async fn churn(fleet: &Fleet, length: Duration, rate: u32) -> Result<u64> {
    let mut clock = interval(Duration::from_secs(1) / rate);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (start, mut reports, mut changes) = (Instant::now(), JoinSet::new(), 0);
    while start.elapsed() < length {
        clock.tick().await;
        reports.spawn(fleet.start_change(changes % fleet.devices.len())?);
        changes += 1;
        while reports.try_join_next().is_some() {}
    }
    reports.join_all().await;
    say(&format!("  {changes} changes"));
    Ok(changes as u64)
}

impl Report for Outcome {
    fn rows(&self) -> Vec<Row> {
        let Self { delivery_ms: q, server, verdict, .. } = self;
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".into());
        vec![
            row(
                "topology, nodes, changes per s",
                format!("{}, {}, {}", self.topology, self.nodes_connected, self.rate),
                "",
            ),
            row("until all knew all", format!("{:.1} s", self.ramp_up_seconds), ""),
            row("measured for", format!("{:.1} s", self.seconds), ""),
            row("changes / deliveries", format!("{} / {}", self.changes, self.deliveries), ""),
            row("messages", self.messages.to_string(), ""),
            row("bytes per change", or_none(self.bytes_per_change.map(|b| format!("{b:.0}"))), ""),
            row(
                "change to each receiver, p50 / p99 / max",
                format!("{:.1} / {:.1} / {:.1} ms", q.p50, q.p99, q.max),
                "",
            ),
            row("server CPU", format!("{:.2} s", server.cpu_seconds), ""),
            row("- per change", or_none(server.cpu_ms_per_change.map(|ms| format!("{ms:.2} ms"))), ""),
            row(
                "server memory, peak",
                format!("{}, {}", mib(server.rss_bytes), mib(server.peak_rss_bytes)),
                "",
            ),
            row(
                "models checked / wrong",
                format!("{} / {}", verdict.models_checked, verdict.models_wrong),
                "0 wrong",
            ),
            row("errors", self.errors.to_string(), "0"),
        ]
    }

    fn is_right(&self) -> bool {
        self.verdict.models_wrong == 0 && self.errors == 0
    }
}
