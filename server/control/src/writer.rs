//! The only one who changes the World: takes a batch of commands, decides, commits once, publishes, answers.
//! Knows queues and commits; what commands mean is decided elsewhere.

mod tally;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use ident::{ApiKeyId, NodeId, NodeKey};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use world::{
    Answer, Change, Command, Context, Draft, DurableEvent, Event, Refusal, Step, VolatileEvent, World,
};

pub use tally::Tally;

use crate::{
    fanout::Hub,
    revoked::revoked,
    store::{Entry, Store, StoreError},
};

/// Commands that wait at most; more are refused as overload.
const QUEUE: usize = 8192;
/// Commands of one batch at most.
const BATCH: usize = 1024;
/// How long last values may wait for the disk. A power cut within that time costs peers the direct path to a node that
/// has just moved, until it reports again.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Who says a command, and from where.
#[derive(Debug, Clone)]
pub struct Origin {
    /// `socket:uid=0`, `apikey:3`, `node:5`, `machine:mkey:…`, `system`.
    pub actor: String,
    /// An address, or `local`.
    pub source: String,
}

impl Origin {
    /// The server itself.
    pub fn system() -> Self {
        Self { actor: "system".into(), source: "local".into() }
    }
}

/// What came of a command.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    /// The decision's answer.
    pub answer: Answer,
    /// Whether anything changed that outlives the process.
    pub changed: bool,
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The caller's fault.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Ours: the database said no, nothing was changed.
    #[error("nothing was changed: {0}")]
    Fault(Arc<StoreError>),
    /// Ours: it failed so that nobody can tell whether it is stored.
    #[error("it may have been stored or not: {0}")]
    Unsure(String),
    /// Too many commands wait, or the server stops.
    #[error("the server is overloaded or stopping; nothing was changed")]
    Busy,
}

/// What a decision may know of this moment.
pub fn context() -> Context {
    Context { now: jiff::Timestamp::now(), rng: getrandom::u64().unwrap_or_default() }
}

struct Envelope {
    command: Command,
    origin: Origin,
    reply: Option<oneshot::Sender<Result<Done, Failed>>>,
}

/// A handle to the writer.
#[derive(Debug, Clone)]
pub struct Writer {
    queue: mpsc::Sender<Envelope>,
    sessions: mpsc::UnboundedSender<Envelope>,
    stop: CancellationToken,
    tally: Tally,
}

/// The writer's thread; ends when every handle is gone.
#[derive(Debug)]
pub struct Running {
    thread: Mutex<Option<thread::JoinHandle<()>>>,
    /// Resolves with the reason when the writer had to give up.
    pub failed: tokio::sync::Mutex<oneshot::Receiver<Arc<StoreError>>>,
}

impl Writer {
    /// Starts the thread. Node keys that lose their right to be here go to `cut` once that is published.
    pub fn start(
        store: Arc<Store>,
        hub: Arc<Hub>,
        cut: mpsc::UnboundedSender<NodeKey>,
    ) -> std::io::Result<(Self, Running)> {
        let (queue, commands) = mpsc::channel(QUEUE);
        let (sessions, closed) = mpsc::unbounded_channel();
        let (fail, failed) = oneshot::channel();
        let tally = Tally::default();
        let desk = Desk {
            tally: tally.clone(),
            world: (*hub.world()).clone(),
            store,
            hub,
            cut,
            dirty_nodes: BTreeSet::new(),
            dirty_keys: BTreeSet::new(),
            dirty_routes: false,
            flushed: Instant::now(),
        };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let runtime = tokio::runtime::Handle::current();
        let thread = thread::Builder::new().name("writer".into()).spawn(move || {
            if let Err(e) = runtime.block_on(desk.run(commands, closed, stopped)) {
                let _ = fail.send(e);
            }
        })?;
        let running = Running { thread: Mutex::new(Some(thread)), failed: tokio::sync::Mutex::new(failed) };
        Ok((Self { queue, sessions, stop, tally }, running))
    }

