//! What a client holds after what it was told, with the habits of both client families.
//! Read from their sources: tailscale.com 1.102.5 (controlclient), crates ts_control and ts_runtime 0.6.1.

mod go;
mod patch;
mod rust;
mod view;

use std::{collections::BTreeMap, sync::Arc};

use ident::{NodeId, UserId};
use jiff::Timestamp;
use wire::{DerpMap, DnsConfig, FilterRule, MapResponse, Node, SshPolicy, UserProfile};

pub use view::View;

/// Whose habits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Go,
    Rust,
}

/// What a client would break on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoldError {
    /// The first message that is no keepalive must carry the node itself.
    NoSelf,
    /// A rule with ports and capabilities, or with neither.
    Rule(String),
}

impl std::fmt::Display for FoldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSelf => f.write_str("the first message lacks the node itself"),
            Self::Rule(part) => write!(f, "a rule of the filter part {part} has not exactly one kind"),
        }
    }
}
impl std::error::Error for FoldError {}

/// The state of one stream; a new stream starts from an empty one.
#[derive(Debug, Clone)]
pub struct Model {
    family: Family,
    node: Option<Box<Node>>,
    peers: BTreeMap<NodeId, Node>,
    filters: BTreeMap<String, Vec<FilterRule>>,
    dns: Option<DnsConfig>,
    derp: Option<DerpMap>,
    profiles: BTreeMap<UserId, UserProfile>,
    domain: String,
    health: Vec<String>,
    ssh: Option<Arc<SshPolicy>>,
    clock: Option<Timestamp>,
    strays: u64,
}

impl Model {
    /// A client that has heard nothing yet.
    pub fn new(family: Family) -> Self {
        Self {
            family,
            node: None,
            peers: BTreeMap::new(),
            filters: BTreeMap::new(),
            dns: None,
            derp: None,
            profiles: BTreeMap::new(),
            domain: String::new(),
            health: Vec::new(),
            ssh: None,
            clock: None,
            strays: 0,
        }
    }

    /// Takes in the next message of the stream.
    pub fn fold(&mut self, message: MapResponse) -> Result<(), FoldError> {
        self.clock = message.control_time.or(self.clock);
        if message.keep_alive {
            return Ok(());
        }
        if self.node.is_none() && message.node.is_none() {
            return Err(FoldError::NoSelf);
        }
        match self.family {
            Family::Go => self.fold_go(message),
            Family::Rust => self.fold_rust(message),
        }
    }

    /// The peer with this id, as the client now knows it.
    pub fn peer(&self, id: NodeId) -> Option<&Node> {
        self.peers.get(&id)
    }

    /// All peers by id.
    pub fn peers(&self) -> &BTreeMap<NodeId, Node> {
        &self.peers
    }

    /// What its resolver goes by.
    pub fn dns(&self) -> Option<&DnsConfig> {
        self.dns.as_ref()
    }
    /// The device itself.
    pub fn node(&self) -> Option<&Node> {
        self.node.as_deref()
    }

    /// Changes to peers that the client had never been told of; a correct server causes none.
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// What matters of the state, for comparison with another model of the same family.
    pub fn view(&self) -> View {
        View::of(self)
    }

    fn stray(&mut self, id: NodeId) -> Option<&mut Node> {
        let peer = self.peers.get_mut(&id);
        self.strays += u64::from(peer.is_none());
        peer
    }
}
