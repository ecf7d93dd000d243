//! Who may use the relay: whoever the control server lets in. It is asked when a client comes, about one key once at a time;
//! while it cannot be asked, those may come back whom it has let in lately, and nobody else comes.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use ident::NodeKey;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{Instant, timeout},
};

use super::{
    control::{Control, Unanswered, WITHIN},
    guests::Guests,
};
use crate::{
    quota::{Party, Rate},
    relay::{Admission, Inquiry},
};

/// Questions about newcomers that are open at once.
const AT_ONCE: usize = 16;
/// Newcomers of one household, and of all together, that a question is spent on: half of what a control server answers
/// one address, so that enough is left for those who stay.
const HOUSEHOLD_EVERY: Duration = Duration::from_millis(20);
const HOUSEHOLD_AT_ONCE: u32 = 500;
const ALL_EVERY: Duration = Duration::from_millis(10);
const ALL_AT_ONCE: u32 = 1000;
/// Whoever a question is not about.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The relay's memory of what the control server said.
pub(super) struct Gate {
    /// Nobody is asked where everybody may come.
    control: Option<Control>,
    guests: Mutex<Guests>,
    open: Mutex<HashMap<NodeKey, watch::Receiver<()>>>,
    newcomers: Semaphore,
    each: Rate,
    all: Rate,
    cut: mpsc::UnboundedSender<NodeKey>,
    answers: Answers,
    last: Mutex<Last>,
    own: Weak<Self>,
}

/// How questions were answered since the start.
#[derive(Debug, Default)]
struct Answers {
    allowed: AtomicU64,
    refused: AtomicU64,
    unanswered: AtomicU64,
    not_asked: AtomicU64,
}

/// Whether the control server answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Last {
    /// Nothing has been asked yet.
    #[default]
    Unknown,
    /// It did, the last time.
    Answered,
    /// It did not, and why.
    Unanswered(String),
}

impl Gate {
    /// Keys that may not stay any more go to `cut`.
    pub(super) fn new(control: Option<Control>, cut: mpsc::UnboundedSender<NodeKey>) -> Arc<Self> {
        Arc::new_cyclic(|own| Self {
            control,
            guests: Mutex::default(),
            open: Mutex::default(),
            newcomers: Semaphore::new(AT_ONCE),
            each: Rate::new(HOUSEHOLD_EVERY, HOUSEHOLD_AT_ONCE),
            all: Rate::new(ALL_EVERY, ALL_AT_ONCE),
            cut,
            answers: Answers::default(),
            last: Mutex::default(),
            own: own.clone(),
        })
    }

    /// Asks about somebody who is here; whoever may not stay is cut.
    pub(super) async fn ask_again(self: &Arc<Self>, key: NodeKey) {
        let from = lock(&self.guests).source(&key).unwrap_or(NOWHERE);
        self.asked(key, from, false).await;
    }

    /// Asks about a key that no client has, to know whether there are answers.
    pub(super) async fn try_out(&self, nobody: NodeKey) {
        let Some(control) = &self.control else { return };
        let answer = timeout(WITHIN, control.ask(&nobody, NOWHERE)).await.unwrap_or_else(|_| late());
        if answer == Ok(true) {
            tracing::warn!("the control server lets in a key that no node has: is that its URL?");
        }
        self.heard(answer.as_ref().err());
    }

    /// Whether the control server answers.
    pub(super) fn last(&self) -> Last {
        lock(&self.last).clone()
    }

    /// Whether everybody may come.
    pub(super) fn is_open(&self) -> bool {
        self.control.is_none()
    }

    /// Questions by what came of them.
    pub(super) fn answers(&self) -> [(&'static str, u64); 4] {
        let Answers { allowed, refused, unanswered, not_asked } = &self.answers;
        [("allowed", allowed), ("refused", refused), ("unanswered", unanswered), ("not_asked", not_asked)]
            .map(|(name, count)| (name, count.load(Relaxed)))
    }

    /// How many keys are remembered.
    pub(super) fn remembered(&self) -> usize {
        lock(&self.guests).len()
    }

    async fn newcomer(self: Arc<Self>, key: NodeKey, from: IpAddr) {
        let each = self.each.admits(Party::household(from));
        if each.is_err() || self.all.admits(Party::household(NOWHERE)).is_err() {
            self.answers.not_asked.fetch_add(1, Relaxed);
            return;
        }
        self.asked(key, from, true).await;
    }

    /// Waits for the answer to the question that is open about the key, or to one of its own.
    async fn asked(self: &Arc<Self>, key: NodeKey, from: IpAddr, comes: bool) {
        let mut answered = {
            let mut open = lock(&self.open);
            match open.get(&key) {
                Some(answered) => answered.clone(),
                None => {
                    let (tell, answered) = watch::channel(());
                    open.insert(key, answered.clone());
                    let question = Open { gate: self.clone(), key, _tell: tell };
                    tokio::spawn(question.put(from, comes));
                    answered
                }
            }
        };
        // The end of the question is all that is ever told.
        let _ended = answered.changed().await;
    }

    fn answered(&self, key: NodeKey, from: IpAddr, answer: &Result<bool, Unanswered>) {
        match answer {
            Ok(true) => {
                self.answers.allowed.fetch_add(1, Relaxed);
                lock(&self.guests).welcome(key, from, Instant::now());
            }
            Ok(false) => {
                self.answers.refused.fetch_add(1, Relaxed);
                lock(&self.guests).forget(&key);
                let _ = self.cut.send(key);
            }
            Err(_) => _ = self.answers.unanswered.fetch_add(1, Relaxed),
        }
        self.heard(answer.as_ref().err());
    }

    /// Says it when answers begin or cease to come.
    fn heard(&self, failure: Option<&Unanswered>) {
        let mut last = lock(&self.last);
        match (&*last, failure) {
            (Last::Unanswered(_), None) => tracing::info!("the control server answers again"),
            (Last::Unknown | Last::Answered, Some(why)) => tracing::warn!(
                %why,
                "the control server does not answer: nobody new is let in, those it let in within a day may come back"
            ),
            _ => {}
        }
        *last = failure.map_or(Last::Answered, |why| Last::Unanswered(why.0.clone()));
    }
}

impl Admission for Gate {
    fn admits(&self, key: &NodeKey) -> bool {
        self.is_open() || lock(&self.guests).knows(key, Instant::now())
    }

    fn inquire(&self, key: &NodeKey, from: IpAddr) -> Option<Inquiry> {
        let gate = self.own.upgrade().filter(|gate| !gate.is_open())?;
        Some(Box::pin(gate.newcomer(*key, from)))
    }
}

/// A question until its answer. Whoever waits for it is told when it is gone, however it ended.
struct Open {
    gate: Arc<Gate>,
    key: NodeKey,
    _tell: watch::Sender<()>,
}

impl Open {
    async fn put(self, from: IpAddr, comes: bool) {
        let gate = &self.gate;
        let Some(control) = &gate.control else { return };
        let question = async {
            let _turn = if comes { gate.newcomers.acquire().await.ok() } else { None };
            control.ask(&self.key, from).await
        };
        let answer = timeout(WITHIN, question).await.unwrap_or_else(|_| late());
        gate.answered(self.key, from, &answer);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.gate.open).remove(&self.key);
    }
}

fn late() -> Result<bool, Unanswered> {
    Err(Unanswered("it takes too long".into()))
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
