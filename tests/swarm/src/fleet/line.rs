//! The connections of a fleet: made, cut and made anew.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use harness::Client;
use tokio::{task::JoinHandle, time::sleep};

use super::{AT_ONCE, Device, Fleet, each};
use crate::listener::{Listener, Shared, Witness, forget};

/// How often a device dials that comes back, and how much longer it waits each time.
const DIALS: u32 = 20;
const BACK_OFF: Duration = Duration::from_millis(250);

/// One device's connection, with somebody who listens to its stream. Dropping it cuts the connection.
pub struct Line {
    client: Client,
    listening: JoinHandle<()>,
}

/// How a fleet connects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Reports its endpoint first; nothing is measured.
    Quiet,
    /// The same, and every report is a change that the witnesses must hear of.
    Counted,
    /// Reports nothing; is owed its first message. Whoever is turned away while all dial at once dials again, as clients do.
    Again,
}

impl Line {
    async fn open(
        device: Arc<Device>,
        server: Arc<harness::Server>,
        shared: Arc<Shared>,
        witness: Option<Witness>,
        arrival: Arrival,
    ) -> Result<Self> {
        let since = Instant::now();
        for tries in 1.. {
            let (device, server, shared) = (device.clone(), server.clone(), shared.clone());
            match Self::dial(device, server, shared, witness.clone(), arrival, since).await {
                Err(_) if arrival == Arrival::Again && tries < DIALS => sleep(BACK_OFF * tries).await,
                outcome => return outcome,
            }
        }
        bail!("never dialled")
    }

    async fn dial(
        device: Arc<Device>,
        server: Arc<harness::Server>,
        shared: Arc<Shared>,
        witness: Option<Witness>,
        arrival: Arrival,
        since: Instant,
    ) -> Result<Self> {
        if let Some(witness) = &witness {
            forget(witness);
        }
        let (client, stream) = device.open(&server, &shared, arrival).await?;
        let counts = arrival != Arrival::Counted || witness.is_some();
        let owed = arrival == Arrival::Again;
        let device = device.number;
        let listener = Listener { device, witness, shared, since, counts, owed, stage: None };
        Ok(Self { client, listening: tokio::spawn(listener.listen(stream)) })
    }

    async fn cut(mut self) {
        self.listening.abort();
        let _ = (&mut self.listening).await;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Fleet {
    /// Connects every device and opens its stream.
    pub async fn connect(&self, arrival: Arrival) -> Result<()> {
        if arrival == Arrival::Counted {
            self.listen_only(|device| self.is_witness(device));
            self.shared.ledger.watch();
        }
        let places = if arrival == Arrival::Again { self.devices.len() } else { AT_ONCE };
        let opened = each(&self.devices, places, |device| self.open(device, arrival)).await?;
        for (place, line) in self.lines.iter().zip(opened) {
            *locked(place) = Some(line);
        }
        Ok(())
    }

    /// Cuts all connections without a word.
    pub async fn disconnect(&self) {
        for device in 0..self.lines.len() {
            self.cut(device).await;
        }
    }

    /// Cuts one.
    pub async fn cut(&self, device: usize) {
        let line = self.lines.get(device).and_then(|place| locked(place).take());
        if let Some(line) = line {
            line.cut().await;
        }
    }

    /// Connects one anew, which is owed its map.
    pub async fn reopen(&self, device: usize) -> Result<()> {
        self.shared.ledger.owe(1);
        let (place, device) = self.lines.get(device).zip(self.devices.get(device)).context("a device")?;
        let line = self.open(device.clone(), Arrival::Again).await?;
        *locked(place) = Some(line);
        Ok(())
    }

    /// The connection of a device that has one.
    pub fn line(&self, device: usize) -> Result<Client> {
        let place = self.lines.get(device).context("a device")?;
        locked(place).as_ref().map(|line| line.client.clone()).context("a connected device")
    }

    fn open(
        &self,
        device: Arc<Device>,
        arrival: Arrival,
    ) -> impl Future<Output = Result<Line>> + Send + use<> {
        let witness = self.witness(device.number);
        Line::open(device, self.server.clone(), self.shared.clone(), witness, arrival)
    }
}

fn locked(place: &Mutex<Option<Line>>) -> MutexGuard<'_, Option<Line>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}
