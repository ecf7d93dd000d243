//! What is wrong with the policy in force: how it was found at the start, and what its own tests say of those who are
//! there now. Said to the log when it changes, and to who asks.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use world::World;

use crate::fanout::Hub;

/// Tests of a large tailnet take their time.
const EVERY: Duration = Duration::from_secs(10);
/// Who asks often is told the same for so long.
const FRESH: Duration = Duration::from_secs(2);

/// What is known of the policy in force.
#[derive(Debug)]
pub struct Verdict {
    /// How the stored policy was found, where that is a matter of concern; until another one is set.
    stored: Option<String>,
    /// The policy that was loaded.
    epoch: u64,
    tried: Mutex<Option<Tried>>,
}

#[derive(Debug, Clone)]
struct Tried {
    epoch: u64,
    mark: u64,
    at: Instant,
    failures: Vec<String>,
}

impl Verdict {
    /// Of a World that was loaded a moment ago.
    pub fn new(world: &World, stored: Option<String>) -> Self {
        Self { stored, epoch: world.classes.epoch(), tried: Mutex::default() }
    }

    /// Everything an operator should know, a sentence each; nothing when all is well. At most two seconds old, and never
    /// about a policy that is no longer in force.
    pub async fn warnings(self: &Arc<Self>, world: &Arc<World>) -> Vec<String> {
        let stored = self.stored.iter().filter(|_| world.classes.epoch() == self.epoch).cloned();
        stored.chain(self.failures(world).await).collect()
    }

    async fn failures(self: &Arc<Self>, world: &Arc<World>) -> Vec<String> {
        let is_fresh = |tried: &Tried| tried.at.elapsed() < FRESH || tried.mark == mark(world);
        if let Some(fresh) = self.last().filter(|tried| tried.is_about(world) && is_fresh(tried)) {
            return fresh.failures;
        }
        self.look(world).await
    }

    /// Runs the tests, beside what serves.
    async fn look(self: &Arc<Self>, world: &Arc<World>) -> Vec<String> {
        let (verdict, world) = (self.clone(), world.clone());
        let looked = tokio::task::spawn_blocking(move || verdict.judge(&world)).await;
        looked.unwrap_or_else(|e| vec![format!("the policy's own tests could not be run: {e}")])
    }

    fn judge(&self, world: &World) -> Vec<String> {
        let failures = world.try_policy(&world.policy.policy).err();
        let failures: Vec<_> =
            failures.iter().flat_map(|found| found.iter()).map(ToString::to_string).collect();
        let now = Tried {
            epoch: world.classes.epoch(),
            mark: mark(world),
            at: Instant::now(),
            failures: failures.clone(),
        };
        let before = self.tried.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
        let known = before.map(|tried| tried.failures).unwrap_or_default();
        if known != failures {
            failures
                .iter()
                .for_each(|failure| tracing::warn!(failure, "THE POLICY IN FORCE FAILS ITS OWN TESTS"));
            if failures.is_empty() {
                tracing::info!("the policy in force passes its own tests");
            }
        }
        failures
    }

    fn last(&self) -> Option<Tried> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Tried {
    fn is_about(&self, world: &World) -> bool {
        self.epoch == world.classes.epoch()
    }
}

/// Another number when somebody came, went, or is something else to the policy.
fn mark(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    for node in world.nodes.iter() {
        (node.id, node.class, &node.badge, node.owner.user()).hash(&mut hasher);
    }
    for user in world.users.values() {
        (user.id, &user.login).hash(&mut hasher);
    }
    hasher.finish()
}

/// Looks whenever somebody has come, gone or changed, until told to stop.
pub async fn run(hub: Arc<Hub>, verdict: Arc<Verdict>, stop: CancellationToken) {
    if let Some(stored) = &verdict.stored {
        tracing::error!("{stored}");
    }
    loop {
        let world = hub.world();
        let known = verdict.last().is_some_and(|tried| tried.is_about(&world) && tried.mark == mark(&world));
        if !known && world.policy.policy.has_tests() {
            verdict.look(&world).await;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
