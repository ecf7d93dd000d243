//! One server with its clients, and what events have cost it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{event::Event, slope::least};
use crate::{
    fleet::{Arrival, Fleet, Plan, Verdict, progress},
    target::{Launch, Pass, Target},
    topology::{Phase, Topology},
};

const WITNESSES: usize = 16;
/// A device that is lost is missed soon, so that this can be waited for.
const SETTINGS: &str = "leaving_grace: 1s\n";

pub struct Rung {
    target: Target,
    fleet: Fleet,
    /// Seconds of CPU in a second of rest, of all rests so far.
    rests: Vec<f64>,
    rest: Option<Reading>,
    /// Devices that are lost or come back: no witnesses, none that is special.
    ordinary: Vec<usize>,
    /// How many events there were, of all kinds.
    happened: usize,
    guests: usize,
    costs_ms: HashMap<Event, Vec<f64>>,
}

/// What the server had used at a moment.
#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    cpu: Duration,
}

impl Rung {
    /// Starts a server and brings everybody in.
    pub async fn raise(launch: &Launch, topology: Topology, nodes: usize, turns: usize) -> Result<Self> {
        let start = Instant::now();
        let target = Target::launch(launch, topology, SETTINGS).await?;
        let guests = turns * Event::Membership.times(topology);
        let plan = Plan { devices: nodes, guests, witnesses: WITNESSES, ..Plan::default() };
        let fleet = Fleet::new(target.find().await?, topology, plan)?;
        let keys = fleet.mint(&target.keys).await?;
        fleet.register(keys).await?;
        fleet.connect(Arrival::Quiet).await?;
        fleet.settle().await?;
        fleet.listen_only(|_| true);
        fleet.shared.ledger.watch();
        progress(&format!("{} of {nodes} nodes", topology.name()), start);
        let ordinary = (0..nodes).filter(|d| topology.is_ordinary(*d) && !fleet.is_witness(*d)).collect();
        let costs_ms = HashMap::new();
        Ok(Self { target, fleet, rests: Vec::new(), rest: None, ordinary, happened: 0, guests: 0, costs_ms })
    }

    pub fn nodes(&self) -> usize {
        self.fleet.devices.len()
    }

    pub fn begin_rest(&mut self) -> Result<()> {
        self.rest = Some(self.read()?);
        Ok(())
    }

    /// What was used since then is what idling costs.
    pub fn end_rest(&mut self) -> Result<()> {
        let (then, now) = (self.rest.context("a rest that began")?, self.read()?);
        self.rests.push((now.cpu - then.cpu).as_secs_f64() / (now.at - then.at).as_secs_f64());
        Ok(())
    }

    pub fn idle_ms_per_s(&self) -> f64 {
        least(&self.rests) * 1000.0
    }

    /// Has some events of this kind happen, and notes what each cost beyond idling.
    pub async fn turn(&mut self, event: Event) -> Result<()> {
        let (devices, passes) = self.prepare(event).await?;
        let then = self.read()?;
        let done = event.happen(&self.target, &self.fleet, &devices, &passes).await;
        done.with_context(|| format!("{event:?} among {}", self.nodes()))?;
        let now = self.read()?;
        let idling = (now.at - then.at).as_secs_f64() * least(&self.rests);
        let each = ((now.cpu - then.cpu).as_secs_f64() - idling) / devices.len() as f64;
        self.costs_ms.entry(event).or_default().push(each * 1000.0);
        Ok(())
    }

    /// The costs of all turns since the last call.
    pub fn take_costs_ms(&mut self, event: Event) -> Vec<f64> {
        self.costs_ms.remove(&event).unwrap_or_default()
    }

    /// Judges what everybody holds, and ends the server.
    pub async fn close(self) -> Result<(Verdict, u64)> {
        let judged = self.judge().await;
        let Self { target, fleet, .. } = self;
        drop(fleet);
        target.close(judged)
    }

    async fn judge(&self) -> Result<(Verdict, u64)> {
        if self.fleet.phase() != Phase::Whole {
            self.fleet.enter(Phase::Whole);
            self.target.set_policy(self.fleet.topology, Phase::Whole).await?;
        }
        self.fleet.settle().await?;
        Ok((self.fleet.verdict().await?, self.fleet.shared.ledger.errors()))
    }

    async fn prepare(&mut self, event: Event) -> Result<(Vec<usize>, Vec<Pass>)> {
        let times = event.times(self.fleet.topology);
        let mut passes = Vec::new();
        if event == Event::Membership {
            let first = self.nodes() + self.guests;
            self.guests += times;
            for number in first..first + times {
                let topology = self.fleet.topology;
                passes.push(self.target.keys.pass(topology, topology.kind(number), true).await?);
            }
            return Ok(((first..first + times).collect(), passes));
        }
        let first = self.happened;
        self.happened += times;
        let devices = (first..first + times).map(|n| self.ordinary[n % self.ordinary.len()]);
        Ok((devices.collect(), passes))
    }

    fn read(&self) -> Result<Reading> {
        Ok(Reading { at: Instant::now(), cpu: self.target.cpu()?.context("a server of ours")? })
    }
}
