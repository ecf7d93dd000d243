//! The receiving end of one device: folds everything when it is a witness, else looks only for what changed.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use harness::{Family, MapStream, Model};
use ident::NodeId;
use tokio::sync::watch;
use wire::MapResponse;

use crate::{ledger::Ledger, mark::Mark, self_test::tamper::Tamper};

/// Bodies that are remembered; devices that see the same are sent the same bytes at about the same time.
const REMEMBERED: usize = 16;
/// Larger ones are full maps, which nobody else gets.
const REMEMBERED_BYTES: usize = 16 << 10;

/// What is longer is no keepalive.
const KEEP_ALIVE_BYTES: usize = 64;

/// What all listeners share.
pub struct Shared {
    pub ledger: Ledger,
    /// While it says true, the devices that stall do not read.
    pub stall: watch::Sender<bool>,
    parts: Vec<AtomicU8>,
    /// What each device knows, whatever becomes of its connection.
    known: Vec<Mutex<Known>>,
    goals: Vec<Mutex<Option<Goal>>>,
    /// Node ids of devices that come and go, and the change with which each went.
    guests: Mutex<HashMap<NodeId, (usize, Option<u16>)>>,
    tamper: Option<Tamper>,
    read: Mutex<VecDeque<(Bytes, Arc<MapResponse>)>>,
}

/// What a device does; only to those that stay every change is due at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Part {
    Stays,
    /// Stops reading when [`Shared::stall`] says so.
    Stalls,
    /// Loses its connection every now and then.
    Leaves,
}

/// A number of peers that a witness is to hold.
#[derive(Clone, Copy)]
struct Goal {
    since: Instant,
    peers: usize,
}

/// A device's model; empty while it is no witness or has heard nothing.
pub type Witness = Arc<Mutex<Model>>;

/// A model that has heard nothing.
pub fn witness() -> Witness {
    Arc::new(Mutex::new(Model::new(Family::Go)))
}

/// As a client that begins anew.
pub fn forget(witness: &Witness) {
    *witness.lock().unwrap_or_else(PoisonError::into_inner) = Model::new(Family::Go);
}

/// Of each other device, the last change that one knows of.
type Known = HashMap<usize, u16>;

impl Shared {
    pub fn new(devices: usize, tamper: Option<Tamper>) -> Self {
        Self {
            ledger: Ledger::new(devices),
            stall: watch::Sender::new(false),
            parts: (0..devices).map(|_| AtomicU8::new(Part::Stays as u8)).collect(),
            known: (0..devices).map(|_| Mutex::default()).collect(),
            goals: (0..devices).map(|_| Mutex::new(None)).collect(),
            guests: Mutex::default(),
            tamper,
            read: Mutex::new(VecDeque::new()),
        }
    }

    /// Devices that there may be.
    pub fn places(&self) -> usize {
        self.goals.len()
    }

    /// The fault of this run, if it is to have one.
    pub fn tamper(&self) -> Option<&Tamper> {
        self.tamper.as_ref()
    }

    /// Gives this device a part.
    pub fn choose(&self, device: usize, part: Part) {
        if let Some(place) = self.parts.get(device) {
            place.store(part as u8, SeqCst);
        }
    }

    pub fn part(&self, device: usize) -> Part {
        let part = self.parts.get(device).map(|p| p.load(SeqCst));
        [Part::Stalls, Part::Leaves].into_iter().find(|p| part == Some(*p as u8)).unwrap_or(Part::Stays)
    }

    /// The witness of this device is to hold so many peers from now on, and is owed them since then.
    pub fn expect(&self, device: usize, peers: usize, since: Instant) {
        if let Some(goal) = self.goals.get(device) {
            self.ledger.owe(1);
            *goal.lock().unwrap_or_else(PoisonError::into_inner) = Some(Goal { since, peers });
        }
    }

    /// Notes that a device that came later has gone, with the change that says so.
    pub fn leave(&self, mark: Mark) {
        let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, gone) in guests.values_mut().filter(|(device, _)| *device == mark.device) {
            *gone = Some(mark.change);
        }
    }

    fn welcome(&self, id: NodeId, device: usize) {
        let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        guests.entry(id).or_insert((device, None));
    }

    fn guest(&self, id: NodeId) -> Option<(usize, Option<u16>)> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    fn reached(&self, device: usize, peers: usize) {
        let Some(goal) = self.goals.get(device) else { return };
        let met = goal.lock().unwrap_or_else(PoisonError::into_inner).take_if(|g| g.peers == peers);
        if let Some(goal) = met {
            self.ledger.met(goal.since);
        }
    }

    /// Reads a body, once for all who get the same bytes.
    fn read(&self, stream: &MapStream, packed: &Bytes) -> Result<Arc<MapResponse>> {
        if packed.len() > REMEMBERED_BYTES {
            return stream.decode(packed).map(Arc::new);
        }
        let known = |read: &VecDeque<(Bytes, Arc<MapResponse>)>| {
            read.iter().find(|(body, _)| body == packed).map(|(_, message)| message.clone())
        };
        if let Some(message) = known(&self.read.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(message);
        }
        let message = Arc::new(stream.decode(packed)?);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if known(&read).is_none() {
            read.truncate(REMEMBERED - 1);
            read.push_front((packed.clone(), message.clone()));
        }
        Ok(message)
    }
}

/// How far a listener is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    Listening,
    /// The end of the stream is no fault any more.
    Leaving,
}

