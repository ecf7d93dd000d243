//! One-shot questions to live nodes: asked in the node's map stream, answered inside a channel of the same machine.

mod routers;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use ident::{MachineKey, NodeId};
use tokio::{sync::oneshot, time::timeout};
use wire::PingRequest;
use world::Node;

use crate::fanout::Hub;

pub use routers::watch as watch_routers;

/// Questions that wait for an answer at most.
const MOST: usize = 4096;
/// Where answers go, in front of the question's id.
const PATH: &str = "/machine/answer/";
/// What every client has an answer to.
const ECHO: &[u8] = b"GET /echo HTTP/1.1\r\nHost: node\r\n\r\n";

/// What is asked and not answered yet.
#[derive(Debug)]
pub struct Calls {
    hub: Arc<Hub>,
    open: Mutex<BTreeMap<String, Open>>,
}

#[derive(Debug)]
struct Open {
    machine: MachineKey,
    reply: oneshot::Sender<Bytes>,
}

/// Why a question has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It was not asked: the node holds no stream here.
    #[error("the node is not connected")]
    NotConnected,
    /// It was not asked: too much is asked at the same time, or there are no random numbers.
    #[error("too many questions are open; nothing was asked")]
    Busy,
    /// It was asked, and the time is over.
    #[error("the node holds a connection and does not answer")]
    Late,
}

impl Calls {
    /// Nothing is asked yet.
    pub fn new(hub: Arc<Hub>) -> Arc<Self> {
        Arc::new(Self { hub, open: Mutex::default() })
    }

    /// How long the node's client takes to say that it is there: its program has to run and its way back has to work.
    pub async fn echo(&self, node: &Node, within: Duration) -> Result<Duration, NoAnswer> {
        let begun = Instant::now();
        let asked = self.ask(node.id, node.machine)?;
        match timeout(within, asked.answer()).await {
            Ok(Some(_)) => Ok(begun.elapsed()),
            Ok(None) | Err(_) => Err(NoAnswer::Late),
        }
    }

    /// Takes the answer to a question from the machine that was asked. False when nobody waits for it.
    pub fn answer(&self, id: &str, machine: MachineKey, body: Bytes) -> bool {
        let mut open = self.lock();
        if open.get(id).is_none_or(|question| question.machine != machine) {
            return false;
        }
        open.remove(id).is_some_and(|question| question.reply.send(body).is_ok())
    }

    fn ask(&self, node: NodeId, machine: MachineKey) -> Result<Asked<'_>, NoAnswer> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| NoAnswer::Busy)?;
        let id = hex::encode(random);
        let (reply, answer) = oneshot::channel();
        let mut open = self.lock();
        if open.len() >= MOST {
            return Err(NoAnswer::Busy);
        }
        open.insert(id.clone(), Open { machine, reply });
        drop(open);
        let question = PingRequest {
            url: format!("https://unused{PATH}{id}"),
            url_is_noise: true,
            types: "c2n".into(),
            payload: ECHO.to_vec(),
            ..PingRequest::default()
        };
        let asked = Asked { calls: self, id, answer };
        if self.hub.ask(node, question) { Ok(asked) } else { Err(NoAnswer::NotConnected) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that is open until it is answered or dropped.
struct Asked<'a> {
    calls: &'a Calls,
    id: String,
    answer: oneshot::Receiver<Bytes>,
}

impl Asked<'_> {
    async fn answer(mut self) -> Option<Bytes> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.calls.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fanout::Encoding;
    use netmap::Site;
    use world::{Settings, World};

    const NODE: NodeId = NodeId::FIRST;

    fn machine(n: u8) -> MachineKey {
        MachineKey::from_bytes([n; 32]).unwrap()
    }

    fn calls() -> Arc<Calls> {
        let site = Site { derp_map: Arc::default(), collect_logs: false };
        Calls::new(Hub::new(Arc::new(World::empty(Settings::default())), Arc::new(site)))
    }

    #[tokio::test]
    async fn only_the_machine_that_was_asked_answers_and_only_once() {
        let calls = calls();
        assert_eq!(calls.ask(NODE, machine(1)).err(), Some(NoAnswer::NotConnected));
        assert!(calls.lock().is_empty(), "what could not be asked is forgotten");
        let _stream = calls.hub.subscribe(NODE, 1, Encoding::Plain);
        let asked = calls.ask(NODE, machine(1)).unwrap();
        let id = asked.id.clone();
        assert!(!calls.answer(&id, machine(2), Bytes::new()), "another machine");
        assert!(!calls.answer("0", machine(1), Bytes::new()), "another question");
        assert!(calls.answer(&id, machine(1), Bytes::from_static(b"x")));
        assert!(!calls.answer(&id, machine(1), Bytes::new()), "twice");
        assert_eq!(asked.answer().await.as_deref(), Some(&b"x"[..]));
    }

    #[tokio::test]
    async fn a_node_that_reads_nothing_is_asked_little_and_what_is_dropped_is_forgotten() {
        let calls = calls();
        let _stream = calls.hub.subscribe(NODE, 1, Encoding::Plain);
        let asked: Vec<_> = (0..100).map_while(|_| calls.ask(NODE, machine(1)).ok()).collect();
        assert!(asked.len() < 10, "{} questions wait", asked.len());
        assert_eq!(calls.lock().len(), asked.len());
        drop(asked);
        assert!(calls.lock().is_empty());
    }
}
