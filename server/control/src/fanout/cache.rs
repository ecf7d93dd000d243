//! What several sessions need is made once: spans, bodies of a class, sources of a rule, peers as JSON.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use ident::NodeId;
use netmap::{Pieces, Span, peer_json, sources};
use wire::EncodeError;
use world::{ClassId, Node, World};

use super::{
    body::{Encoding, framed_json},
    wake::Spent,
};

/// Shared by the sessions of a hub.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) spent: Spent,
    newest: Mutex<Newest>,
    sources: Mutex<BTreeMap<(Epoch, usize), (Rev, Sources)>>,
    peers: Mutex<BTreeMap<NodeId, Renderings>>,
}

type Sources = Arc<[String]>;
type Epoch = u64;
type Rev = u64;
type Version = u64;

/// A node's JSON: at which revision, and for which class of which epoch when it depends on the viewer.
type Renderings = BTreeMap<Option<(Epoch, ClassId)>, (Rev, Version, Bytes)>;

/// What leads to the newest World that anybody asked for; what led to older ones is dropped.
#[derive(Debug, Default)]
struct Newest {
    version: Version,
    spans: BTreeMap<Version, Arc<Span>>,
    shared: BTreeMap<(Version, ClassId), Arc<Shared>>,
}

/// What the viewers of a class that stayed what it was are told of their peers.
#[derive(Debug)]
pub(super) struct Shared {
    /// The pieces, for a viewer that is among them.
    pub(super) pieces: Pieces,
    zstd: Option<Bytes>,
    plain: Option<Bytes>,
}

impl Shared {
    fn new(pieces: Pieces) -> Result<Self, EncodeError> {
        let json = pieces.message(wire::MapResponse::default(), None)?;
        let framed = |encoding| json.as_ref().and_then(|json| framed_json(json, encoding));
        let (zstd, plain) = (framed(Encoding::Zstd), framed(Encoding::Plain));
        Ok(Self { pieces, zstd, plain })
    }

    /// The message for a viewer that is not among the peers; none when there is nothing to tell.
    pub(super) fn body(&self, encoding: Encoding) -> Option<Bytes> {
        match encoding {
            Encoding::Zstd => self.zstd.clone(),
            Encoding::Plain => self.plain.clone(),
        }
    }
}

impl Cache {
    /// The way from one World to another.
    pub(super) fn span(&self, old: &World, new: &World, make: impl FnOnce() -> Span) -> Arc<Span> {
        let mut newest = lock(&self.newest);
        if !newest.advance(new.version) {
            drop(newest);
            return Arc::new(make());
        }
        newest.spans.entry(old.version).or_insert_with(|| Arc::new(make())).clone()
    }

    /// What the class is told for the span.
    pub(super) fn shared(&self, span: &Span, class: ClassId) -> Result<Arc<Shared>, EncodeError> {
        let key = (span.old.version, class);
        let mut newest = lock(&self.newest);
        let kept = newest.advance(span.new.version);
        if let Some(shared) = newest.shared.get(&key).filter(|_| kept) {
            return Ok(shared.clone());
        }
        let shared = Arc::new(Shared::new(self.pieces(span, Some(class), Some(class))?)?);
        if kept {
            newest.shared.insert(key, shared.clone());
        }
        Ok(shared)
    }

    /// The difference for viewers that had one class and have the other.
    pub(super) fn pieces(
        &self,
        span: &Span,
        before: Option<ClassId>,
        after: Option<ClassId>,
    ) -> Result<Pieces, EncodeError> {
        Pieces::of(span, before, after, &mut |world, node, class| self.peer(world, node, class))
    }

    /// Everything that the class sees.
    pub(super) fn everything(&self, world: &World, class: Option<ClassId>) -> Result<Pieces, EncodeError> {
        Pieces::all(world, class, &mut |world, node, class| self.peer(world, node, class))
    }

    /// The addresses that a rule lets in.
    pub(super) fn sources(&self, world: &World, rule: usize) -> Arc<[String]> {
        let (epoch, rev) = (world.classes.epoch(), world.classes.source_rev(rule));
        let mut known = lock(&self.sources);
        if let Some((_, texts)) = known.get(&(epoch, rule)).filter(|(at, _)| *at == rev) {
            return texts.clone();
        }
        known.retain(|(e, _), _| *e >= epoch);
        let texts: Arc<[String]> = sources(world, rule).into();
        known.insert((epoch, rule), (rev, texts.clone()));
        texts
    }

    /// A node that has no routes looks the same to everybody.
    fn peer(&self, world: &World, node: &Node, viewer: ClassId) -> Result<Bytes, EncodeError> {
        let routes = !node.approved_routes.is_empty();
        let key = routes.then(|| (world.classes.epoch(), viewer));
        let version = if routes { world.version } else { 0 };
        let mut peers = lock(&self.peers);
        let renderings = peers.entry(node.id).or_default();
        if let Some((rev, at, json)) = renderings.get(&key)
            && (*rev, *at) == (node.rev, version)
        {
            return Ok(json.clone());
        }
        let json = peer_json(world, node, viewer)?;
        renderings.retain(|_, (rev, at, _)| (*rev, *at) == (node.rev, version));
        renderings.insert(key, (node.rev, version, json.clone()));
        Ok(json)
    }

    /// Drops what was kept of nodes that are gone.
    pub(super) fn forget(&self, world: &World) {
        let mut peers = lock(&self.peers);
        if peers.len() > world.nodes.len() {
            peers.retain(|id, _| world.nodes.get(*id).is_some());
        }
    }
}

impl Newest {
    /// Whether what leads to this version is kept here.
    fn advance(&mut self, version: Version) -> bool {
        if version > self.version {
            *self = Newest { version, ..Newest::default() };
        }
        version == self.version
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
