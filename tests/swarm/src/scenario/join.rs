//! Devices that come, stay for a moment and leave for good.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use super::DELIVERED_WITHIN;
use crate::{
    fleet::{Fleet, Guest},
    say,
    target::Keys,
};

/// How long a guest stays.
const STAY: Duration = Duration::from_secs(2);

/// How many there are in that time; each makes two changes.
pub fn guests(seconds: u32, rate: u32) -> usize {
    (seconds as usize * rate as usize).div_ceil(2) + 1
}

/// Guests at an even pace, the first with this number. Those who stay must hear of every coming and going.
pub async fn join(fleet: &Arc<Fleet>, keys: &Keys, first: usize, length: Duration, rate: u32) -> Result<u64> {
    let mut clock = interval(Duration::from_secs(2) / rate);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (start, mut visits, mut number) = (Instant::now(), JoinSet::new(), first);
    while start.elapsed() < length && number < fleet.shared.places() {
        clock.tick().await;
        let (fleet, keys) = (fleet.clone(), keys.clone());
        visits.spawn(async move {
            if let Err(e) = visit(&fleet, &keys, number).await {
                fleet.shared.ledger.complain(&format!("guest {number}: {e:#}"));
            }
        });
        number += 1;
    }
    visits.join_all().await;
    let guests = number - first;
    say(&format!("  {guests} guests"));
    Ok(2 * guests as u64)
}

async fn visit(fleet: &Fleet, keys: &Keys, number: usize) -> Result<()> {
    let pass = keys.pass(fleet.topology, fleet.topology.kind(number), true).await?;
    let guest = Guest::enter(fleet, number, &pass).await?;
    sleep(STAY).await;
    guest.settle(fleet, DELIVERED_WITHIN).await?;
    guest.leave(fleet).await
}
