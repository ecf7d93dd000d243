//! `swarm soak`: everything at once for a long time; in the end everybody must be right, and nothing may have leaked.

mod memory;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    args::{SoakArgs, program},
    fleet::{Arrival, Fleet, Plan, Verdict, progress},
    gauge::Handles,
    listener::Part,
    report::{Report, Row, mib, row},
    scenario::{join, life},
    target::Target,
    topology::Topology,
};
use memory::{Growth, Sample};

/// A lost device is missed after two seconds, so that both sides of that are met.
const SETTINGS: &str = "leaving_grace: 2s\n";
const OVERDUE: Duration = Duration::from_secs(3);
/// Between two devices that are lost.
const GAP: Duration = Duration::from_millis(400);
/// Of mixed life, before the policy changes and everything is looked at.
const STRETCH: Duration = Duration::from_secs(7);
const DELIVERED_WITHIN: Duration = Duration::from_secs(120);
/// Guests per second.
const GUESTS: u32 = 2;
/// Files and threads of what has ended are given back within that.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(60);

/// What happened, and what was left of it.
#[derive(Debug, Serialize)]
pub struct Soaked {
    topology: &'static str,
    nodes: usize,
    rate: u32,
    seconds: f64,
    #[serde(flatten)]
    life: Life,
    memory: Growth,
    base: Handles,
    end: Handles,
    #[serde(flatten)]
    verdict: Verdict,
    errors: u64,
}

#[derive(Debug, Default, Serialize)]
struct Life {
    endpoint_changes: u64,
    guests: u64,
    reconnects: u64,
    policy_changes: u64,
}

/// Lives on a fresh server.
pub async fn run(args: &SoakArgs) -> Result<Soaked> {
    let target = Target::spawn(&program(args.spawn.as_ref())?, Topology::Mesh, SETTINGS).await?;
    let soaked = soak(&target, args).await;
    target.close(soaked)
}

async fn soak(target: &Target, args: &SoakArgs) -> Result<Soaked> {
    let start = Instant::now();
    let (length, nodes) = (Duration::from_secs(args.seconds.into()), args.nodes as usize);
    let guests = join::guests(args.seconds + 60, 2 * GUESTS);
    let plan = Plan { devices: nodes, guests, witnesses: nodes, ..Plan::default() };
    let fleet = Arc::new(Fleet::new(target.find().await?, Topology::Mesh, plan)?);
    let keys = fleet.mint(&target.keys).await?;
    fleet.register(keys).await?;
    fleet.connect(Arrival::Quiet).await?;
    fleet.settle().await?;
    let lost: Vec<_> = (3..nodes).step_by(7).collect();
    lost.iter().for_each(|device| fleet.shared.choose(*device, Part::Leaves));
    fleet.listen_only(|device| fleet.shared.part(device) == Part::Stays);
    fleet.shared.ledger.watch();
    let base = settled_handles(target, None).await?;
    progress("all know all", start);

    let (from, mut life, mut samples) = (Instant::now(), Life::default(), Vec::new());
    while from.elapsed() < length {
        stretch(target, &fleet, &lost, args.rate, &mut life).await?;
        let memory = target.memory()?.context("a server of ours")?;
        samples.push(Sample { at: from.elapsed(), bytes: memory.resident_bytes });
        progress(&mib(memory.resident_bytes), from);
    }
    let seconds = from.elapsed().as_secs_f64();
    fleet.settle().await?;
    let verdict = fleet.verdict().await?;
    let end = settled_handles(target, Some(base)).await?;
    let peak = target.memory()?.context("a server of ours")?.peak_bytes;
    Ok(Soaked {
        topology: Topology::Mesh.name(),
        nodes,
        rate: args.rate,
        seconds,
        life,
        memory: Growth::of(&samples, peak).context("too short to tell how memory grows")?,
        base,
        end,
        verdict,
        errors: fleet.shared.ledger.errors(),
    })
}

/// Some seconds in which devices move, come, go, are lost and come back, then two policies.
async fn stretch(
    target: &Target,
    fleet: &Arc<Fleet>,
    lost: &[usize],
    rate: u32,
    life: &mut Life,
) -> Result<()> {
    let first = fleet.devices.len() + usize::try_from(life.guests)?;
    let (changes, visits, reconnects) = tokio::join!(
        life::churn(fleet, STRETCH, rate),
        join::join(fleet, &target.keys, first, STRETCH, 2 * GUESTS),
        lose(fleet, lost, life.reconnects),
    );
    life.endpoint_changes += changes?;
    life.guests += visits? / 2;
    life.reconnects += reconnects?;
    fleet.shared.ledger.settled(DELIVERED_WITHIN).await?;
    for _ in 0..2 {
        life.policy_changes += life::policy(fleet, target, Duration::ZERO, 1).await?;
    }
    Ok(())
}

/// One after the other is cut off; every third stays away until it is missed.
async fn lose(fleet: &Fleet, lost: &[usize], before: u64) -> Result<u64> {
    let (start, mut times) = (Instant::now(), 0);
    while start.elapsed() < STRETCH {
        let turn = before + times;
        let device = lost[usize::try_from(turn)? % lost.len()];
        fleet.cut(device).await;
        if turn.is_multiple_of(3) {
            sleep(OVERDUE).await;
        }
        fleet.reopen(device).await?;
        times += 1;
        sleep(GAP).await;
    }
    Ok(times)
}

/// The fewest open files and threads within some seconds; given a base, as soon as there are no more than that.
async fn settled_handles(target: &Target, base: Option<Handles>) -> Result<Handles> {
    // The runtime keeps a thread for blocking work for ten seconds.
    let patience = if base.is_some() { GIVEN_BACK_WITHIN } else { Duration::from_secs(12) };
    let (start, mut least) = (Instant::now(), target.handles()?.context("a server of ours")?);
    while start.elapsed() < patience && base.is_none_or(|base| !least.is_within(base)) {
        sleep(Duration::from_millis(100)).await;
        let now = target.handles()?.context("a server of ours")?;
        least.open_files = least.open_files.min(now.open_files);
        least.threads = least.threads.min(now.threads);
    }
    Ok(least)
}

impl Report for Soaked {
    fn rows(&self) -> Vec<Row> {
        let Self { life, memory, base, end, verdict, .. } = self;
        let over = |right: bool| if right { "" } else { ": OVER" };
        let given_back = end.is_within(*base);
        vec![
            row(
                "topology, nodes, changes per s",
                format!("{}, {}, {}", self.topology, self.nodes, self.rate),
                "",
            ),
            row("lived for", format!("{:.0} s", self.seconds), ""),
            row("endpoint changes", life.endpoint_changes.to_string(), ""),
            row("guests that came and left", life.guests.to_string(), ""),
            row("connections lost and made anew", life.reconnects.to_string(), ""),
            row("policy changes", life.policy_changes.to_string(), ""),
            row("server memory, peak", format!("{}, {}", mib(memory.end_bytes), mib(memory.peak_bytes)), ""),
            row(
                format!("- grown in the last {:.0} s", memory.judged_seconds),
                format!("{:.2} MiB", memory.grown_bytes / f64::from(1 << 20)),
                format!("at most {}{}", mib(memory.allowed_bytes), over(memory.is_right())),
            ),
            row(
                "open files, threads",
                format!("{}, {}", end.open_files, end.threads),
                format!("{}, {}{}", base.open_files, base.threads, over(given_back)),
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
        self.verdict.models_wrong == 0
            && self.errors == 0
            && self.memory.is_right()
            && self.end.is_within(self.base)
    }
}
