//! The kinds of events that a server must be able to afford, and how one of them is made.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::{
    fleet::{Fleet, Guest},
    target::{Pass, Target},
    topology::{Phase, Topology},
};

const WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A device reports another endpoint.
    Endpoint,
    /// A device is lost, goes offline and comes back.
    Presence,
    /// A new device registers and leaves for good.
    Membership,
    /// A rule of the policy changes.
    Policy,
    /// A device comes back before it was missed.
    Reconnect,
}

impl Event {
    pub const ALL: [Event; 5] =
        [Self::Endpoint, Self::Presence, Self::Membership, Self::Policy, Self::Reconnect];

    pub fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint change",
            Self::Presence => "offline and online",
            Self::Membership => "join and leave",
            Self::Policy => "policy change",
            Self::Reconnect => "reconnect",
        }
    }

    /// How many make a turn: enough to be told from noise.
    pub fn times(self, topology: Topology) -> usize {
        let few = if self == Self::Endpoint || self == Self::Reconnect { 10 } else { 6 };
        if topology == Topology::Mesh { few } else { 4 * few }
    }

    /// Makes one for each of these devices (or numbers of guests), and waits until everybody knows. Guests have a pass
    /// each.
    pub async fn happen(
        self,
        target: &Target,
        fleet: &Fleet,
        devices: &[usize],
        passes: &[Pass],
    ) -> Result<()> {
        match self {
            Self::Endpoint => change(fleet, devices).await?,
            Self::Presence => lose(fleet, devices).await?,
            Self::Membership => visit(fleet, devices, passes).await?,
            Self::Policy => rule(target, fleet, devices.len()).await?,
            Self::Reconnect => reopen(fleet, devices).await?,
        }
        fleet.shared.ledger.settled(WITHIN).await?;
        fleet.silence().await;
        Ok(())
    }
}

async fn change(fleet: &Fleet, devices: &[usize]) -> Result<()> {
    for device in devices {
        fleet.change(*device).await?;
        fleet.shared.ledger.settled(WITHIN).await?;
    }
    Ok(())
}

/// All at once, because the server looks for who is missing now and then only: they must not differ in how many it
/// finds together.
async fn lose(fleet: &Fleet, devices: &[usize]) -> Result<()> {
    for device in devices {
        fleet.cut(*device).await;
    }
    fleet.seen(devices, false, WITHIN).await?;
    fleet.silence().await;
    for device in devices {
        fleet.reopen(*device).await?;
        fleet.seen(&[*device], true, WITHIN).await?;
    }
    Ok(())
}

async fn visit(fleet: &Fleet, numbers: &[usize], passes: &[Pass]) -> Result<()> {
    for (number, pass) in numbers.iter().zip(passes) {
        let guest = Guest::enter(fleet, *number, pass).await?;
        guest.settle(fleet, WITHIN).await?;
        guest.leave(fleet).await?;
        fleet.shared.ledger.settled(WITHIN).await?;
    }
    Ok(())
}

async fn rule(target: &Target, fleet: &Fleet, times: usize) -> Result<()> {
    for _ in 0..times {
        let next = if fleet.phase() == Phase::Whole { Phase::OneRuleChanged } else { Phase::Whole };
        let told = fleet.shared.ledger.messages() + fleet.topology.concerned(fleet.devices.len()) as u64;
        fleet.enter(next);
        target.set_policy(fleet.topology, next).await?;
        fleet.heard(told, WITHIN).await?;
    }
    Ok(())
}

async fn reopen(fleet: &Fleet, devices: &[usize]) -> Result<()> {
    for device in devices {
        fleet.cut(*device).await;
        fleet.reopen(*device).await?;
        fleet.shared.ledger.settled(WITHIN).await?;
    }
    Ok(())
}
