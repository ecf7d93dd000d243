//! A call that was let in: who, about what, and the way to the World.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use api::{Changed, Declared};
use ident::{ApiKeyId, NodeId, UserId};
use world::{Answer, Command, Draft, Node, Refusal, User, World};

use super::{entry, refused::Refused};
use crate::{
    doors::Doors,
    store::{Store, StoreError},
    writer::{Done, Origin, context},
};

/// A call of one operation.
pub struct Call {
    /// Behind all doors.
    pub doors: Arc<Doors>,
    /// The World when the call came in.
    pub world: Arc<World>,
    /// What the path names behind the tailnet; empty when it names nothing.
    pub name: String,
    /// The header `If-Match`.
    pub if_match: Option<String>,
    /// The header `Last-Event-ID`.
    pub last_event: Option<u64>,
    check: bool,
    origin: Origin,
    credential: Option<ApiKeyId>,
}

/// Remembers who called, until it is known whether that is refused.
pub struct Note {
    doors: Arc<Doors>,
    check: bool,
    origin: Origin,
    credential: Option<ApiKeyId>,
}

impl Note {
    /// Notes a decision against a change; what was only tried, or not understood, is no news.
    pub async fn refusal(self, operation: Declared, refused: &Refused) {
        if operation.writes && !self.check && refused.is_decision() {
            entry::note(&self.doors, operation, refused, self.origin, self.credential).await;
        }
    }
}

/// What came of a command.
pub struct Outcome {
    /// Whether anything changed, or would.
    pub changed: bool,
    /// The decision's answer.
    pub answer: Answer,
    /// The World afterwards, or as it would be.
    pub world: Arc<World>,
}

impl Call {
    pub(super) fn new(
        doors: Arc<Doors>,
        origin: Origin,
        credential: Option<ApiKeyId>,
        name: String,
        check: bool,
    ) -> Self {
        let world = doors.hub.world();
        Self { doors, world, name, if_match: None, last_event: None, check, origin, credential }
    }
    /// What notes that this call was refused.
    pub fn note(&self) -> Note {
        let Self { doors, check, origin, credential, .. } = self;
        Note { doors: doors.clone(), check: *check, origin: origin.clone(), credential: *credential }
    }
    /// Whether nothing is to be done.
    pub fn is_check(&self) -> bool {
        self.check
    }
    /// The API key that the caller brought; none over the local socket.
    pub fn credential(&self) -> Option<ApiKeyId> {
        self.credential
    }
    /// Where the caller is; this host over the local socket.
    pub fn source(&self) -> IpAddr {
        self.origin.source.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }
    /// Whether the caller would still be let in.
    pub fn is_welcome(&self) -> bool {
        self.credential.is_none_or(|id| entry::is_good(&self.doors, id))
    }
    /// Has the command carried out, or only tried when the call is a check.
    pub async fn carry_out(&self, command: Command) -> Result<Outcome, Refused> {
        if !self.is_welcome() {
            return Err(Refused::unauthorized());
        }
        if self.check {
            let mut draft = Draft::new(&self.world);
            let step = draft.step(&command, context())?;
            let (changed, answer) = (step.changed(), step.answer);
            return Ok(Outcome { changed, answer, world: Arc::new(draft.world) });
        }
        let Done { answer, changed } = self.doors.writer.submit(command, self.origin.clone()).await?;
        Ok(Outcome { changed, answer, world: self.doors.hub.world() })
    }
    /// An answer with what it changed.
    pub fn answer<T>(&self, changed: bool, outcome: T) -> Changed<T> {
        Changed { changed, check: self.check, outcome }
    }
    /// Asks the database, off the threads that serve.
    pub async fn history<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refused> {
        let store = self.doors.store.clone();
        let answer = tokio::task::spawn_blocking(move || ask(&store)).await;
        Ok(answer.map_err(|e| Refused::fault(&e))??)
    }
    /// The device with this id, name or full name.
    pub fn node(&self, name: &str) -> Result<Arc<Node>, Refused> {
        let lower = name.trim_end_matches('.').to_ascii_lowercase();
        let label = lower.strip_suffix(&format!(".{}", self.world.settings.domain)).unwrap_or(&lower);
        let nodes = &self.world.nodes;
        let found = if is_number(name) {
            name.parse::<NodeId>().ok().and_then(|id| nodes.get(id))
        } else {
            nodes.by_name(label)
        };
        found.cloned().ok_or_else(|| Refusal::NotFound { noun: "node", name: name.to_owned() }.into())
    }
    /// The person with this id or login.
    pub fn user(&self, name: &str) -> Result<Arc<User>, Refused> {
        let found = if is_number(name) {
            name.parse::<UserId>().ok().and_then(|id| self.world.users.get(&id))
        } else {
            self.world.user_by_login(name)
        };
        found.cloned().ok_or_else(|| Refusal::NotFound { noun: "user", name: name.to_owned() }.into())
    }
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit())
}
