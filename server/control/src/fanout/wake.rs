//! Whom a change concerns, and when they are told: at once while that is cheap; when fan-out has just cost much,
//! after twice that cost, so that it never takes more than half a core. What takes rights away never waits.

use std::{
    sync::{
        Arc, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use netmap::Concern;
use world::World;

use super::Hub;

/// Fan-out cheaper than this is never held back.
const CHEAP: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(2);

/// What is not announced yet, and when something was announced last.
#[derive(Debug, Default)]
pub(super) struct Waker {
    /// The World that was announced last; none when nothing waits.
    told: Option<Arc<World>>,
    last: Option<Instant>,
    timer: bool,
}

/// Nanoseconds that sessions have worked since the last announcement.
#[derive(Debug, Default)]
pub(super) struct Spent(AtomicU64);

impl Spent {
    pub(super) fn add(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
    fn so_far(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
    fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// Announces the newest World; `before` is the one before it.
pub(super) fn announce(hub: &Arc<Hub>, before: &Arc<World>, now: Instant) {
    let mut waker = lock(hub);
    let told = waker.told.get_or_insert_with(|| before.clone()).clone();
    let spent = hub.cache.spent.so_far();
    let window = if spent < CHEAP { Duration::ZERO } else { (2 * spent).min(LONGEST) };
    let elapsed = waker.last.map_or(Duration::MAX, |last| now.duration_since(last));
    let published = hub.published.load();
    if elapsed >= window || hub.span(&published, &told).is_none_or(|span| span.tightens()) {
        return flush(hub, waker, now);
    }
    if waker.timer {
        return;
    }
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return flush(hub, waker, now) };
    waker.timer = true;
    let hub = hub.clone();
    runtime.spawn(async move {
        tokio::time::sleep(window.saturating_sub(elapsed)).await;
        let mut waker = lock(&hub);
        waker.timer = false;
        flush(&hub, waker, Instant::now());
    });
}

fn lock(hub: &Hub) -> MutexGuard<'_, Waker> {
    hub.waker.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes the sessions whose node has something to be told, or is gone.
fn flush(hub: &Hub, mut waker: MutexGuard<'_, Waker>, now: Instant) {
    let Some(told) = waker.told.take() else { return };
    waker.last = Some(now);
    hub.cache.spent.reset();
    drop(waker);
    let published = hub.published.load();
    let span = hub.span(&published, &told);
    let mut concern = span.as_deref().map(Concern::new);
    for (node, slot) in hub.sessions().iter() {
        let gone = published.world.nodes.get(*node).is_none();
        if gone || concern.as_mut().is_none_or(|c| c.of(*node)) {
            slot.news.notify_one();
        }
    }
    hub.cache.forget(&published.world);
}
