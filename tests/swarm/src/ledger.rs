//! What was changed and when, who has been told, and what went wrong.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::{sync::Notify, time::timeout};

use crate::{
    histogram::{Histogram, Quantiles},
    mark::Mark,
    say,
};

/// Complaints that are printed; the rest is only counted.
const PRINTED: u64 = 20;

/// Shared by everybody who changes something and everybody who listens.
pub struct Ledger {
    /// Per device, when each of its changes was sent; the first is its state at the start.
    sent: Vec<Mutex<Vec<Instant>>>,
    watching: AtomicBool,
    due: AtomicU64,
    delivered: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
    errors: AtomicU64,
    delays: Histogram,
    progress: Notify,
}

impl Ledger {
    /// Of so many devices, all of which see each other.
    pub fn new(devices: usize) -> Self {
        let start = Instant::now();
        Self {
            sent: (0..devices).map(|_| Mutex::new(vec![start])).collect(),
            watching: AtomicBool::new(false),
            due: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            delays: Histogram::new(),
            progress: Notify::new(),
        }
    }

    /// From here on everybody looks into every message.
    pub fn watch(&self) {
        self.watching.store(true, SeqCst);
    }

    pub fn is_watching(&self) -> bool {
        self.watching.load(Relaxed)
    }

    /// Notes that the device is about to report its next change, which every other device must hear of.
    pub fn change(&self, device: usize) -> Result<Mark> {
        let mut sent = self.sent_of(device)?;
        let change = u16::try_from(sent.len()).context("too many changes of one device")?;
        sent.push(Instant::now());
        self.due.fetch_add(self.sent.len() as u64 - 1, SeqCst);
        Ok(Mark { device, change })
    }

    /// The last change that the device has reported.
    pub fn current(&self, device: usize) -> Result<Mark> {
        let last = self.sent_of(device)?.len() - 1;
        Ok(Mark { device, change: u16::try_from(last)? })
    }

    /// Notes that one listener, which knew change `known` of a device, has now heard of a later one. What it was not
    /// told on the way counts as told with it.
    pub fn heard(&self, known: u16, mark: Mark) -> Result<()> {
        let now = Instant::now();
        let changes = usize::from(known) + 1..=usize::from(mark.change);
        let told = changes.clone().count() as u64;
        for at in self.sent_of(mark.device)?.get(changes).context("a change that nobody made")? {
            self.delays.record(now.duration_since(*at));
        }
        if self.delivered.fetch_add(told, SeqCst) + told >= self.due.load(SeqCst) {
            self.progress.notify_waiters();
        }
        Ok(())
    }

    /// Notes a message that is no keepalive.
    pub fn message(&self, bytes: usize) {
        self.messages.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Notes that something went wrong.
    pub fn complain(&self, what: &str) {
        let earlier = self.errors.fetch_add(1, Relaxed);
        if earlier < PRINTED {
            say(&format!("  wrong: {what}"));
        }
    }

    /// Waits until everybody has heard of every change so far.
    pub async fn settled(&self, within: Duration) -> Result<()> {
        let done = async {
            loop {
                let progress = self.progress.notified();
                if self.delivered.load(SeqCst) >= self.due.load(SeqCst) {
                    return;
                }
                progress.await;
            }
        };
        timeout(within, done).await.with_context(|| {
            format!("{} of {} deliveries within {within:?}", self.delivered(), self.due.load(SeqCst))
        })
    }

    pub fn delivered(&self) -> u64 {
        self.delivered.load(SeqCst)
    }

    pub fn messages(&self) -> u64 {
        self.messages.load(Relaxed)
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    pub fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }

    /// From a change's report to each of its deliveries.
    pub fn delays(&self) -> Quantiles {
        self.delays.quantiles()
    }

    fn sent_of(&self, device: usize) -> Result<std::sync::MutexGuard<'_, Vec<Instant>>> {
        let sent = self.sent.get(device).context("a device that nobody is")?;
        Ok(sent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_settled_when_all_others_have_it() {
        let ledger = Ledger::new(3);
        let soon = Duration::from_millis(20);
        ledger.settled(soon).await.unwrap();
        let first = ledger.change(1).unwrap();
        let second = ledger.change(1).unwrap();
        assert_eq!((first.change, second.change, ledger.current(1).unwrap()), (1, 2, second));
        ledger.heard(0, first).unwrap();
        ledger.heard(1, second).unwrap();
        assert!(ledger.settled(soon).await.is_err());
        ledger.heard(0, second).unwrap();
        ledger.settled(soon).await.unwrap();
        assert_eq!(ledger.delivered(), 4);
        assert!(ledger.heard(2, Mark { device: 1, change: 3 }).is_err());
        assert!(ledger.heard(0, Mark { device: 3, change: 1 }).is_err());
    }
}
