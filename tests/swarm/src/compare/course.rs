//! `swarm course`: one fleet goes through everything that is compared, step by step; each step is one line of JSON.

use std::{
    io::Write,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use harness::Dialect;
use serde::{Deserialize, Serialize};

use super::reading::Reader;
use crate::{
    args::program,
    fleet::{Arrival, Fleet, Plan},
    gauge::Gauge,
    report::histogram::Quantiles,
    scenario::{DELIVERED_WITHIN, join, life},
    target::{Keys, Target},
    topology::Topology,
};

/// Clients that fold every message and are checked in the end.
const WITNESSES: usize = 32;
pub const GUESTS_SECONDS: u32 = 8;
pub const GUESTS_RATE: u32 = 2;
const CHURN_RATE: u32 = 35;
/// Lists of all devices, one after the other, and at once.
const LISTS: usize = 20;
const READS: usize = 1000;

/// Whose fleet, and how big.
#[derive(Args)]
pub struct CourseArgs {
    /// The meshctl to start on a fresh data folder [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    pub spawn: Option<PathBuf>,
    /// A running, empty server with the policy of the topology, instead of one to start
    #[arg(long, value_name = "URL", requires_all = ["key_file", "server_pid"], conflicts_with = "spawn")]
    pub server: Option<String>,
    /// Its process, which is measured
    #[arg(long, value_name = "PID", requires = "server")]
    pub server_pid: Option<u32>,
    /// Its reusable, ephemeral keys, one a line, for tag:swarm-0, tag:swarm-1 and so on
    #[arg(long, value_name = "F", requires = "server")]
    pub key_file: Option<PathBuf>,
    /// Its API key; without one, nothing is listed
    #[arg(long, value_name = "F", requires = "server")]
    pub api_key_file: Option<PathBuf>,
    /// Clients
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(20..=9000))]
    pub nodes: u32,
    /// Who sees whom
    #[arg(long, value_enum, default_value = "mesh")]
    pub topology: Topology,
    /// Changes that are made one by one
    #[arg(long, value_name = "K", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub changes: u32,
    /// Seconds of churn
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
}

/// What one step cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    pub step: String,
    pub seconds: f64,
    pub changes: u64,
    pub cpu_seconds: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Resident memory of the server at the end of the step.
    pub rss_bytes: u64,
    pub peak_rss_bytes: u64,
    /// Complaints so far.
    pub errors: u64,
    pub models_wrong: usize,
}

/// Goes through the course. What a server does wrong is counted, not an end; a step that cannot be finished is.
pub async fn run(args: &CourseArgs) -> Result<bool> {
    args.topology.check(args.nodes as usize)?;
    let (target, gauge) = target(args).await?;
    let steps = steps(args, &target, gauge).await;
    target.close(steps)?;
    Ok(true)
}

async fn target(args: &CourseArgs) -> Result<(Target, Gauge)> {
    let target = match (&args.server, &args.key_file, args.server_pid) {
        (Some(url), Some(keys), Some(pid)) => Target::given(url, Keys::read(keys, args.topology)?, pid),
        _ => Target::spawn(&program(args.spawn.as_ref())?, args.topology, "").await?,
    };
    let gauge = target.gauge().context("a server whose process is known")?;
    Ok((target, gauge))
}

