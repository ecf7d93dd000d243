//! Devices that come, stay for a moment and leave for good.

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use super::DELIVERED_WITHIN;
use crate::{
    fleet::{Device, Fleet},
    listener::{Listener, Stage, witness},
    say,
    target::Keys,
};

/// How long a guest stays.
const STAY: Duration = Duration::from_secs(2);

/// How many there are in that time; each makes two changes.
pub fn guests(seconds: u32, rate: u32) -> usize {
    (seconds as usize * rate as usize).div_ceil(2) + 1
}

/// Guests at an even pace. Those who stay must hear of every coming and going.
pub async fn join(fleet: &Arc<Fleet>, keys: &Keys, length: Duration, rate: u32) -> Result<u64> {
    let mut clock = interval(Duration::from_secs(2) / rate);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (start, mut visits, mut number) = (Instant::now(), JoinSet::new(), fleet.devices.len());
    while start.elapsed() < length && number < fleet.shared.places() {
        clock.tick().await;
        let (fleet, keys, guest) = (fleet.clone(), keys.clone(), Device::new(number)?);
        visits.spawn(async move {
            if let Err(e) = visit(&fleet, &keys, &guest).await {
                fleet.shared.ledger.complain(&format!("{}: {e:#}", guest.hostname));
            }
        });
        number += 1;
    }
    visits.join_all().await;
    let guests = number - fleet.devices.len();
    say(&format!("  {guests} guests"));
    Ok(2 * guests as u64)
}

async fn visit(fleet: &Fleet, keys: &Keys, guest: &Device) -> Result<()> {
    let shared = &fleet.shared;
    let key = keys.key(fleet.topology.kind(guest.number), true).await?;
    let came = Instant::now();
    let mark = shared.ledger.change(guest.number)?;
    guest.register(&fleet.server, &key).await?;
    let (stage, model) = (Arc::new(AtomicU8::new(Stage::Listening as u8)), witness());
    let client = harness::Client::connect(&fleet.server, &guest.identity.machine).await?;
    client.lite_update(&guest.report(mark)?).await?;
    let stream = client.stream(&guest.identity.stream_request(&guest.hostname)).await?;
    let listener = Listener {
        device: guest.number,
        witness: Some(model.clone()),
        shared: shared.clone(),
        since: came,
        counts: false,
        owed: false,
        stage: Some(stage.clone()),
    };
    let listening = tokio::spawn(listener.listen(stream));
    sleep(STAY).await;
    while !shared.ledger.is_settled(guest.number)? {
        ensure!(came.elapsed() < DELIVERED_WITHIN, "not everybody hears of it");
        sleep(Duration::from_millis(50)).await;
    }
    let wrong = fleet.misheld(guest.number, &model.lock().unwrap_or_else(PoisonError::into_inner))?;
    ensure!(wrong.is_empty(), "wrong in {} points, first: {}", wrong.len(), wrong[0]);
    shared.leave(shared.ledger.change(guest.number)?);
    stage.store(Stage::Leaving as u8, SeqCst);
    guest.log_out(&client).await?;
    listening.abort();
    Ok(())
}
