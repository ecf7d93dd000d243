//! Who is told a whole map when thousands come at the same moment: some at once, in the order of asking.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

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
    /// Since when, the oldest first.
    taken: Mutex<VecDeque<(Instant, Weak<Permit>)>>,
}

/// A place among those who are told one, for as long as this is kept and at most for a while.
#[derive(Debug)]
pub(in crate::fanout) struct Place(#[expect(dead_code, reason = "it is given back with this")] Arc<Permit>);

impl Default for Crowd {
    fn default() -> Self {
        Self::with(PATIENCE)
    }
}

impl Crowd {
    fn with(patience: Duration) -> Self {
        Self { patience, free: Arc::new(Semaphore::new(AT_ONCE)), taken: Mutex::default() }
    }

    /// The next free place; none when there will never be one again.
    pub(super) async fn place(&self) -> Option<Place> {
        let mut next = pin!(self.free.clone().acquire_owned());
        let permit = loop {
            match timeout(self.patience, &mut next).await {
                Ok(permit) => break permit.ok()?,
                Err(_) => self.free_overdue(),
            }
        };
        let permit = Arc::new(Mutex::new(Some(permit)));
        self.free_overdue();
        lock(&self.taken).push_back((Instant::now(), Arc::downgrade(&permit)));
        Some(Place(permit))
    }

    fn free_overdue(&self) {
        let mut taken = lock(&self.taken);
        while let Some((since, permit)) = taken.front() {
            let permit = permit.upgrade();
            if permit.is_some() && since.elapsed() < self.patience {
                return;
            }
            drop(permit.and_then(|permit| lock(&permit).take()));
            taken.pop_front();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn some_are_told_at_once_and_the_next_when_one_has_his() {
        let crowd = Crowd::with(Duration::from_secs(600));
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(crowd.place().await.unwrap());
        }
        let mut next = pin!(crowd.place());
        assert!(timeout(Duration::from_millis(20), &mut next).await.is_err());
        held.pop();
        timeout(Duration::from_secs(60), next).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn of_a_thousand_who_never_read_all_begin_but_few_at_once() {
        const PATIENCE: Duration = Duration::from_millis(20);
        let (crowd, begun) = (Arc::new(Crowd::with(PATIENCE)), Instant::now());
        let mut comers = tokio::task::JoinSet::new();
        for _ in 0..1000 {
            let crowd = crowd.clone();
            comers.spawn(async move { crowd.place().await.unwrap() });
        }
        let mut held = Vec::new();
        while let Some(place) = comers.join_next().await {
            held.push(place.unwrap());
            let batches = begun.elapsed().as_millis() / PATIENCE.as_millis() + 1;
            assert!(held.len() <= AT_ONCE * batches as usize, "{} in {batches}", held.len());
        }
        assert_eq!(held.len(), 1000);
    }

    #[tokio::test]
    async fn nothing_is_kept_of_those_who_are_gone() {
        let crowd = Crowd::default();
        for _ in 0..10_000 {
            crowd.place().await.unwrap();
        }
        assert!(lock(&crowd.taken).len() <= 1);
    }
}
