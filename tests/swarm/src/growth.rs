//! `swarm growth`: how the server's CPU per event grows with the number of clients.
//!
//! A server of its own for every number of clients, all there at the same time and taking turns, so that a noisy machine
//! is unfair to all of them alike. What idling costs is measured apart and taken off.

mod event;
mod rung;
mod slope;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    args::{GrowthArgs, program},
    fleet::Verdict,
    report::{Report, Row, row},
    say,
    target::Launch,
    topology::Topology,
};
use event::Event;
use rung::Rung;
use slope::{least, slope};

/// As many as there must be for no device to have two turns at once: hubs and witnesses have none.
const FEWEST: usize = 64;
/// How often and how long everybody rests to see what that costs; the quietest time counts, as the quietest round does.
const RESTS: usize = 4;
const REST: Duration = Duration::from_secs(1);
/// Turns of every event at every size before it is judged.
const ROUNDS: usize = 2;
/// What grows too fast must do so in that many series, each judged by itself, before it is believed.
const SERIES: usize = 6;

/// What was found, events in the order of [`Event::ALL`].
#[derive(Debug, Serialize)]
pub struct Growth {
    topology: &'static str,
    nodes: Vec<usize>,
    /// Server CPU of a second at rest, in milliseconds, per number of nodes.
    idle_ms_per_s: Vec<f64>,
    events: Vec<Found>,
    #[serde(flatten)]
    verdict: Verdict,
    errors: u64,
}

/// The cost of one kind of event.
#[derive(Debug, Serialize)]
struct Found {
    event: Event,
    /// Server CPU of one, idling taken off, in the round in which the machine disturbed least, per number of nodes.
    cpu_ms: Vec<f64>,
    /// How many series it took; only what is over its limit is looked at again.
    series: usize,
    /// Of log CPU over log nodes.
    slope: f64,
    limit: f64,
}

impl Found {
    /// By the last rounds, which are used up.
    fn of(event: Event, series: usize, rungs: &mut [Rung], limit: f64) -> Result<Self> {
        let cpu_ms: Vec<_> = rungs.iter_mut().map(|r| least(&r.take_costs_ms(event))).collect();
        let points: Vec<_> = rungs.iter().map(Rung::nodes).zip(cpu_ms.iter().copied()).collect();
        let slope =
            slope(&points).with_context(|| format!("{event:?} cannot be told from idling: {cpu_ms:?} ms"))?;
        Ok(Self { event, cpu_ms, series, slope, limit })
    }

    fn is_right(&self) -> bool {
        self.slope <= self.limit
    }
}

/// Where everybody sees everybody, an event costs as much as there are receivers, and another policy is asked about every
/// person; elsewhere it must not matter how many others there are.
fn limit(topology: Topology, event: Event) -> f64 {
    match (topology, event) {
        (Topology::Mesh, _) | (Topology::Own, Event::Policy) => 1.1,
        _ => 0.1,
    }
}

/// Raises the servers, measures and judges.
pub async fn run(args: &GrowthArgs) -> Result<Growth> {
    let launch = Launch::Program(program(args.spawn.as_ref())?);
    run_on(&launch, args.topology, args.nodes.clone()).await
}

/// The same on servers that are started so.
pub async fn run_on(launch: &Launch, topology: Topology, mut nodes: Vec<usize>) -> Result<Growth> {
    nodes.sort_unstable();
    nodes.dedup();
    ensure!(nodes.len() > 1, "a slope needs two numbers of nodes");
    ensure!(nodes[0] >= FEWEST, "a slope needs at least {FEWEST} nodes everywhere");
    let known = matches!(topology, Topology::Mesh | Topology::Hub | Topology::Own);
    ensure!(known, "growth is known for mesh, hub and self only");
    topology.check(nodes[0])?;
    let mut rungs = Vec::new();
    for nodes in nodes {
        rungs.push(Rung::raise(launch, topology, nodes, SERIES * ROUNDS).await?);
    }
    rest(&mut rungs).await?;
    let mut events = Vec::new();
    for event in Event::ALL {
        events.push(Found {
            event,
            cpu_ms: Vec::new(),
            series: 0,
            slope: f64::INFINITY,
            limit: limit(topology, event),
        });
    }
    for series in 1..=SERIES {
        let open: Vec<_> = events.iter_mut().filter(|found| !found.is_right()).collect();
        measure(series, open, &mut rungs).await?;
    }
    conclude(topology, rungs, events).await
}

/// Some rounds of these events, and what they say. Of several series the one with the least slope counts.
async fn measure(series: usize, open: Vec<&mut Found>, rungs: &mut [Rung]) -> Result<()> {
    for round in 1..=if open.is_empty() { 0 } else { ROUNDS } {
        say(&format!("series {series}, round {round}: {} kinds of events", open.len()));
        for found in &open {
            for rung in rungs.iter_mut() {
                rung.turn(found.event).await?;
            }
        }
    }
    for found in open {
        let again = Found::of(found.event, series, rungs, found.limit)?;
        say(&format!("  {}: slope {:.2} of {:.2?} ms", again.event.name(), again.slope, again.cpu_ms));
        if again.slope < found.slope {
            *found = again;
        }
        found.series = series;
    }
    Ok(())
}

async fn rest(rungs: &mut [Rung]) -> Result<()> {
    say("resting");
    for _ in 0..RESTS {
        rungs.iter_mut().try_for_each(Rung::begin_rest)?;
        sleep(REST).await;
        rungs.iter_mut().try_for_each(Rung::end_rest)?;
    }
    Ok(())
}

async fn conclude(topology: Topology, rungs: Vec<Rung>, events: Vec<Found>) -> Result<Growth> {
    let mut growth = Growth {
        topology: topology.name(),
        nodes: rungs.iter().map(Rung::nodes).collect(),
        idle_ms_per_s: rungs.iter().map(Rung::idle_ms_per_s).collect(),
        events,
        verdict: Verdict { models_checked: 0, models_wrong: 0 },
        errors: 0,
    };
    for rung in rungs {
        let (verdict, errors) = rung.close().await?;
        growth.verdict.models_checked += verdict.models_checked;
        growth.verdict.models_wrong += verdict.models_wrong;
        growth.errors += errors;
    }
    Ok(growth)
}

impl Report for Growth {
    fn rows(&self) -> Vec<Row> {
        let list = |values: &[f64]| values.iter().map(|v| format!("{v:.2}")).collect::<Vec<_>>().join(" / ");
        let nodes: Vec<_> = self.nodes.iter().map(usize::to_string).collect();
        let mut rows = vec![
            row("topology, nodes", format!("{}, {}", self.topology, nodes.join(" / ")), ""),
            row("server CPU idle, ms per s", list(&self.idle_ms_per_s), ""),
        ];
        for found in &self.events {
            let name = format!("{}: server CPU each, ms", found.event.name());
            rows.push(row(name, list(&found.cpu_ms), ""));
            let over = if found.is_right() { "" } else { ": OVER" };
            let aim = format!("at most {}{over}", found.limit);
            rows.push(row(format!("- slope, series {}", found.series), format!("{:.2}", found.slope), aim));
        }
        let verdict = format!("{} / {}", self.verdict.models_checked, self.verdict.models_wrong);
        rows.push(row("models checked / wrong", verdict, "0 wrong"));
        rows.push(row("errors", self.errors.to_string(), "0"));
        rows
    }

    fn is_right(&self) -> bool {
        self.verdict.models_wrong == 0 && self.errors == 0 && self.events.iter().all(Found::is_right)
    }
}
