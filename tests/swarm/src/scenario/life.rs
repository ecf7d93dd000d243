//! What the clients do while a scenario lasts. Each answers with the number of changes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use super::{DELIVERED_WITHIN, Lived, STALLED_AT_MOST};
use crate::{
    fleet::{Arrival, Fleet},
    listener::Part,
    say,
    target::Target,
    topology::Phase,
};

/// Between two reconnects of everybody.
const PAUSE: Duration = Duration::from_secs(1);

pub async fn rest(fleet: &Fleet, length: Duration) -> u64 {
    let before = fleet.shared.ledger.messages();
    sleep(length).await;
    let messages = fleet.shared.ledger.messages() - before;
    if messages > 0 {
        fleet.shared.ledger.complain(&format!("{messages} messages while nothing happened"));
    }
    0
}

/// Changes at an even pace whatever becomes of them: a slow server gets no mercy.
pub async fn churn(fleet: &Fleet, length: Duration, rate: u32) -> Result<u64> {
    let mut clock = interval(Duration::from_secs(1) / rate);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (start, mut reports, mut changes) = (Instant::now(), JoinSet::new(), 0);
    let turns = (0..).map(|turn| fleet.topology.changer(turn, fleet.devices.len()));
    let mut turns = turns.filter(|device| fleet.shared.part(*device) != Part::Leaves);
    while start.elapsed() < length {
        clock.tick().await;
        reports.spawn(fleet.start_change(turns.next().context("a device that stays")?)?);
        changes += 1;
        while reports.try_join_next().is_some() {}
    }
    reports.join_all().await;
    say(&format!("  {changes} changes"));
    Ok(changes)
}

/// Churn with all reading, then with a tenth stalled; those must be right again once they read.
pub(super) async fn slow(fleet: &Fleet, length: Duration, rate: u32) -> Result<Lived> {
    let stalled = (length / 2).min(STALLED_AT_MOST);
    let ledger = &fleet.shared.ledger;
    let undisturbed = churn(fleet, length - stalled, rate).await?;
    ledger.settled(DELIVERED_WITHIN).await?;
    let before = ledger.delays();
    ledger.forget_delays();
    fleet.shared.stall.send_replace(true);
    let disturbed = churn(fleet, stalled, rate).await?;
    if let Err(e) = ledger.settled(DELIVERED_WITHIN).await {
        ledger.complain(&format!("{e:#}"));
    }
    fleet.shared.stall.send_replace(false);
    fleet.settle().await?;
    Ok(Lived { changes: undisturbed + disturbed, before: Some(before) })
}

/// One policy after the other; each is awaited by everybody whom it concerns.
pub async fn policy(fleet: &Fleet, target: &Target, length: Duration, rate: u32) -> Result<u64> {
    let mut clock = interval(Duration::from_secs(1) / rate);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (start, mut changes) = (Instant::now(), 0);
    while changes == 0 || start.elapsed() < length {
        clock.tick().await;
        let next = if fleet.phase() == Phase::Whole { Phase::FirstKindCutOff } else { Phase::Whole };
        let before: Vec<_> = fleet.witnesses().map(|w| (w, fleet.peers_of(w))).collect();
        fleet.enter(next);
        let since = Instant::now();
        for (witness, before) in before {
            let peers = fleet.peers_of(witness);
            if peers != before {
                fleet.shared.expect(witness, peers, since);
            }
        }
        target.set_policy(fleet.topology, next).await?;
        fleet.shared.ledger.settled(DELIVERED_WITHIN).await?;
        fleet.shared.ledger.all_met(since);
        changes += 1;
    }
    Ok(changes)
}

/// All connections are cut and made anew; everybody is owed a map.
pub async fn reconnect(fleet: &Fleet, length: Duration) -> Result<u64> {
    let (start, mut rounds, devices) = (Instant::now(), 0, fleet.devices.len() as u64);
    while rounds == 0 || start.elapsed() < length {
        let since = Instant::now();
        fleet.disconnect().await;
        fleet.shared.ledger.owe(devices);
        fleet.connect(Arrival::Again).await?;
        fleet.shared.ledger.settled(DELIVERED_WITHIN).await?;
        fleet.shared.ledger.all_met(since);
        rounds += 1;
        sleep(PAUSE).await;
    }
    fleet.settle().await?;
    say(&format!("  {rounds} times"));
    Ok(rounds * devices)
}
