//! `swarm run derp`: clients in pairs that send each other packets through the relay, and whether each got what was
//! meant for it, from its partner, in order.

mod packet;
mod pinned;
mod visit;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::{
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval},
};
use wire::DerpNode;

use crate::{
    fleet::{AT_ONCE, Fleet, Verdict},
    say,
};
use packet::Packet;
use visit::{Door, Visit};

/// After the last packet, what is under way must have arrived within that.
const DELIVERED_WITHIN: Duration = Duration::from_secs(10);
/// Packets that a client may have waiting.
const WAITING: usize = 64;
/// A relay may drop packets where too many come, but not so many at this pace.
const LOST_AT_MOST: f64 = 0.05;

/// All clients of a fleet at the relay.
pub struct Relayed {
    visitors: Vec<Visitor>,
    epoch: Instant,
}

struct Visitor {
    outgoing: mpsc::Sender<Packet>,
    /// Ends with how often it got something wrong.
    visiting: JoinHandle<u64>,
}

impl Relayed {
    /// Connects every client of the fleet to the relay that they are told of.
    pub async fn enter(fleet: &Fleet) -> Result<Self> {
        let door = Arc::new(Door::of(&told(fleet).await?, &fleet.server)?);
        let mut entering = JoinSet::new();
        let mut visits = Vec::with_capacity(fleet.devices.len());
        for device in &fleet.devices {
            if entering.len() >= AT_ONCE {
                visits.push(entering.join_next().await.context("somebody who enters")???);
            }
            let (door, device) = (door.clone(), device.clone());
            entering.spawn(async move {
                Visit::begin(&door, &device)
                    .await
                    .with_context(|| format!("{} at the relay", device.hostname))
            });
        }
        while let Some(entered) = entering.join_next().await {
            visits.push(entered??);
        }
        visits.sort_by_key(Visit::device);
        let visitors = visits.into_iter().map(|visit| Visitor::of(visit, fleet)).collect();
        Ok(Self { visitors, epoch: door.epoch })
    }

    /// Packets at an even pace, from one pair after the other. Answers with how many.
    pub async fn talk(&self, fleet: &Fleet, length: Duration, rate: u32) -> Result<u64> {
        let mut clock = interval(Duration::from_secs(1) / rate);
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (start, mut sent, paired) = (Instant::now(), 0, self.visitors.len() & !1);
        while start.elapsed() < length {
            clock.tick().await;
            let from = usize::try_from(sent)? % paired;
            let number = sent / paired as u64;
            let packet = Packet { from, to: from ^ 1, number, sent: self.epoch.elapsed() };
            fleet.shared.ledger.owe(1);
            self.visitors[from].outgoing.send(packet).await.context("a client left the relay")?;
            sent += 1;
        }
        say(&format!("  {sent} packets"));
        if fleet.shared.ledger.settled(DELIVERED_WITHIN).await.is_err() {
            let lost = sent - fleet.shared.ledger.delivered();
            say(&format!("  {lost} packets were lost"));
            ensure!(lost as f64 <= sent as f64 * LOST_AT_MOST, "{lost} of {sent} packets were lost");
        }
        Ok(sent)
    }

    /// Everybody leaves; all of them are judged.
    pub async fn leave(self) -> Result<Verdict> {
        let models_checked = self.visitors.len();
        // All are told before the first one goes, so that nobody hears of a partner that has gone.
        let visiting: Vec<_> = self.visitors.into_iter().map(|visitor| visitor.visiting).collect();
        let mut models_wrong = 0;
        for visiting in visiting {
            models_wrong += usize::from(visiting.await? > 0);
        }
        Ok(Verdict { models_checked, models_wrong })
    }
}

impl Visitor {
    fn of(visit: Visit, fleet: &Fleet) -> Self {
        let (outgoing, packets) = mpsc::channel(WAITING);
        Self { outgoing, visiting: tokio::spawn(visit.stay(packets, fleet.shared.clone())) }
    }
}

/// The relay of a client's map.
async fn told(fleet: &Fleet) -> Result<DerpNode> {
    let device = fleet.devices.first().context("a device")?;
    let client = harness::Client::connect(&fleet.server, &device.identity.machine).await?;
    let map = client.map_once(&device.identity.stream_request(&device.hostname)).await?;
    let regions = map.derp_map.context("a map without relays")?.regions;
    let mut nodes = regions.into_values().flat_map(|region| region.nodes).filter(|node| !node.stun_only);
    nodes.next().context("the server tells of no relay")
}
