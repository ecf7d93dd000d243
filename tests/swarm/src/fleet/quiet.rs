//! Waiting until a fleet knows what there is to know, and nothing more is said.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::time::sleep;

use super::Fleet;
use crate::listener::Witness;

/// Within that long everybody must know everybody.
const SETTLED_WITHIN: Duration = Duration::from_secs(300);
/// Without a message for that long, nothing more comes.
const QUIET: Duration = Duration::from_secs(2);
/// Without a message for that long, an event that began is over.
const SILENCE: Duration = Duration::from_millis(60);
/// Between two looks at the witnesses.
const LOOK: Duration = Duration::from_millis(2);

impl Fleet {
    /// Waits until every witness sees all others online and nothing is said any more. Returns how long that took,
    /// without the silence at its end.
    pub async fn settle(&self) -> Result<Duration> {
        let start = Instant::now();
        let (mut heard, mut since) = (self.shared.ledger.messages(), Instant::now());
        let expected: Vec<_> = self.witnesses().map(|device| self.peers_of(device)).collect();
        loop {
            sleep(Duration::from_millis(50)).await;
            let now = self.shared.ledger.messages();
            if now != heard {
                (heard, since) = (now, Instant::now());
            }
            if since.elapsed() >= QUIET && self.everybody_is_online(&expected) {
                return Ok(since.duration_since(start));
            }
            let heard = since.elapsed().as_secs();
            ensure!(
                start.elapsed() < SETTLED_WITHIN,
                "the witnesses do not see everybody online, {heard} s after the last message: {}",
                self.who_lacks(&expected)
            );
        }
    }

    /// Waits until that many messages have been heard in all.
    pub async fn heard(&self, messages: u64, within: Duration) -> Result<()> {
        let start = Instant::now();
        while self.shared.ledger.messages() < messages {
            let short = messages - self.shared.ledger.messages().min(messages);
            ensure!(start.elapsed() < within, "{short} messages have not come within {within:?}");
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Waits until every witness who may see these devices holds them as online, or as offline.
    pub async fn seen(&self, devices: &[usize], online: bool, within: Duration) -> Result<()> {
        let start = Instant::now();
        while !self.all_see(devices, online) {
            ensure!(
                start.elapsed() < within,
                "the witnesses do not see devices {devices:?} online: {online}"
            );
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Waits until nothing is said for a moment.
    pub async fn silence(&self) {
        let (mut heard, mut since) = (self.shared.ledger.messages(), Instant::now());
        while since.elapsed() < SILENCE {
            sleep(LOOK).await;
            let now = self.shared.ledger.messages();
            if now != heard {
                (heard, since) = (now, Instant::now());
            }
        }
    }

    fn all_see(&self, devices: &[usize], online: bool) -> bool {
        self.witnesses.iter().all(|(viewer, witness)| {
            let model = witness.lock().unwrap_or_else(PoisonError::into_inner);
            let held = |device: &usize| {
                let key = self.devices.get(*device).map(|d| d.identity.node);
                model.peers().values().find(|p| Some(p.key) == key).and_then(|p| p.online)
            };
            let due = devices.iter().filter(|device| self.may_see(*viewer, **device));
            due.map(held).all(|held| held == Some(online))
        })
    }

    fn everybody_is_online(&self, expected: &[usize]) -> bool {
        let seen = self.witnesses.iter().map(|(_, witness)| online(witness));
        seen.zip(expected).all(|((known, online), expected)| (known, online) == (*expected, *expected))
    }

    /// Some of the witnesses that do not, and what they see.
    fn who_lacks(&self, expected: &[usize]) -> String {
        let seen = self.witnesses.iter().map(|(device, witness)| (device, online(witness)));
        let lacks = seen.zip(expected).filter(|((_, seen), expected)| *seen != (**expected, **expected));
        let words = lacks.map(|((device, (known, online)), expected)| {
            format!("device {device} sees {online} of {known} peers online and has {expected}")
        });
        words.take(5).collect::<Vec<_>>().join("; ")
    }
}

/// How many peers it knows, and how many of them it believes to be online.
fn online(witness: &Witness) -> (usize, usize) {
    let model = witness.lock().unwrap_or_else(PoisonError::into_inner);
    let online = model.peers().values().filter(|p| p.online == Some(true)).count();
    (model.peers().len(), online)
}
