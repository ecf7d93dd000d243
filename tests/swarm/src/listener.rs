//! The receiving end of one device: folds everything when it is a witness, else looks only for what changed.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Result, ensure};
use bytes::Bytes;
use harness::{Family, MapStream, Model};
use wire::MapResponse;

use crate::{ledger::Ledger, mark::Mark};

/// Bodies that are remembered; devices that see the same are sent the same bytes at about the same time.
const REMEMBERED: usize = 16;

/// What all listeners share.
pub struct Shared {
    pub ledger: Ledger,
    read: Mutex<VecDeque<(Bytes, Content)>>,
}

/// What matters of a message to one who is no witness.
#[derive(Clone)]
enum Content {
    KeepAlive,
    Marks(Arc<[Mark]>),
}

/// A device's model; empty while it is no witness or has heard nothing.
pub type Witness = Arc<Mutex<Model>>;

/// A model that has heard nothing.
pub fn witness() -> Witness {
    Arc::new(Mutex::new(Model::new(Family::Go)))
}

impl Shared {
    pub fn new(devices: usize) -> Self {
        Self { ledger: Ledger::new(devices), read: Mutex::new(VecDeque::new()) }
    }

    /// Reads a body, once for all who get the same bytes.
    fn content(&self, stream: &MapStream, packed: &Bytes) -> Result<Content> {
        let known = |read: &VecDeque<(Bytes, Content)>| {
            read.iter().find(|(body, _)| body == packed).map(|(_, content)| content.clone())
        };
        if let Some(content) = known(&self.read.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(content);
        }
        let content = Content::of(&stream.decode(packed)?);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if known(&read).is_none() {
            read.truncate(REMEMBERED - 1);
            read.push_front((packed.clone(), content.clone()));
        }
        Ok(content)
    }
}

impl Content {
    fn of(message: &MapResponse) -> Self {
        if *message == MapResponse::keep_alive() {
            Self::KeepAlive
        } else {
            Self::Marks(Mark::all(message).into())
        }
    }
}

/// One device at its stream.
pub struct Listener {
    pub device: usize,
    pub witness: Option<Witness>,
    pub shared: Arc<Shared>,
}

impl Listener {
    /// Listens until the stream ends, which it should not.
    pub async fn listen(self, mut stream: MapStream) {
        let mut known = HashMap::new();
        loop {
            let result = match stream.next_packed().await {
                Ok(Some(packed)) => self.take(&stream, &packed, &mut known),
                Ok(None) => {
                    break self
                        .shared
                        .ledger
                        .complain(&format!("the stream of device {} ended", self.device));
                }
                Err(e) => {
                    break self
                        .shared
                        .ledger
                        .complain(&format!("the stream of device {}: {e:#}", self.device));
                }
            };
            if let Err(e) = result {
                self.shared.ledger.complain(&format!("device {}: {e:#}", self.device));
            }
        }
    }

    fn take(&self, stream: &MapStream, packed: &Bytes, known: &mut HashMap<usize, u16>) -> Result<()> {
        let content = match &self.witness {
            Some(witness) => {
                let message = stream.decode(packed)?;
                let content = Content::of(&message);
                witness.lock().unwrap_or_else(PoisonError::into_inner).fold(message)?;
                content
            }
            None if self.shared.ledger.is_watching() => self.shared.content(stream, packed)?,
            None => Content::Marks([].into()),
        };
        let Content::Marks(marks) = content else { return Ok(()) };
        self.shared.ledger.message(packed.len());
        self.hear(&marks, known)
    }

    fn hear(&self, marks: &[Mark], known: &mut HashMap<usize, u16>) -> Result<()> {
        for mark in marks {
            let known = known.entry(mark.device).or_default();
            ensure!(mark.device != self.device, "it is told of itself as a peer");
            ensure!(mark.change >= *known, "change {} of {} after {known}", mark.change, mark.device);
            if mark.change > *known {
                self.shared.ledger.heard(*known, *mark)?;
                *known = mark.change;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_subject_are_judged() {
        let shared = Arc::new(Shared::new(2));
        let listener = Listener { device: 0, witness: None, shared: shared.clone() };
        let mut known = HashMap::new();
        let change = |change| [Mark { device: 1, change }];
        for _ in 0..3 {
            shared.ledger.change(1).unwrap();
        }
        listener.hear(&change(0), &mut known).unwrap();
        assert_eq!(shared.ledger.delivered(), 0);
        listener.hear(&change(2), &mut known).unwrap();
        listener.hear(&change(2), &mut known).unwrap();
        assert_eq!(shared.ledger.delivered(), 2);
        assert!(listener.hear(&change(1), &mut known).is_err());
        assert!(listener.hear(&change(4), &mut known).is_err());
        assert!(listener.hear(&[Mark { device: 0, change: 0 }], &mut known).is_err());
    }
}
