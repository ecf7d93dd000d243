//! All the clients: they get keys, register, connect, report, and are asked in the end what they know.

mod device;
mod verdict;

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use harness::{Client, Server};
use ident::Secret;
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

pub use device::Device;
pub use verdict::Verdict;

use crate::{
    listener::{Listener, Shared, Witness, witness},
    say,
    self_test::tamper::Tamper,
    target::Keys,
    topology::{Phase, Topology},
};

/// Clients that do the same at once.
pub const AT_ONCE: usize = 64;
/// Within that long everybody must know everybody.
const SETTLED_WITHIN: Duration = Duration::from_secs(300);
/// Without a message for that long, nothing more comes.
const QUIET: Duration = Duration::from_secs(2);

/// Registered devices, and those of them that are connected.
pub struct Fleet {
    pub shared: Arc<Shared>,
    pub server: Arc<Server>,
    pub topology: Topology,
    pub devices: Vec<Arc<Device>>,
    phase: Mutex<Phase>,
    wanted_witnesses: usize,
    listeners: Vec<JoinHandle<()>>,
    lines: Vec<Client>,
    witnesses: Vec<(usize, Witness)>,
}

/// What a fleet is to be.
#[derive(Default)]
pub struct Plan {
    pub devices: usize,
    /// Devices that may come later.
    pub guests: usize,
    /// How many are full models, evenly spread.
    pub witnesses: usize,
    pub tamper: Option<Tamper>,
}

/// How a fleet connects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Reports its endpoint first; nothing is measured.
    Quiet,
    /// The same, and every report is a change that the witnesses must hear of.
    Counted,
    /// Reports nothing; is owed its first message.
    Again,
}

impl Fleet {
    /// Devices none of which is known to the server yet.
    pub fn new(server: Server, topology: Topology, plan: Plan) -> Result<Self> {
        Ok(Self {
            shared: Arc::new(Shared::new(plan.devices + plan.guests, plan.tamper)),
            server: Arc::new(server),
            topology,
            devices: (0..plan.devices).map(|n| Device::new(n).map(Arc::new)).collect::<Result<_>>()?,
            phase: Mutex::default(),
            wanted_witnesses: plan.witnesses,
            listeners: Vec::new(),
            lines: Vec::new(),
            witnesses: Vec::new(),
        })
    }

    /// A key for each device.
    pub async fn mint(&self, keys: &Keys) -> Result<Vec<Secret<String>>> {
        each(&self.devices, AT_ONCE, |device| {
            let (keys, kind) = (keys.clone(), self.topology.kind(device.number));
            async move { keys.key(kind, false).await }
        })
        .await
    }

    /// Registers every device with its key, each over a connection of its own.
    pub async fn register(&self, keys: Vec<Secret<String>>) -> Result<()> {
        let keys = Arc::new(keys);
        each(&self.devices, AT_ONCE, |device| {
            let (server, keys) = (self.server.clone(), keys.clone());
            async move { device.register(&server, keys.get(device.number).context("a key for each")?).await }
        })
        .await?;
        Ok(())
    }

    /// Connects every device and opens its stream.
    pub async fn connect(&mut self, arrival: Arrival) -> Result<()> {
        if arrival == Arrival::Counted {
            self.listen_only(|device| self.is_witness(device));
            self.shared.ledger.watch();
        }
        let places = if arrival == Arrival::Again { self.devices.len() } else { AT_ONCE };
        let opened = each(&self.devices, places, |device| {
            let (server, shared) = (self.server.clone(), self.shared.clone());
            let witness = self.is_witness(device.number).then(witness);
            let counts = arrival != Arrival::Counted || witness.is_some();
            async move {
                let since = Instant::now();
                let (client, stream) = device.open(&server, &shared, arrival).await?;
                let owed = arrival == Arrival::Again;
                let listener = Listener {
                    device: device.number,
                    witness: witness.clone(),
                    shared,
                    since,
                    counts,
                    owed,
                    stage: None,
                };
                Ok((client, witness, tokio::spawn(listener.listen(stream))))
            }
        });
        for (device, (client, witness, listener)) in opened.await?.into_iter().enumerate() {
            self.witnesses.extend(witness.map(|w| (device, w)));
            self.lines.push(client);
            self.listeners.push(listener);
        }
        Ok(())
    }

    /// Cuts all connections without a word.
    pub async fn disconnect(&mut self) {
        for listener in self.listeners.drain(..) {
            listener.abort();
            let _ = listener.await;
        }
        self.lines.clear();
        self.witnesses.clear();
    }

    /// From here on changes are due to those devices alone, as far as they see the one that changes.
    pub fn listen_only(&self, counts: impl Fn(usize) -> bool) {
        let mut listeners = vec![0; self.topology.kinds()];
        for device in (0..self.devices.len()).filter(|d| counts(*d)) {
            listeners[self.topology.kind(device)] += 1;
        }
        for device in 0..self.shared.places() {
            let own = u64::from(device < self.devices.len() && counts(device));
            self.shared.ledger.set_audience(device, self.seen_by(device, &listeners, own));
        }
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
        (0..self.devices.len()).step_by(10).for_each(|device| self.shared.choose_to_stall(device));
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

    /// Whether this device is to be one.
    pub fn is_witness(&self, n: usize) -> bool {
        let (all, wanted) = (self.devices.len(), self.wanted_witnesses);
        n < all && n * wanted / all != (n + 1) * wanted / all
    }

    /// Waits until every witness sees all others online and nothing is said any more. Returns how long that took,
    /// without the silence at its end.
    pub async fn settle(&self) -> Result<Duration> {
        let start = Instant::now();
        let (mut heard, mut since) = (self.shared.ledger.messages(), Instant::now());
        let expected: Vec<_> = self.witnesses().map(|device| self.peers_of(device)).collect();
        loop {
            sleep(Duration::from_millis(50)).await;
            let now = self.shared.ledger.messages();
            if now != heard {
                (heard, since) = (now, Instant::now());
            }
            if since.elapsed() >= QUIET && self.everybody_is_online(&expected) {
                return Ok(since.duration_since(start));
            }
            ensure!(start.elapsed() < SETTLED_WITHIN, "the witnesses do not see everybody online");
        }
    }

    /// Has one device report a new endpoint.
    pub async fn change(&self, device: usize) -> Result<()> {
        let (device, line) =
            self.devices.get(device).zip(self.lines.get(device)).context("a connected device")?;
        let mark = self.shared.ledger.change(device.number)?;
        line.lite_update(&device.report(mark)?)
            .await
            .with_context(|| format!("change of {}", device.hostname))
    }

    /// The same, later, by somebody who need not wait; a failure is complained of.
    pub fn start_change(&self, device: usize) -> Result<impl Future<Output = ()> + Send + use<>> {
        let (device, line) =
            self.devices.get(device).zip(self.lines.get(device)).context("a connected device")?;
        let (shared, line) = (self.shared.clone(), line.clone());
        let mark = shared.ledger.change(device.number)?;
        let report = device.report(mark)?;
        Ok(async move {
            if let Err(e) = line.lite_update(&report).await {
                shared.ledger.complain(&format!("a report: {e:#}"));
            }
        })
    }

    fn everybody_is_online(&self, expected: &[usize]) -> bool {
        self.witnesses.iter().zip(expected).all(|((_, witness), expected)| {
            let model = witness.lock().unwrap_or_else(PoisonError::into_inner);
            model.peers().len() == *expected && model.peers().values().all(|p| p.online == Some(true))
        })
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.listeners.iter().for_each(JoinHandle::abort);
    }
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
