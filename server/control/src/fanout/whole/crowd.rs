//! Who is told a whole map when thousands come at the same moment: some at once, mostly in the order of asking.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use crate::fanout::lock;

/// Whole maps on their way to clients at once, so that thousands who come together do not all hold one.
const AT_ONCE: usize = 64;
/// Who takes longer over a map does so beside the others, so that those who read slowly hold up nobody for ever.
const PATIENCE: Duration = Duration::from_secs(2);

type Permit = Mutex<Option<OwnedSemaphorePermit>>;

/// The places and who has them.
#[derive(Debug)]
pub(super) struct Crowd {
    patience: Duration,
    free: Arc<Semaphore>,
    /// Somebody may look for a place. Nobody relies on it alone: whom it wakes may have no time, or no more interest.
    freed: Arc<Notify>,
    /// Since when, the oldest first.
    taken: Mutex<VecDeque<(Instant, Weak<Permit>)>>,
}

/// A place among those who are told one, for as long as this is kept and at most for a while.
#[derive(Debug)]
pub(in crate::fanout) struct Place {
    permit: Arc<Permit>,
    freed: Arc<Notify>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if lock(&self.permit).take().is_some() {
            self.freed.notify_one();
        }
    }
}

impl Default for Crowd {
    fn default() -> Self {
        Self::with(PATIENCE)
    }
}

impl Crowd {
    fn with(patience: Duration) -> Self {
        let (free, freed) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::default());
        Self { patience, free, freed, taken: Mutex::default() }
    }

    /// The next free place.
    pub(super) async fn place(&self) -> Place {
        loop {
            let freed = self.freed.notified();
            if let Ok(permit) = self.free.clone().try_acquire_owned() {
                return self.taken(permit);
            }
            // Late or not, it looks again.
            let _ = timeout(self.patience, freed).await;
            self.free_overdue();
        }
    }

    fn taken(&self, permit: OwnedSemaphorePermit) -> Place {
        self.free_overdue();
        let permit = Arc::new(Mutex::new(Some(permit)));
        lock(&self.taken).push_back((Instant::now(), Arc::downgrade(&permit)));
        Place { permit, freed: self.freed.clone() }
    }

    fn free_overdue(&self) {
        let mut taken = lock(&self.taken);
        while let Some((since, permit)) = taken.front() {
            let permit = permit.upgrade();
            if permit.is_some() && since.elapsed() < self.patience {
                return;
            }
            if permit.and_then(|permit| lock(&permit).take()).is_some() {
                self.freed.notify_one();
            }
            taken.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn some_are_told_at_once_and_the_next_when_one_has_his() {
        let crowd = Crowd::with(Duration::from_secs(600));
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(crowd.place().await);
        }
        let mut next = std::pin::pin!(crowd.place());
        assert!(timeout(Duration::from_millis(20), &mut next).await.is_err());
        held.pop();
        timeout(Duration::from_secs(60), next).await.unwrap();
    }

    #[tokio::test]
    async fn of_a_thousand_who_never_read_all_begin_but_few_at_once() {
        const PATIENCE: Duration = Duration::from_millis(20);
        let (crowd, begun) = (Arc::new(Crowd::with(PATIENCE)), Instant::now());
        let mut comers = tokio::task::JoinSet::new();
        for _ in 0..1000 {
            let crowd = crowd.clone();
            comers.spawn(async move { crowd.place().await });
        }
        let mut held = Vec::new();
        while let Some(place) = comers.join_next().await {
            held.push(place.unwrap());
            let batches = begun.elapsed().as_millis() / PATIENCE.as_millis() + 1;
            assert!(held.len() <= AT_ONCE * batches as usize, "{} in {batches}", held.len());
        }
        assert_eq!(held.len(), 1000);
    }

    /// As a stream that is not read: it was woken, and does nothing.
    #[tokio::test]
    async fn who_is_called_and_does_not_come_keeps_nobody_waiting() {
        const PATIENCE: Duration = Duration::from_millis(20);
        let crowd = Crowd::with(PATIENCE);
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(crowd.place().await);
        }
        let mut asleep: Vec<_> = (0..AT_ONCE).map(|_| Box::pin(crowd.place())).collect();
        for sleeper in &mut asleep {
            assert!(timeout(Duration::ZERO, sleeper).await.is_err());
        }
        drop(held);
        timeout(Duration::from_secs(60), crowd.place()).await.unwrap();
    }

    #[tokio::test]
    async fn nothing_is_kept_of_those_who_are_gone() {
        let crowd = Crowd::default();
        for _ in 0..10_000 {
            crowd.place().await;
        }
        assert!(lock(&crowd.taken).len() <= 1);
    }
}
