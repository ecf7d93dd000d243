//! `swarm relay`: pairs of clients that send to each other through a relay, and what it costs the relay.

mod guests;
mod line;
mod outcome;
mod traffic;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use clap::Args;
use tokio::{task::JoinSet, time::sleep};

use crate::{fleet::progress, report::histogram::Quantiles};
use guests::House;
use line::{Dialer, Line};
pub use outcome::Outcome;
use outcome::{Idle, Meter};
use traffic::{Counts, Plan};

/// Connections that are opened at once.
const DIALS: usize = 16;
/// Until buffers have grown to what they need.
const WARM_UP: Duration = Duration::from_secs(1);
/// Until a server has given back what connecting took.
const SETTLED: Duration = Duration::from_secs(3);

/// The load and whom it goes to.
#[derive(Args)]
pub struct RelayArgs {
    /// The meshctl to start on a fresh data folder [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    pub spawn: Option<PathBuf>,
    /// A running relay that lets anybody in, instead of one to start; its certificate is not looked at
    #[arg(long, value_name = "HOST:PORT", requires = "pid", conflicts_with = "spawn")]
    pub address: Option<SocketAddr>,
    /// Its process, which is measured
    #[arg(long, requires = "address")]
    pub pid: Option<u32>,
    /// Receivers; none with --pairs 0
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(0..=4000))]
    pub pairs: u32,
    /// Clients that send to each receiver
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub senders: u32,
    /// Length of a packet
    #[arg(long, value_name = "B", default_value_t = 1300, value_parser = clap::value_parser!(u32).range(24..=65_536))]
    pub bytes: u32,
    /// Packets that a sender writes at once; 12 of 1,300 bytes are one TLS record
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub burst: u32,
    /// Packets per second, all senders together [default: as many as the relay takes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// How long, without connecting and a second to warm up
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub seconds: u32,
    /// Per cent of the receivers that read only now and then in the second half; the others are compared with the first
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=90))]
    pub stalled: u32,
    /// Connections that say nothing, opened before; their memory is measured
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=9000))]
    pub idle: u32,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Opens the connections, holds the load and reads off what it cost.
pub async fn run(args: &RelayArgs) -> Result<Outcome> {
    let (pairs, senders, idle) = (args.pairs as usize, args.senders as usize, args.idle as usize);
    ensure!(pairs + idle > 0, "neither pairs nor idle connections");
    let house = House::open(args, pairs * (1 + senders) + idle).await?;
    let outcome = held(args, &house, pairs, senders, idle).await;
    house.close(outcome)
}

async fn held(args: &RelayArgs, house: &House, pairs: usize, senders: usize, idle: usize) -> Result<Outcome> {
    let dialer = Arc::new(Dialer::new(house.address)?);
    let start = std::time::Instant::now();
    let before = house.gauge.memory()?;
    let numbers =
        |from: usize, count: usize| (from..from + count).map(move |n| (n, n < pairs && stalls(args, n)));
    let sleepers = dial(&dialer, house, numbers(pairs * (1 + senders), idle)).await?;
    let idle = match idle {
        0 => None,
        _ => {
            sleep(SETTLED).await;
            Some(Idle::of(sleepers.len(), before, house.gauge.memory()?))
        }
    };
    let receivers = dial(&dialer, house, numbers(0, pairs)).await?;
    let sending = dial(&dialer, house, numbers(pairs, pairs * senders)).await?;
    progress("all connected", start);
    let mut outcome = Outcome { idle, ..Outcome::of(args) };
    if pairs > 0 {
        load(args, house, receivers, sending, &mut outcome).await?;
    }
    drop(sleepers);
    outcome.relay_says = house.traffic().await?;
    Ok(outcome)
}

/// Whether the receiver with this number is one that reads only now and then.
fn stalls(args: &RelayArgs, receiver: usize) -> bool {
    receiver * 100 < args.pairs as usize * args.stalled as usize
}

async fn dial(
    dialer: &Arc<Dialer>,
    house: &House,
    numbers: impl Iterator<Item = (usize, bool)>,
) -> Result<Vec<Line>> {
    let mut wanted = numbers.map(|(n, narrow)| (house.guest(n), narrow)).enumerate();
    let (mut dialing, mut lines) = (JoinSet::new(), Vec::new());
    loop {
        while dialing.len() < DIALS
            && let Some((place, (key, narrow))) = wanted.next()
        {
            let dialer = Arc::clone(dialer);
            dialing.spawn(async move { anyhow::Ok((place, dialer.connect(&key?, narrow).await?)) });
        }
        let Some(connected) = dialing.join_next().await else { break };
        lines.push(connected??);
    }
    lines.sort_by_key(|(place, _)| *place);
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}

async fn load(
    args: &RelayArgs,
    house: &House,
    receivers: Vec<Line>,
    sending: Vec<Line>,
    outcome: &mut Outcome,
) -> Result<()> {
    let plan = Plan::new(args);
    let counts = Arc::new(Counts::new());
    let keys: Vec<_> = receivers.iter().map(|line| line.key).collect();
    let senders: Vec<_> = sending.iter().map(|line| line.key).collect();
    let mut running = JoinSet::new();
    for (n, line) in receivers.into_iter().enumerate() {
        let each = args.senders as usize;
        let from = senders[n * each..(n + 1) * each].to_vec();
        running.spawn(traffic::receive(line, plan, from, stalls(args, n), Arc::clone(&counts)));
    }
    for (n, line) in sending.into_iter().enumerate() {
        let to = keys[n / args.senders as usize];
        running.spawn(traffic::send(line, plan, to, Arc::clone(&counts)));
    }
    sleep(WARM_UP).await;
    counts.clear();
    let meter = Meter::start(house)?;
    let half = Duration::from_secs(args.seconds.into()) / if args.stalled > 0 { 2 } else { 1 };
    sleep(half).await;
    let mut before = None::<Quantiles>;
    if args.stalled > 0 {
        before = Some(counts.latency());
        counts.stall();
        counts.clear_latency();
        sleep(half).await;
    }
    meter.read(house, &counts, outcome)?;
    outcome.latency_ms_before = before;
    running.shutdown().await;
    Ok(())
}
