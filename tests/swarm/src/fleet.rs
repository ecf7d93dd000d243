//! All the clients: they get keys, register, connect, report, and are asked in the end what they know.

mod verdict;

use std::{
    future::Future,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use harness::{Client, Identity, Server};
use ident::Secret;
use tokio::{sync::Semaphore, task::JoinSet, time::sleep};
use wire::MapRequest;

pub use verdict::Verdict;

use crate::{
    listener::{Listener, Shared, Witness, witness},
    mark::Mark,
    say,
    server::Admin,
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
    pub devices: Vec<Arc<Device>>,
    listeners: JoinSet<()>,
    lines: Vec<Client>,
    witnesses: Vec<(usize, Witness)>,
}

/// One emulated machine.
pub struct Device {
    pub number: usize,
    pub hostname: String,
    pub identity: Identity,
}

impl Device {
    fn new(number: usize) -> Result<Self> {
        Ok(Self { number, hostname: format!("swarm-{number}"), identity: Identity::seeded(number as u64)? })
    }

    /// A report of the endpoint with this mark.
    fn report(&self, mark: Mark) -> Result<MapRequest> {
        Ok(self.identity.report(&self.hostname, &[&mark.endpoint()?.to_string()], 900))
    }
}

impl Fleet {
    /// So many devices, none of them known to the server yet.
    pub fn new(server: Server, devices: usize) -> Result<Self> {
        Ok(Self {
            shared: Arc::new(Shared::new(devices)),
            server: Arc::new(server),
            devices: (0..devices).map(|n| Device::new(n).map(Arc::new)).collect::<Result<_>>()?,
            listeners: JoinSet::new(),
            lines: Vec::new(),
            witnesses: Vec::new(),
        })
    }

    /// A key for each device.
    pub async fn mint(&self, admin: &Admin) -> Result<Vec<Secret<String>>> {
        each(&self.devices, |_| {
            let admin = admin.clone();
            async move { admin.mint().await }
        })
        .await
    }

    /// Registers every device with its key, each over a connection of its own.
    pub async fn register(&self, keys: Vec<Secret<String>>) -> Result<()> {
        let keys = Arc::new(keys);
        each(&self.devices, |device| {
            let (server, keys) = (self.server.clone(), keys.clone());
            async move {
                let key = keys.get(device.number).context("a key for each device")?;
                let client = Client::connect(&server, &device.identity.machine).await?;
                let request = device.identity.register_request(Some(key.expose()), &device.hostname);
                let answer = client.register(&request).await?;
                ensure!(answer.error.is_empty() && answer.machine_authorized, "refused: {}", answer.error);
                Ok(())
            }
        })
        .await?;
        Ok(())
    }

    /// Connects every device, reports its endpoint and opens its stream. So many of them, evenly spread, become
    /// witnesses.
    pub async fn connect(&mut self, witnesses: usize) -> Result<()> {
        let opened = each(&self.devices, |device| {
            let (server, mark) = (self.server.clone(), self.shared.ledger.current(device.number));
            async move {
                let client = Client::connect(&server, &device.identity.machine).await?;
                client.lite_update(&device.report(mark?)?).await?;
                let stream = client.stream(&device.identity.stream_request(&device.hostname)).await?;
                Ok((client, stream))
            }
        });
        let spread =
            |n: usize| n * witnesses / self.devices.len() != (n + 1) * witnesses / self.devices.len();
        for (device, (client, stream)) in opened.await?.into_iter().enumerate() {
            let witness = spread(device).then(witness);
            self.witnesses.extend(witness.clone().map(|w| (device, w)));
            self.lines.push(client);
            let shared = self.shared.clone();
            self.listeners.spawn(Listener { device, witness, shared }.listen(stream));
        }
        Ok(())
    }

    /// Waits until every witness sees all others online and nothing is said any more. Returns how long that took,
    /// without the silence at its end.
    pub async fn settle(&self) -> Result<Duration> {
        let start = Instant::now();
        let (mut heard, mut since) = (self.shared.ledger.messages(), Instant::now());
        loop {
            sleep(Duration::from_millis(50)).await;
            let now = self.shared.ledger.messages();
            if now != heard {
                (heard, since) = (now, Instant::now());
            }
            if since.elapsed() >= QUIET && self.everybody_is_online() {
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

    fn everybody_is_online(&self) -> bool {
        self.witnesses.iter().all(|(_, witness)| {
            let model = witness.lock().unwrap_or_else(PoisonError::into_inner);
            model.peers().len() + 1 == self.devices.len()
                && model.peers().values().all(|p| p.online == Some(true))
        })
    }
}

/// Does something for every device, [`AT_ONCE`] at a time. Answers in the order of the devices.
async fn each<T, F>(devices: &[Arc<Device>], act: impl Fn(Arc<Device>) -> F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(AT_ONCE));
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
