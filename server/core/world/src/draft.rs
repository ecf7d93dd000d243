//! A private copy of the World that takes a batch of commands, and what the batch changes for those who watch.

use std::ops::{BitOr, BitOrAssign};

use ident::NodeId;

use crate::{Answer, ClassId, Command, Context, DurableEvent, Event, Refusal, World, decide};

/// Which parts of a node a change touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fields(u16);

impl Fields {
    /// Nothing.
    pub const NONE: Fields = Fields(0);
    /// UDP endpoints.
    pub const ENDPOINTS: Fields = Fields(1);
    /// Home relay region.
    pub const HOME_DERP: Fields = Fields(2);
    /// Path-discovery key.
    pub const DISCO: Fields = Fields(4);
    /// Online or not.
    pub const ONLINE: Fields = Fields(8);
    /// When it was last seen.
    pub const LAST_SEEN: Fields = Fields(16);
    /// WireGuard key.
    pub const KEY: Fields = Fields(32);
    /// Key expiry.
    pub const KEY_EXPIRY: Fields = Fields(64);
    /// Capability version.
    pub const CAPVER: Fields = Fields(128);
    /// Something that only a whole node can say: name, owner, routes, host information.
    pub const WHOLE: Fields = Fields(256);
    /// Something that only the node itself is told.
    pub const SELF: Fields = Fields(512);
    /// Whether routes can be trusted to it, of which nobody is told.
    pub const TRUST: Fields = Fields(1024);

    /// Whether all of the other's parts are here.
    pub fn contains(self, other: Fields) -> bool {
        self.0 & other.0 == other.0
    }
    /// Whether any of the other's parts is here.
    pub fn intersects(self, other: Fields) -> bool {
        self.0 & other.0 != 0
    }
    /// Whether nothing is touched.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Fields {
    type Output = Fields;
    fn bitor(self, other: Fields) -> Fields {
        Fields(self.0 | other.0)
    }
}
impl BitOrAssign for Fields {
    fn bitor_assign(&mut self, other: Fields) {
        self.0 |= other.0;
    }
}

/// What a batch changed, as the fan-out needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A node joined (no class before), left (none after), or changed.
    Node { id: NodeId, fields: Fields, before: Option<ClassId>, after: Option<ClassId> },
    /// Other addresses are the sources of this rule.
    Sources { rule: usize },
    /// Another policy is in force: classes before it belong to another epoch. The nodes that it made something else of
    /// follow; of all others the class keeps its id.
    Policy,
    /// Clients are told something else of DNS.
    Dns,
    /// A person's name changed.
    User { id: ident::UserId },
}

/// What came of one command of the batch.
#[derive(Debug)]
pub struct Step {
    /// In the order in which they were applied.
    pub events: Vec<Event>,
    /// For the caller, once the batch is stored.
    pub answer: Answer,
}

impl Step {
    /// Whether anything changed that outlives the process.
    pub fn changed(&self) -> bool {
        self.durable().next().is_some()
    }
    /// The events that are stored before the answer.
    pub fn durable(&self) -> impl Iterator<Item = &DurableEvent> {
        self.events.iter().filter_map(|e| match e {
            Event::Durable(e) => Some(e),
            Event::Volatile(_) => None,
        })
    }
}

/// A World in the making.
#[derive(Debug)]
pub struct Draft {
    /// With every command so far applied.
    pub world: World,
    /// In the order in which they happened.
    pub changes: Vec<Change>,
}

impl Draft {
    /// Forks the World; its version is the next one.
    pub fn new(world: &World) -> Self {
        let mut world = world.clone();
        world.version += 1;
        Self { world, changes: Vec::new() }
    }

    /// Decides a command and applies what was decided. A refusal leaves the draft as it was.
    pub fn step(&mut self, command: &Command, context: Context) -> Result<Step, Refusal> {
        let decision = decide(&self.world, command, context)?;
        let mut events = decision.events;
        let before = self.changes.len();
        for event in &events {
            self.apply(event);
        }
        let settled = decide::settle(&self.world, &self.changes[before..]);
        for event in &settled {
            self.apply(event);
        }
        events.extend(settled);
        Ok(Step { events, answer: decision.answer })
    }
}