    /// Has a command decided, and stored if it changes anything durable.
    pub async fn submit(&self, command: Command, origin: Origin) -> Result<Done, Failed> {
        let (reply, answer) = oneshot::channel();
        let envelope = Envelope { command, origin, reply: Some(reply) };
        match envelope.command {
            Command::StreamOpened { .. } => self.sessions.send(envelope).map_err(|_| Failed::Busy)?,
            _ => self.queue.try_send(envelope).map_err(|_| Failed::Busy)?,
        }
        // Whoever ends in order answers everybody.
        answer.await.unwrap_or_else(|_| Err(Failed::Unsure("the writer broke".into())))
    }

    /// Says the end of a session: never lost to a full queue, never ahead of its beginning.
    pub fn tell(&self, command: Command) {
        let _ = self.sessions.send(Envelope { command, origin: Origin::system(), reply: None });
    }

    /// What it has stored so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Has the thread finish what waits, write the last values and end.
    pub fn finish(&self) {
        self.stop.cancel();
    }
}

impl Running {
    /// Waits for the thread, whose last act is to write the last values.
    pub fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// What the writer thread works with.
struct Desk {
    tally: Tally,
    world: World,
    store: Arc<Store>,
    hub: Arc<Hub>,
    cut: mpsc::UnboundedSender<NodeKey>,
    dirty_nodes: BTreeSet<NodeId>,
    dirty_keys: BTreeSet<ApiKeyId>,
    dirty_routes: bool,
    flushed: Instant,
}

impl Desk {
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<Envelope>,
        mut sessions: mpsc::UnboundedReceiver<Envelope>,
        stop: CancellationToken,
    ) -> Result<(), Arc<StoreError>> {
        let ended = self.work(&mut commands, &mut sessions, &stop).await;
        commands.close();
        sessions.close();
        while let Some(envelope) = sessions.try_recv().ok().or_else(|| commands.try_recv().ok()) {
            envelope.answer(Err(Failed::Busy));
        }
        ended
    }

    async fn work(
        &mut self,
        commands: &mut mpsc::Receiver<Envelope>,
        sessions: &mut mpsc::UnboundedReceiver<Envelope>,
        stop: &CancellationToken,
    ) -> Result<(), Arc<StoreError>> {
        loop {
            let first = tokio::select! {
                biased;
                c = sessions.recv() => c,
                c = commands.recv() => c,
                () = stop.cancelled() => None,
                () = tokio::time::sleep(FLUSH_EVERY) => { self.flush()?; continue }
            };
            let Some(first) = first else { break };
            let mut batch = vec![first];
            while batch.len() < BATCH {
                match sessions.try_recv().ok().or_else(|| commands.try_recv().ok()) {
                    Some(next) => batch.push(next),
                    None => break,
                }
            }
            self.carry_out(batch)?;
            if self.flushed.elapsed() > FLUSH_EVERY {
                self.flush()?;
            }
        }
        self.flush()
    }

    fn carry_out(&mut self, batch: Vec<Envelope>) -> Result<(), Arc<StoreError>> {
        let context = context();
        let mut draft = Draft::new(&self.world);
        let mut steps = Vec::with_capacity(batch.len());
        for envelope in batch {
            let before = draft.changes.len();
            let step = draft.step(&envelope.command, context);
            debug_assert!(step.is_ok() || draft.changes.len() == before);
            steps.push((step, envelope));
        }
        if let Err(e) = self.commit(&draft.world, &steps, context.now) {
            return self.fail(Arc::new(e), steps);
        }
        self.remember(&steps);
        let happened = steps.iter().any(|(step, _)| step.as_ref().is_ok_and(|s| !s.events.is_empty()));
        if happened {
            self.publish(draft.world, draft.changes);
        }
        for (step, envelope) in steps {
            let done = step.map(|s| Done { answer: s.answer, changed: s.changed() });
            envelope.answer(done.map_err(Failed::Refused));
        }
        Ok(())
    }

