//! What was rendered once and is the same for many sessions.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
};

use bytes::Bytes;
use ident::NodeId;
use ipnet::IpNet;
use netmap::{Logins, Origin, Pieces, Span, peer_json, route_view, sources};
use wire::{EncodeError, MapResponse, SshPolicy};
use world::{ClassId, Node, World};

use super::{
    Encoding,
    blocks::Blocks,
    frame::{FrameError, framed},
    lock,
    log::Published,
};

const SPANS: usize = 64;
const SHARED: usize = 512;

/// From where to where, and between which classes.
type Way = (u64, u64, Option<ClassId>, Option<ClassId>);

/// All caches. What is asked for again soon is kept, the newest longest.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    spans: Mutex<BTreeMap<(u64, u64), Arc<Span>>>,
    shared: Mutex<BTreeMap<Way, Arc<Shared>>>,
    pub(super) blocks: Blocks,
    peers: Mutex<Peers>,
    sources: Mutex<Sources>,
    logins: Mutex<Logins>,
}

/// What a whole class is told.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) pieces: Pieces,
    zstd: OnceLock<Option<Bytes>>,
    plain: OnceLock<Option<Bytes>>,
}

impl Shared {
    /// The message for viewers that are no part of it; none when it says nothing.
    pub(super) fn body(&self, encoding: Encoding) -> Result<Option<Bytes>, FrameError> {
        let slot = match encoding {
            Encoding::Zstd => &self.zstd,
            Encoding::Plain => &self.plain,
        };
        if let Some(ready) = slot.get() {
            return Ok(ready.clone());
        }
        let json = self.pieces.message(MapResponse::default())?;
        let body = json.map(|json| framed(&json, encoding)).transpose()?;
        Ok(slot.get_or_init(|| body).clone())
    }
}

impl Bodies {
    /// What happened since; none when that is no longer known.
    pub(super) fn span(&self, from: u64, to: &Published) -> Option<Arc<Span>> {
        let mut spans = lock(&self.spans);
        let key = (to.seq, from);
        if let Some(span) = spans.get(&key) {
            return Some(span.clone());
        }
        let span = Arc::new(to.since(from)?);
        keep(&mut spans, SPANS, key, span.clone());
        Some(span)
    }

    /// What viewers are told of their peers who had one class and have the other.
    pub(super) fn shared(
        &self,
        (from, to): (u64, u64),
        (before, after): (Option<ClassId>, Option<ClassId>),
        span: &Span,
    ) -> Result<Arc<Shared>, FrameError> {
        let key = (to, from, before, after);
        let mut shared = lock(&self.shared);
        if let Some(ready) = shared.get(&key) {
            return Ok(ready.clone());
        }
        let pieces =
            Pieces::of(span, before, after, &mut |world, node, class| self.peer(world, node, class))?;
        let made = Arc::new(Shared { pieces, zstd: OnceLock::new(), plain: OnceLock::new() });
        keep(&mut shared, SHARED, key, made.clone());
        Ok(made)
    }

    /// The sources of a rule.
    pub(super) fn sources(&self, world: &World, rule: usize) -> Arc<[String]> {
        lock(&self.sources).of(world, rule)
    }

    /// Who may log in to a node.
    pub(super) fn logins(&self, world: &World, node: &Node) -> Arc<SshPolicy> {
        lock(&self.logins).of(world, node)
    }

    /// The same, if it is another than before.
    pub(super) fn changed_logins(&self, span: &Span, viewer: NodeId) -> Option<Arc<SshPolicy>> {
        span.logins(viewer, &mut lock(&self.logins))
    }

    /// A peer as viewers of a class are told of it.
    pub(super) fn peer(&self, world: &World, node: &Node, viewer: ClassId) -> Result<Bytes, EncodeError> {
        lock(&self.peers).of(world, node, viewer)
    }
}

/// Peers as JSON. Only a node with routes is told differently to different classes, and alike to those that may use the
/// same routes.
#[derive(Debug, Default)]
struct Peers(BTreeMap<View, (u64, u64, Bytes)>);

/// A peer, and its routes as somebody is told of them.
type View = (NodeId, Option<Vec<IpNet>>);

impl Peers {
    fn of(&mut self, world: &World, node: &Node, viewer: ClassId) -> Result<Bytes, EncodeError> {
        let view = (node.id, route_view(world, node, viewer));
        let epoch = view.1.as_ref().map_or(0, |_| world.classes.epoch());
        if let Some((_, _, json)) = self.0.get(&view).filter(|kept| (kept.0, kept.1) == (epoch, node.rev)) {
            return Ok(json.clone());
        }
        let json = peer_json(world, node, viewer)?;
        self.make_room(world);
        self.0.insert(view, (epoch, node.rev, json.clone()));
        Ok(json)
    }

    /// Nodes that are gone are forgotten; views that are too many are made anew.
    fn make_room(&mut self, world: &World) {
        let most = 4 * world.nodes.len() + 256;
        if self.0.len() < most {
            return;
        }
        self.0.retain(|(node, _), kept| world.nodes.get(*node).is_some_and(|node| node.rev == kept.1));
        if self.0.len() > most / 2 {
            self.0.clear();
        }
    }
}

/// Sources by rule, of one epoch of classes; and of the one before, whose rules may have moved.
#[derive(Debug, Default)]
struct Sources {
    epoch: u64,
    by_rule: BTreeMap<usize, Known>,
    before: BTreeMap<usize, Known>,
}

#[derive(Debug)]
struct Known {
    rev: u64,
    origin: Option<Origin>,
    texts: Arc<[String]>,
}

impl Sources {
    fn of(&mut self, world: &World, rule: usize) -> Arc<[String]> {
        let classes = &world.classes;
        if self.epoch != classes.epoch() {
            let before = std::mem::take(&mut self.by_rule);
            *self = Self { epoch: classes.epoch(), by_rule: BTreeMap::new(), before };
        }
        let follows_routes = classes.compiled().sources_fixed(rule).approved_routes;
        let rev = if follows_routes { world.version } else { classes.source_rev(rule) };
        if let Some(known) = self.by_rule.get(&rule).filter(|known| known.rev == rev) {
            return known.texts.clone();
        }
        let origin = Origin::of(world, rule);
        let texts = origin.as_ref().and_then(|origin| self.of_before(origin));
        let texts = texts.unwrap_or_else(|| sources(world, rule).into());
        self.by_rule.insert(rule, Known { rev, origin, texts: texts.clone() });
        texts
    }

    fn of_before(&self, origin: &Origin) -> Option<Arc<[String]>> {
        let is_it = |known: &&Known| known.origin.as_ref().is_some_and(|before| before.is_same(origin));
        self.before.values().find(is_it).map(|known| known.texts.clone())
    }
}

/// Puts a value in and lets the oldest go.
fn keep<K: Ord, V>(map: &mut BTreeMap<K, V>, most: usize, key: K, value: V) {
    map.insert(key, value);
    while map.len() > most {
        map.pop_first();
    }
}