/// One device at its stream.
pub struct Listener {
    pub device: usize,
    pub witness: Option<Witness>,
    pub shared: Arc<Shared>,
    pub since: Instant,
    /// Whether it is one of those for whom a change is due.
    pub counts: bool,
    /// Whether its first message is owed to it.
    pub owed: bool,
    /// For one who comes and goes.
    pub stage: Option<Arc<AtomicU8>>,
}

impl Listener {
    /// Listens until the stream ends, which it should not.
    pub async fn listen(self, mut stream: MapStream) {
        let mut first = true;
        loop {
            self.wait_while_stalled().await;
            let result = match stream.next_packed().await {
                Ok(Some(packed)) => self.take(&stream, &packed, std::mem::take(&mut first)),
                Ok(None) => break self.ended("ended"),
                Err(e) => break self.ended(&format!("{e:#}")),
            };
            if let Err(e) = result {
                self.shared.ledger.complain(&format!("device {}: {e:#}", self.device));
            }
        }
    }

    async fn wait_while_stalled(&self) {
        if self.shared.part(self.device) == Part::Stalls {
            // An error only says that nobody can stall us any more.
            let _ = self.shared.stall.subscribe().wait_for(|stalled| !stalled).await;
        }
    }

    fn ended(&self, how: &str) {
        if !self.is_leaving() {
            self.shared.ledger.complain(&format!("the stream of device {}: {how}", self.device));
        }
    }

    fn is_leaving(&self) -> bool {
        self.stage.as_ref().is_some_and(|s| s.load(SeqCst) == Stage::Leaving as u8)
    }

    /// Keepalives are heard and count as silence; who need not know what is said does not unpack the rest.
    fn take(&self, stream: &MapStream, packed: &Bytes, first: bool) -> Result<()> {
        let ledger = &self.shared.ledger;
        if first && self.owed {
            ledger.met(self.since);
        }
        let looks_away = self.witness.is_none() && (first || !ledger.is_watching());
        if looks_away && packed.len() > KEEP_ALIVE_BYTES {
            ledger.message(packed.len());
            return Ok(());
        }
        let message = self.shared.read(stream, packed)?;
        if *message == MapResponse::keep_alive() {
            return Ok(());
        }
        ledger.message(packed.len());
        if looks_away {
            return Ok(());
        }
        match &self.shared.tamper {
            Some(tamper) if tamper.device == self.device => {
                tamper.apply((*message).clone()).into_iter().try_for_each(|m| self.hear(&m))
            }
            _ => self.hear(&message),
        }
    }

    fn hear(&self, message: &MapResponse) -> Result<()> {
        if let Some(own) = message.node.as_ref().filter(|_| self.stage.is_some()) {
            self.shared.welcome(own.id, self.device);
        }
        if let Some(witness) = &self.witness {
            let mut model = witness.lock().unwrap_or_else(PoisonError::into_inner);
            model.fold(message.clone())?;
            self.shared.reached(self.device, model.peers().len());
        }
        let known = self.shared.known.get(self.device).context("a place for the device")?;
        let known = &mut known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut heard = Ok(());
        for (mark, alone) in Mark::whole(message).map(|m| (m, false)).chain(Mark::patched(message)) {
            heard = heard.and(self.hear_mark(mark, alone, known));
        }
        for (device, gone) in message.peers_removed.iter().filter_map(|id| self.shared.guest(*id)) {
            let Some(change) = gone else {
                // Whoever leaves loses sight of all.
                ensure!(self.is_leaving(), "device {device} is removed, which has not gone");
                continue;
            };
            heard = heard.and(self.hear_mark(Mark { device, change }, true, known));
        }
        heard
    }

    /// One that comes alone must say something new; others may come for the sake of something else.
    fn hear_mark(&self, mark: Mark, alone: bool, known: &mut Known) -> Result<()> {
        let Mark { device, change } = mark;
        ensure!(device != self.device, "it is told of itself as a peer");
        ensure!(self.shared.ledger.is_possible(mark), "change {change} of {device}, which nobody made");
        let before = known.insert(device, change);
        ensure!(before.is_none_or(|b| change >= b), "change {change} of {device} after {before:?}");
        ensure!(!alone || before != Some(change), "change {change} of {device} twice");
        let before = before.unwrap_or_default();
        if change > before && self.counts && self.shared.part(self.device) == Part::Stays {
            self.shared.ledger.heard(before, mark, self.since)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_subject_are_judged() {
        let shared = Arc::new(Shared::new(2, None));
        let listener = Listener {
            device: 0,
            witness: None,
            shared: shared.clone(),
            since: Instant::now(),
            counts: true,
            owed: false,
            stage: None,
        };
        let change = |change| Mark { device: 1, change };
        for _ in 0..3 {
            shared.ledger.change(1).unwrap();
        }
        let mut known = HashMap::new();
        let mut hear = |mark, alone| listener.hear_mark(mark, alone, &mut known);
        hear(change(0), false).unwrap();
        assert_eq!(shared.ledger.delivered(), 0);
        hear(change(2), true).unwrap();
        hear(change(2), false).unwrap();
        assert_eq!(shared.ledger.delivered(), 2);
        assert!(hear(change(2), true).is_err(), "the same patch again");
        assert!(hear(change(1), false).is_err(), "an older one");
        assert!(hear(change(4), false).is_err(), "one that nobody made");
        assert!(hear(Mark { device: 0, change: 0 }, false).is_err(), "itself");
    }
}