    /// What had to be stored failed; what need not be is done all the same, for nobody says it again.
    fn fail(
        &mut self,
        e: Arc<StoreError>,
        steps: Vec<(Result<Step, Refusal>, Envelope)>,
    ) -> Result<(), Arc<StoreError>> {
        let is_sure = e.is_sure();
        tracing::error!(error = %e, commands = steps.len(), nothing_stored = is_sure, "commit failed");
        let (durable, others): (Vec<_>, Vec<_>) =
            steps.into_iter().partition(|(step, _)| step.as_ref().is_ok_and(Step::changed));
        for (_, envelope) in durable {
            let failed = if is_sure { Failed::Fault(e.clone()) } else { Failed::Unsure(e.to_string()) };
            envelope.answer(Err(failed));
        }
        let others = others.into_iter().map(|(_, envelope)| envelope);
        if e.is_fatal() {
            others.for_each(|envelope| envelope.answer(Err(Failed::Busy)));
            return Err(e);
        }
        self.carry_out(others.collect())
    }

    fn commit(
        &self,
        world: &World,
        steps: &[(Result<Step, Refusal>, Envelope)],
        at: jiff::Timestamp,
    ) -> Result<(), StoreError> {
        let mut entries = Vec::new();
        for (step, envelope) in steps {
            let Ok(step) = step else { continue };
            let Origin { actor, source } = &envelope.origin;
            entries.extend(step.durable().map(|event| Entry { event, actor, source, at }));
        }
        if entries.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let stored = self.store.commit(world, &entries);
        match stored {
            Ok(()) => self.tally.committed(entries.len(), begun.elapsed()),
            Err(_) => _ = self.tally.failures.inc(),
        }
        stored
    }

    fn remember(&mut self, steps: &[(Result<Step, Refusal>, Envelope)]) {
        for event in steps.iter().filter_map(|(s, _)| s.as_ref().ok()).flat_map(|s| &s.events) {
            match event {
                Event::Durable(DurableEvent::NodeRegistered { node }) => {
                    self.dirty_nodes.insert(node.id);
                }
                Event::Durable(DurableEvent::NodeLoggedOut { node }) => {
                    self.dirty_nodes.insert(*node);
                }
                Event::Volatile(VolatileEvent::RoutePrimary { node: None, .. }) => self.dirty_routes = true,
                Event::Volatile(
                    VolatileEvent::Reported { node, .. }
                    | VolatileEvent::PresenceChanged { node, .. }
                    | VolatileEvent::RoutePrimary { node: Some(node), .. },
                ) => {
                    self.dirty_nodes.insert(*node);
                }
                Event::Volatile(VolatileEvent::ApiKeyUsed { key, .. }) => {
                    self.dirty_keys.insert(*key);
                }
                Event::Volatile(VolatileEvent::KeyExpired { .. }) | Event::Durable(_) => {}
            }
        }
    }

    fn publish(&mut self, world: World, changes: Vec<Change>) {
        let keys = revoked(&self.world, &world, &changes);
        self.world = world.clone();
        self.hub.publish(world, changes, Instant::now());
        for key in keys {
            let _ = self.cut.send(key);
        }
    }

    fn flush(&mut self) -> Result<(), Arc<StoreError>> {
        self.flushed = Instant::now();
        if self.dirty_nodes.is_empty() && self.dirty_keys.is_empty() && !self.dirty_routes {
            return Ok(());
        }
        let nodes: Vec<_> = self.dirty_nodes.iter().copied().collect();
        let keys: Vec<_> = self.dirty_keys.iter().copied().collect();
        match self.store.flush(&self.world, &nodes, &keys) {
            Ok(()) => {
                self.dirty_nodes.clear();
                self.dirty_keys.clear();
                self.dirty_routes = false;
                Ok(())
            }
            Err(e) if e.is_fatal() => Err(Arc::new(e)),
            Err(e) => {
                tracing::warn!(error = %e, "last values could not be written; trying again later");
                Ok(())
            }
        }
    }
}

impl Envelope {
    fn answer(self, result: Result<Done, Failed>) {
        if let Some(reply) = self.reply {
            let _ = reply.send(result);
        }
    }
}
