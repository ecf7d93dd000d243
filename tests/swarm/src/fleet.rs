//! All the clients: they get keys, register, connect, report, and are asked in the end what they know.

mod device;
mod guest;
mod line;
mod quiet;
mod verdict;

use std::{
    collections::BTreeSet,
    future::Future,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use anyhow::{Context, Result};
use harness::Server;
use tokio::{sync::Semaphore, task::JoinSet};

pub use device::Device;
pub use guest::Guest;
pub use line::Arrival;
use line::Line;
pub use verdict::Verdict;

use crate::{
    listener::{Part, Shared, Witness, witness},
    open_files, say,
    self_test::tamper::Tamper,
    target::{Keys, Pass},
    topology::{Phase, Topology},
};

/// Clients that do the same at once.
pub const AT_ONCE: usize = 64;

/// Registered devices, and those of them that are connected.
pub struct Fleet {
    pub shared: Arc<Shared>,
    pub server: Arc<Server>,
    pub topology: Topology,
    pub devices: Vec<Arc<Device>>,
    phase: Mutex<Phase>,
    lines: Vec<Mutex<Option<Line>>>,
    /// In the order of their devices.
    witnesses: Vec<(usize, Witness)>,
}

/// What a fleet is to be.
#[derive(Default)]
pub struct Plan {
    pub devices: usize,
    /// Devices that may come later.
    pub guests: usize,
    /// How many are full models; what is special in the topology comes on top.
    pub witnesses: usize,
    /// Chooses the witnesses at random; without it they are evenly spread.
    pub seed: Option<u64>,
    pub tamper: Option<Tamper>,
}

impl Fleet {
    /// Devices none of which is known to the server yet.
    pub fn new(server: Server, topology: Topology, plan: Plan) -> Result<Self> {
        if !server.is_in_memory() {
            open_files::make_room(plan.devices)?;
        }
        let witnesses = chosen(topology, &plan).into_iter().map(|device| (device, witness())).collect();
        Ok(Self {
            shared: Arc::new(Shared::new(plan.devices + plan.guests, plan.tamper)),
            server: Arc::new(server),
            topology,
            devices: (0..plan.devices)
                .map(|n| Device::new(n, topology).map(Arc::new))
                .collect::<Result<_>>()?,
            phase: Mutex::default(),
            lines: (0..plan.devices).map(|_| Mutex::default()).collect(),
            witnesses,
        })
    }

    /// A pass for each device.
    pub async fn mint(&self, keys: &Keys) -> Result<Vec<Pass>> {
        each(&self.devices, AT_ONCE, |device| {
            let (keys, topology) = (keys.clone(), self.topology);
            async move { keys.pass(topology, topology.kind(device.number), false).await }
        })
        .await
    }

    /// Registers every device with its pass, each over a connection of its own.
    pub async fn register(&self, passes: Vec<Pass>) -> Result<()> {
        let passes = Arc::new(passes);
        each(&self.devices, AT_ONCE, |device| {
            let (server, passes) = (self.server.clone(), passes.clone());
            async move {
                device.register(&server, passes.get(device.number).context("a pass for each")?, false).await
            }
        })
        .await?;
        Ok(())
    }

    /// From here on changes are due to those devices alone, as far as they see the one that changes.
    pub fn listen_only(&self, counts: impl Fn(usize) -> bool) {
        let kinds = (0..self.shared.places()).map(|d| self.topology.kind(d) + 1).max();
        let mut listeners = vec![0; kinds.unwrap_or_default()];
        for device in (0..self.devices.len()).filter(|d| counts(*d)) {
            listeners[self.topology.kind(device)] += 1;
        }
        for device in 0..self.shared.places() {
            let own = u64::from(device < self.devices.len() && counts(device));
            self.shared.ledger.set_audience(device, self.seen_by(device, &listeners, own));
        }
    }

    /// Whether the policy in force lets these two see each other.
    pub fn may_see(&self, viewer: usize, device: usize) -> bool {
        let kind = |device| self.topology.kind(device);
        viewer != device && self.topology.sees(self.phase(), kind(viewer), kind(device))
    }

    fn seen_by(&self, device: usize, of_kind: &[u64], own: u64) -> u64 {
        let (kind, phase) = (self.topology.kind(device), self.phase());
        let sees = |other: &usize| self.topology.sees(phase, kind, *other);
        let all: u64 = (0..of_kind.len()).filter(sees).map(|k| of_kind[k]).sum();
        all - if sees(&kind) { own } else { 0 }
    }

    /// How many others the device sees.
    pub fn peers_of(&self, device: usize) -> usize {
        let (kind, phase) = (self.topology.kind(device), self.phase());
        let others = self.devices.iter().filter(|d| d.number != device);
        others.filter(|d| self.topology.sees(phase, kind, self.topology.kind(d.number))).count()
    }

    /// Makes every tenth device one that stops reading when it is told to.
    pub fn choose_slow_ones(&self) {
        (0..self.devices.len()).step_by(10).for_each(|device| self.shared.choose(device, Part::Stalls));
    }

    pub fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Expects from here on what this phase's policy says.
    pub fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Devices that are full models.
    pub fn witnesses(&self) -> impl Iterator<Item = usize> {
        self.witnesses.iter().map(|(device, _)| *device)
    }

    /// Whether this device is one.
    pub fn is_witness(&self, device: usize) -> bool {
        self.witness(device).is_some()
    }

    fn witness(&self, device: usize) -> Option<Witness> {
        let place = self.witnesses.binary_search_by_key(&device, |(device, _)| *device).ok()?;
        self.witnesses.get(place).map(|(_, witness)| witness.clone())
    }

    /// Has one device report a new endpoint.
    pub async fn change(&self, device: usize) -> Result<()> {
        let (line, device) = (self.line(device)?, self.devices.get(device).context("a device")?);
        let mark = self.shared.ledger.change(device.number)?;
        line.lite_update(&device.report(mark)?)
            .await
            .with_context(|| format!("change of {}", device.hostname))
    }

    /// The same, later, by somebody who need not wait; a failure is complained of.
    pub fn start_change(&self, device: usize) -> Result<impl Future<Output = ()> + Send + use<>> {
        let (line, device) = (self.line(device)?, self.devices.get(device).context("a device")?);
        let shared = self.shared.clone();
        let mark = shared.ledger.change(device.number)?;
        let report = device.report(mark)?;
        Ok(async move {
            if let Err(e) = line.lite_update(&report).await {
                shared.ledger.complain(&format!("a report: {e:#}"));
            }
        })
    }
}

/// The devices that are to be witnesses.
fn chosen(topology: Topology, plan: &Plan) -> BTreeSet<usize> {
    let (devices, wanted) = (plan.devices, plan.witnesses);
    let special = (0..devices).filter(|n| !topology.is_ordinary(*n));
    let Some(seed) = plan.seed else {
        let spread = (0..devices).filter(|n| n * wanted / devices != (n + 1) * wanted / devices);
        return special.chain(spread).collect();
    };
    let mut shuffled: Vec<_> = (0..devices).collect();
    shuffled.sort_by_cached_key(|n| BuildHasherDefault::<DefaultHasher>::default().hash_one((seed, n)));
    special.chain(shuffled.into_iter().take(wanted)).collect()
}

/// Does something for every device, so many at a time. Answers in the order of the devices.
async fn each<T, F>(devices: &[Arc<Device>], at_once: usize, act: impl Fn(Arc<Device>) -> F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(at_once));
    let mut running = JoinSet::new();
    for device in devices {
        let place = places.clone().acquire_owned().await?;
        let (number, acting) = (device.number, act(device.clone()));
        running.spawn(async move {
            let done = acting.await.with_context(|| format!("device {number}"));
            drop(place);
            done.map(|answer| (number, answer))
        });
    }
    let mut answers = Vec::with_capacity(devices.len());
    while let Some(done) = running.join_next().await {
        answers.push(done??);
    }
    answers.sort_by_key(|(number, _)| *number);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// Ends with what went on before it, for people who wait.
pub fn progress(what: &str, since: Instant) {
    say(&format!("  {what}: {:.2} s", since.elapsed().as_secs_f64()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(topology: Topology, witnesses: usize, seed: Option<u64>) -> Vec<usize> {
        let plan = Plan { devices: 2000, witnesses, seed, ..Plan::default() };
        chosen(topology, &plan).into_iter().collect()
    }

    #[test]
    fn witnesses_are_as_many_as_wanted_and_the_special_ones() {
        assert_eq!(of(Topology::Mesh, 4, None), [499, 999, 1499, 1999]);
        let (one, other) = (of(Topology::Mesh, 64, Some(1)), of(Topology::Mesh, 64, Some(2)));
        assert!(one.len() == 64 && other.len() == 64 && one != other);
        assert_eq!(one, of(Topology::Mesh, 64, Some(1)), "the same seed");
        let hub = of(Topology::Hub, 64, Some(1));
        assert!(hub.starts_with(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) && hub.len() >= 64);
        assert_eq!(of(Topology::Mesh, 2000, Some(3)).len(), 2000);
    }
}
