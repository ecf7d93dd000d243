//! What was changed and when, who has been told, and what went wrong.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::{sync::Notify, time::timeout};

use crate::{
    mark::Mark,
    report::histogram::{Histogram, Quantiles},
    say,
};

/// Complaints that are printed; the rest is only counted.
const PRINTED: u64 = 20;

/// Shared by everybody who changes something and everybody who listens.
pub struct Ledger {
    /// Per device, its changes; the first is its state at the start.
    made: Vec<Mutex<Vec<Change>>>,
    /// Per device, how many must hear of its changes.
    audience: Vec<AtomicU64>,
    watching: AtomicBool,
    due: AtomicU64,
    delivered: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
    errors: AtomicU64,
    delays: Histogram,
    /// Until the last one has it.
    everybody: Histogram,
    progress: Notify,
}

#[derive(Clone, Copy)]
struct Change {
    sent: Instant,
    missing: u64,
}

impl Ledger {
    /// Of so many devices, all of which see each other.
    pub fn new(devices: usize) -> Self {
        let start = Change { sent: Instant::now(), missing: 0 };
        let others = devices.saturating_sub(1) as u64;
        Self {
            made: (0..devices).map(|_| Mutex::new(vec![start])).collect(),
            audience: (0..devices).map(|_| AtomicU64::new(others)).collect(),
            watching: AtomicBool::new(false),
            due: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            delays: Histogram::new(),
            everybody: Histogram::new(),
            progress: Notify::new(),
        }
    }

    /// Sets how many must hear of the device's changes from now on.
    pub fn set_audience(&self, device: usize, listeners: u64) {
        if let Some(audience) = self.audience.get(device) {
            audience.store(listeners, SeqCst);
        }
    }

    /// From here on everybody looks into every message.
    pub fn watch(&self) {
        self.watching.store(true, SeqCst);
    }

    pub fn is_watching(&self) -> bool {
        self.watching.load(Relaxed)
    }

    /// Notes that the device is about to report its next change, which its audience must hear of.
    pub fn change(&self, device: usize) -> Result<Mark> {
        let mut made = self.made_by(device)?;
        let change = u16::try_from(made.len()).context("too many changes of one device")?;
        let missing = self.audience.get(device).map_or(0, |a| a.load(SeqCst));
        made.push(Change { sent: Instant::now(), missing });
        self.due.fetch_add(missing, SeqCst);
        Ok(Mark { device, change })
    }

    /// The last change that the device has reported.
    pub fn current(&self, device: usize) -> Result<Mark> {
        let last = self.made_by(device)?.len() - 1;
        Ok(Mark { device, change: u16::try_from(last)? })
    }

    /// Whether the whole audience has heard of all changes of this device.
    pub fn is_settled(&self, device: usize) -> Result<bool> {
        Ok(self.made_by(device)?.iter().all(|c| c.missing == 0))
    }

    /// Notes that a listener who is there `since` and knew change `known` of a device has now heard of a later one.
    /// What it was not told on the way counts as told with it.
    pub fn heard(&self, known: u16, mark: Mark, since: Instant) -> Result<()> {
        let now = Instant::now();
        let changes = usize::from(known) + 1..=usize::from(mark.change);
        let told = changes.clone().count() as u64;
        for change in self.made_by(mark.device)?.get_mut(changes).context("a change that nobody made")? {
            self.delays.record(now.duration_since(change.sent.max(since)));
            ensure!(change.missing > 0, "change {} of {} came to too many", mark.change, mark.device);
            change.missing -= 1;
            if change.missing == 0 {
                self.everybody.record(now.duration_since(change.sent));
            }
        }
        self.told(told);
        Ok(())
    }

    /// Whether a device could have reported this.
    pub fn is_possible(&self, mark: Mark) -> bool {
        self.current(mark.device).is_ok_and(|last| mark.change <= last.change)
    }

    /// Notes that so many listeners are owed something that is no report of a device.
    pub fn owe(&self, listeners: u64) {
        self.due.fetch_add(listeners, SeqCst);
    }

    /// Notes that one of them has it; it was owed since then.
    pub fn met(&self, since: Instant) {
        self.delays.record(since.elapsed());
        self.told(1);
    }

    /// Notes that all of them have it.
    pub fn all_met(&self, since: Instant) {
        self.everybody.record(since.elapsed());
    }

    fn told(&self, deliveries: u64) {
        if self.delivered.fetch_add(deliveries, SeqCst) + deliveries >= self.due.load(SeqCst) {
            self.progress.notify_waiters();
        }
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

    /// Starts anew with the delays; the deliveries stay counted.
    pub fn forget_delays(&self) {
        self.delays.clear();
        self.everybody.clear();
    }

    /// From a change's report to the last of its deliveries.
    pub fn everybody(&self) -> Quantiles {
        self.everybody.quantiles()
    }

    fn made_by(&self, device: usize) -> Result<MutexGuard<'_, Vec<Change>>> {
        let made = self.made.get(device).context("a device that nobody is")?;
        Ok(made.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_settled_when_all_others_have_it() {
        let ledger = Ledger::new(3);
        let (soon, since) = (Duration::from_millis(20), Instant::now());
        ledger.settled(soon).await.unwrap();
        let first = ledger.change(1).unwrap();
        let second = ledger.change(1).unwrap();
        assert_eq!((first.change, second.change, ledger.current(1).unwrap()), (1, 2, second));
        ledger.heard(0, first, since).unwrap();
        ledger.heard(1, second, since).unwrap();
        assert!(ledger.settled(soon).await.is_err() && !ledger.is_settled(1).unwrap());
        ledger.heard(0, second, since).unwrap();
        ledger.settled(soon).await.unwrap();
        assert!(ledger.is_settled(1).unwrap());
        assert_eq!(ledger.delivered(), 4);
        assert!(ledger.heard(0, second, since).is_err());
        assert!(ledger.heard(2, Mark { device: 1, change: 3 }, since).is_err());
        assert!(ledger.heard(0, Mark { device: 3, change: 1 }, since).is_err());
    }

    #[tokio::test]
    async fn what_is_owed_is_awaited() {
        let ledger = Ledger::new(2);
        ledger.set_audience(0, 0);
        ledger.change(0).unwrap();
        ledger.settled(Duration::from_millis(20)).await.unwrap();
        ledger.owe(1);
        assert!(ledger.settled(Duration::from_millis(20)).await.is_err());
        ledger.met(Instant::now());
        ledger.settled(Duration::from_millis(20)).await.unwrap();
    }
}