async fn steps(args: &CourseArgs, target: &Target, gauge: Gauge) -> Result<()> {
    let plan = Plan {
        devices: args.nodes as usize,
        guests: join::guests(GUESTS_SECONDS, GUESTS_RATE),
        witnesses: WITNESSES.min(args.nodes as usize),
        seed: None,
        tamper: None,
    };
    let mut server = target.find().await?;
    if args.server.is_some() {
        server.dialect = Dialect::Go;
    }
    let fleet = Fleet::new(server, args.topology, plan)?;
    let keys = fleet.mint(&target.keys).await?;

    let clock = Clock::start("ramp", gauge)?;
    fleet.register(keys).await?;
    fleet.connect(Arrival::Quiet).await?;
    let connected = clock.from.elapsed();
    let settled = fleet.settle().await?;
    let step =
        Step { seconds: (connected + settled).as_secs_f64(), ..clock.stop(&fleet, u64::from(args.nodes))? };
    tell(&step)?;

    let ledger = fleet.shared.clone();
    let ledger = &ledger.ledger;
    fleet.listen_only(|_| true);
    ledger.watch();
    ledger.forget_delays();
    let clock = Clock::start("reconnect", gauge)?;
    life::reconnect(&fleet, Duration::ZERO).await?;
    tell(&clock.stop(&fleet, 1)?)?;

    ledger.forget_delays();
    let clock = Clock::start("change", gauge)?;
    for n in 0..args.changes as usize {
        fleet.change(args.topology.changer(n * 7, fleet.devices.len())).await?;
        ledger.settled(DELIVERED_WITHIN).await?;
    }
    tell(&clock.stop(&fleet, args.changes.into())?)?;

    let fleet = Arc::new(fleet);
    ledger.forget_delays();
    let clock = Clock::start("churn", gauge)?;
    let changes = life::churn(&fleet, Duration::from_secs(args.seconds.into()), CHURN_RATE).await?;
    settled_or_complained(&fleet).await;
    tell(&clock.stop(&fleet, changes)?)?;

    ledger.forget_delays();
    let clock = Clock::start("join", gauge)?;
    let length = Duration::from_secs(GUESTS_SECONDS.into());
    let changes = join::join(&fleet, &target.keys, fleet.devices.len(), length, GUESTS_RATE).await?;
    settled_or_complained(&fleet).await;
    tell(&clock.stop(&fleet, changes)?)?;

    // A server that cannot bear it may lose its clients over this, so it comes last.
    if let Some(reader) = reader(args, target).await?
        && let Err(e) = read(reader, &fleet, gauge).await
    {
        fleet.shared.ledger.complain(&format!("{e:#}"));
    }

    let clock = Clock::start("verdict", gauge)?;
    let verdict = fleet.verdict().await?;
    ensure!(verdict.models_checked > 0, "no model was checked");
    tell(&Step { models_wrong: verdict.models_wrong, ..clock.stop(&fleet, 0)? })
}

async fn reader(args: &CourseArgs, target: &Target) -> Result<Option<Arc<Reader>>> {
    let reader = match (&target.keys, &args.api_key_file) {
        (Keys::Minted(admin), _) => Reader::minted(target.url(), admin).await?,
        (Keys::Given(_), Some(file)) => Reader::with_file(target.url(), file)?,
        (Keys::Given(_), None) => return Ok(None),
    };
    Ok(Some(Arc::new(reader)))
}

/// Everybody stays connected meanwhile.
async fn read(reader: Arc<Reader>, fleet: &Fleet, gauge: Gauge) -> Result<()> {
    let nodes = fleet.devices.len();
    reader.warm(nodes).await?;
    let clock = Clock::start("list", gauge)?;
    let Quantiles { p50, p99, .. } = reader.one_by_one(LISTS, nodes).await?;
    tell(&Step { p50_ms: p50, p99_ms: p99, ..clock.stop(fleet, LISTS as u64)? })?;
    let clock = Clock::start("reads", gauge)?;
    let Quantiles { p50, p99, .. } = reader.at_once(READS, nodes).await?;
    tell(&Step { p50_ms: p50, p99_ms: p99, ..clock.stop(fleet, READS as u64)? })
}

async fn settled_or_complained(fleet: &Fleet) {
    if let Err(e) = fleet.shared.ledger.settled(DELIVERED_WITHIN).await {
        fleet.shared.ledger.complain(&format!("{e:#}"));
    }
}

/// Where things stood when a step began.
struct Clock {
    step: &'static str,
    gauge: Gauge,
    from: Instant,
    cpu: Duration,
}

impl Clock {
    fn start(step: &'static str, gauge: Gauge) -> Result<Self> {
        Ok(Self { step, gauge, from: Instant::now(), cpu: gauge.cpu()? })
    }

    fn stop(self, fleet: &Fleet, changes: u64) -> Result<Step> {
        let (cpu, memory) = (self.gauge.cpu()? - self.cpu, self.gauge.memory()?);
        let Quantiles { p50, p99, .. } = fleet.shared.ledger.delays();
        Ok(Step {
            step: self.step.to_owned(),
            seconds: self.from.elapsed().as_secs_f64(),
            changes,
            cpu_seconds: cpu.as_secs_f64(),
            p50_ms: p50,
            p99_ms: p99,
            rss_bytes: memory.resident_bytes,
            peak_rss_bytes: memory.peak_bytes,
            errors: fleet.shared.ledger.errors(),
            models_wrong: 0,
        })
    }
}

fn tell(step: &Step) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, step)?;
    Ok(writeln!(out)?)
}
