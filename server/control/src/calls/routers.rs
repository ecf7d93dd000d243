//! Asks routers that others could stand in for whether they are there, and tells the World who is not.
//! What follows from it is decided there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ident::NodeId;
use ipnet::IpNet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use world::{Command, Node, Presence, World};

use super::{Calls, NoAnswer};
use crate::{
    fanout::Hub,
    writer::{Origin, Writer},
};

/// With two questions that go unanswered one after another, silence is noticed within 10 s.
const EVERY: Duration = Duration::from_secs(4);
const WITHIN: Duration = Duration::from_secs(3);
/// Routers of one round are asked in as many parts of a second.
const PARTS: u64 = 16;
/// When the server itself stood still for that long, an answer may wait unread.
const STOOD_STILL: Duration = Duration::from_millis(1500);

/// A router with the stream in which it is asked.
#[derive(Debug, Clone)]
struct Router {
    node: Arc<Node>,
    epoch: u64,
}

/// Who asks, and who is being asked.
struct Watch {
    calls: Arc<Calls>,
    hub: Arc<Hub>,
    writer: Writer,
    instance: u64,
    asked: Mutex<BTreeSet<NodeId>>,
}

/// Runs until told to stop.
pub async fn watch(calls: Arc<Calls>, hub: Arc<Hub>, writer: Writer, instance: u64, stop: CancellationToken) {
    let watch = Arc::new(Watch { calls, hub, writer, instance, asked: Mutex::default() });
    let mut rounds = interval(EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = rounds.tick() => {}
        }
        for router in shared(&watch.hub.world(), instance) {
            if watch.lock().insert(router.node.id) {
                let (watch, stop) = (watch.clone(), stop.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = watch.look_at(&router) => {}
                    }
                    watch.lock().remove(&router.node.id);
                });
            }
        }
    }
}

impl Watch {
    async fn look_at(&self, router: &Router) {
        let part = router.node.id.get() % PARTS;
        tokio::time::sleep(Duration::from_millis(part * 1000 / PARTS)).await;
        let Some(answered) = self.question(router).await else { return };
        let (node, instance, epoch) = (router.node.id, self.instance, router.epoch);
        if self.hub.world().nodes.get(node).is_none_or(|n| n.live.responsive == answered) {
            return;
        }
        tracing::info!(router = router.node.name, answered, "a router's answer");
        let command = Command::Questioned { node, instance, epoch, answered };
        if let Err(e) = self.writer.submit(command, Origin::system()).await {
            tracing::debug!(error = %e, router = router.node.name, "nobody is told of a router's answer");
        }
    }

    /// Whether it answers; none when that cannot be told. Only who is silent twice is silent.
    async fn question(&self, router: &Router) -> Option<bool> {
        for _ in 0..2 {
            let begun = Instant::now();
            match self.calls.echo(&router.node, WITHIN).await {
                Ok(_) => return Some(true),
                Err(NoAnswer::NotConnected | NoAnswer::Busy) => return None,
                Err(NoAnswer::Late) if begun.elapsed() > WITHIN + STOOD_STILL => return None,
                Err(NoAnswer::Late) => {}
            }
        }
        Some(false)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<NodeId>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Routers connected here that serve, or would, what another router is able to serve as well.
fn shared(world: &World, instance: u64) -> Vec<Router> {
    let mut by_prefix: BTreeMap<IpNet, Vec<&Arc<Node>>> = BTreeMap::new();
    for node in world.nodes.iter().filter(|node| node.can_route()) {
        for prefix in node.subnet_routes() {
            by_prefix.entry(prefix).or_default().push(node);
        }
    }
    let routers = by_prefix.into_values().filter(|routers| routers.len() > 1).flatten();
    let by_id: BTreeMap<NodeId, &Arc<Node>> = routers.map(|node| (node.id, node)).collect();
    let here = |node: &Arc<Node>| match node.live.presence {
        Presence::Connected { instance: i, epoch } if i == instance => {
            Some(Router { node: node.clone(), epoch })
        }
        Presence::Connected { .. } | Presence::Leaving { .. } | Presence::Offline => None,
    };
    by_id.into_values().filter_map(here).collect()
}
