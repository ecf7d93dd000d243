//! A device that comes later and leaves for good; those who stay must hear of both.

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use harness::Client;
use tokio::{task::JoinHandle, time::sleep};

use super::{Device, Fleet};
use crate::{
    listener::{Listener, Stage, Witness, witness},
    target::Pass,
};

/// Between two looks at who has heard of it.
const LOOK: Duration = Duration::from_millis(10);

/// One who is there.
pub struct Guest {
    device: Device,
    client: Client,
    model: Witness,
    stage: Arc<AtomicU8>,
    listening: JoinHandle<()>,
    came: Instant,
}

impl Guest {
    /// Registers with this ephemeral pass and listens. The number is one behind those who stay.
    pub async fn enter(fleet: &Fleet, number: usize, pass: &Pass) -> Result<Self> {
        let (device, came, model) = (Device::new(number, fleet.topology)?, Instant::now(), witness());
        let mark = fleet.shared.ledger.change(number)?;
        device.register(&fleet.server, pass, true).await?;
        let stage = Arc::new(AtomicU8::new(Stage::Listening as u8));
        let client = Client::connect(&fleet.server, &device.identity.machine).await?;
        client.lite_update(&device.report(mark)?).await?;
        let stream = client.stream(&device.identity.stream_request(&device.hostname)).await?;
        let listener = Listener {
            device: number,
            witness: Some(model.clone()),
            shared: fleet.shared.clone(),
            since: came,
            counts: false,
            owed: false,
            stage: Some(stage.clone()),
        };
        let listening = tokio::spawn(listener.listen(stream));
        Ok(Self { device, client, model, stage, listening, came })
    }

    /// Waits until everybody has heard of it; it must then know everybody itself.
    pub async fn settle(&self, fleet: &Fleet, within: Duration) -> Result<()> {
        let number = self.device.number;
        while !fleet.shared.ledger.is_settled(number)? {
            ensure!(self.came.elapsed() < within, "not everybody hears of it");
            sleep(LOOK).await;
        }
        let mut wrong = self.misheld(fleet)?;
        while !wrong.is_empty() && self.came.elapsed() < within {
            sleep(LOOK).await;
            wrong = self.misheld(fleet)?;
        }
        ensure!(wrong.is_empty(), "wrong in {} points, first: {}", wrong.len(), wrong[0]);
        Ok(())
    }

    /// Logs out, which removes it.
    pub async fn leave(self, fleet: &Fleet) -> Result<()> {
        fleet.shared.leave(fleet.shared.ledger.change(self.device.number)?);
        self.stage.store(Stage::Leaving as u8, SeqCst);
        self.device.log_out(&self.client).await?;
        self.listening.abort();
        Ok(())
    }

    fn misheld(&self, fleet: &Fleet) -> Result<Vec<String>> {
        fleet.misheld(self.device.number, &self.model.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
