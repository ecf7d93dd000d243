//! `swarm run`: one kind of life for some time, and what it cost.

pub mod join;
pub mod life;
mod outcome;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    args::{RunArgs, Scenario},
    fleet::{Arrival, Fleet, Plan, progress},
    listener::Part,
    relay::Relayed,
    report::histogram::Quantiles,
    target::Target,
};
use outcome::Meter;
pub use outcome::Outcome;

/// After the last change, what is under way must have arrived within that.
pub const DELIVERED_WITHIN: Duration = Duration::from_secs(120);
/// A connection without progress is cut after a minute: nobody stalls for that long.
const STALLED_AT_MOST: Duration = Duration::from_secs(50);

/// Runs the scenario on the server that the command line names.
pub async fn run(args: &RunArgs) -> Result<Outcome> {
    args.topology.check(args.fleet.nodes())?;
    let (scenario, usual) = (args.scenario, args.scenario.usual_rate());
    ensure!(usual.is_some() || args.rate.is_none(), "scenario {scenario:?} has no rate");
    let ours = args.server.is_none();
    ensure!(
        ours || scenario != Scenario::Policy,
        "scenario policy needs a server that swarm starts (--spawn)"
    );
    let target = Target::of(args).await?;
    let outcome = live(&target, args, args.rate.or(usual).unwrap_or_default()).await;
    target.close(outcome)
}

async fn live(target: &Target, args: &RunArgs, rate: u32) -> Result<Outcome> {
    let start = Instant::now();
    let plan = Plan {
        devices: args.fleet.nodes(),
        guests: if args.scenario == Scenario::Join { join::guests(args.seconds, rate) } else { 0 },
        witnesses: args.fleet.witnesses(),
        seed: Some(args.fleet.seed),
        tamper: None,
    };
    let fleet = Fleet::new(target.find().await?, args.topology, plan)?;
    if args.scenario == Scenario::Slow {
        fleet.choose_slow_ones();
    }
    let keys = fleet.mint(&target.keys).await?;
    let joining = Instant::now();
    let ramp = Meter::start(target, &fleet)?;
    fleet.register(keys).await?;
    if args.scenario == Scenario::Derp {
        return relay(target, &fleet, args, rate, joining).await;
    }
    if args.scenario == Scenario::Ramp {
        let changes = ramp_up(&fleet).await?;
        let (reading, lasted) = (ramp.read(target, &fleet)?, joining.elapsed());
        return Ok(reading.outcome(args, rate, changes, lasted, outcome::judge(&fleet).await?));
    }
    fleet.connect(Arrival::Quiet).await?;
    let connecting = joining.elapsed();
    let ramp_up = connecting + fleet.settle().await?;
    progress("all know all", start);

    fleet.listen_only(|device| fleet.shared.part(device) == Part::Stays);
    fleet.shared.ledger.watch();
    let meter = Meter::start(target, &fleet)?;
    let fleet = Arc::new(fleet);
    let lived = pass(target, &fleet, args, rate).await?;
    let ledger = &fleet.shared.ledger;
    if let Err(e) = ledger.settled(DELIVERED_WITHIN).await {
        ledger.complain(&format!("{e:#}"));
    }
    progress("lived", start);
    let reading = meter.read(target, &fleet)?;
    let verdict = outcome::judge(&fleet).await?;
    let mut outcome = reading.outcome(args, rate, lived.changes, ramp_up, verdict);
    outcome.delivery_ms_before = lived.before;
    Ok(outcome)
}

/// What happened.
#[derive(Default)]
pub struct Lived {
    changes: u64,
    /// Delays before a tenth stopped reading.
    before: Option<Quantiles>,
}

async fn pass(target: &Target, fleet: &Arc<Fleet>, args: &RunArgs, rate: u32) -> Result<Lived> {
    let length = Duration::from_secs(args.seconds.into());
    let changes = match args.scenario {
        Scenario::Ramp | Scenario::Derp => 0,
        Scenario::Idle => life::rest(fleet, length).await,
        Scenario::Churn => life::churn(fleet, length, rate).await?,
        Scenario::Join => join::join(fleet, &target.keys, fleet.devices.len(), length, rate).await?,
        Scenario::Policy => life::policy(fleet, target, length, rate).await?,
        Scenario::Reconnect => life::reconnect(fleet, length).await?,
        Scenario::Slow => return life::slow(fleet, length, rate).await,
    };
    Ok(Lived { changes, before: None })
}

/// Everybody at the relay, without a map.
async fn relay(
    target: &Target,
    fleet: &Fleet,
    args: &RunArgs,
    rate: u32,
    joining: Instant,
) -> Result<Outcome> {
    let relayed = Relayed::enter(fleet).await?;
    let entered = joining.elapsed();
    progress("all at the relay", joining);
    let meter = Meter::start(target, fleet)?;
    let packets = relayed.talk(fleet, Duration::from_secs(args.seconds.into()), rate).await?;
    let reading = meter.read(target, fleet)?;
    let verdict = relayed.leave().await?;
    Ok(reading.outcome(args, rate, packets, entered, (verdict, fleet.shared.ledger.errors())))
}

/// Everybody connects; each one's first report is a change that every witness who may see it must hear of.
async fn ramp_up(fleet: &Fleet) -> Result<u64> {
    fleet.connect(Arrival::Counted).await?;
    let ledger = &fleet.shared.ledger;
    if let Err(e) = ledger.settled(DELIVERED_WITHIN).await {
        ledger.complain(&format!("{e:#}"));
    }
    Ok(fleet.devices.len() as u64)
}
