//! Messages out of pieces that are rendered once: peers are the same bytes for everybody who is told of them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ident::{NodeId, UserId};
use wire::{EncodeError, MapResponse, UserProfile, encode, encode_into};
use world::{ClassId, Node, World};

use crate::{Span, peer};

/// The JSON of something about one peer.
pub type Piece = (NodeId, Bytes);

/// How a whole peer is rendered, which may be remembered: it depends on nothing but the node's revision and, for a
/// node with routes, the viewer's class.
pub type Render<'a> = &'a mut dyn FnMut(&World, &Node, ClassId) -> Result<Bytes, EncodeError>;

/// What a message says of peers and of users, for all viewers of a class; a viewer leaves itself out.
#[derive(Debug, Clone, Default)]
pub struct Pieces {
    /// Peers that are gone.
    pub removed: Vec<NodeId>,
    /// Peers told whole.
    pub whole: Vec<Piece>,
    /// Peers of which only something is told.
    pub patches: Vec<Piece>,
    /// Users that the whole peers belong to.
    pub users: Vec<UserProfile>,
    /// Users who have another name.
    pub renamed: Vec<UserProfile>,
}

/// A peer as JSON, for viewers of a class.
pub fn peer_json(world: &World, node: &Node, viewer: ClassId) -> Result<Bytes, EncodeError> {
    Ok(encode(&peer(world, node, viewer))?.into())
}

impl Pieces {
    /// The difference for viewers that had one class and have the other.
    pub fn of(
        span: &Span,
        before: Option<ClassId>,
        after: Option<ClassId>,
        render: Render,
    ) -> Result<Self, EncodeError> {
        let delta = span.peers(before, after);
        let mut pieces =
            Self { removed: delta.removed, users: delta.users, renamed: delta.renamed, ..Self::default() };
        for node in delta.whole.iter().filter_map(|id| span.new.nodes.get(*id)) {
            let Some(class) = after else { break };
            pieces.whole.push((node.id, render(&span.new, node, class)?));
        }
        for patch in &delta.patches {
            pieces.patches.push((patch.node_id, encode(patch)?.into()));
        }
        Ok(pieces)
    }

    /// The message that says what `head` says and this; none when that is nothing. The head must not speak of peers.
    pub fn message(&self, head: MapResponse) -> Result<Option<Vec<u8>>, EncodeError> {
        self.composed(head, &Own::default())
    }

    /// The same for a viewer that is told other things of some peers, and not a word of itself as a peer.
    pub fn message_to(&self, own: &Own, head: MapResponse) -> Result<Option<Vec<u8>>, EncodeError> {
        self.composed(head, own)
    }

    fn composed(&self, mut head: MapResponse, own: &Own) -> Result<Option<Vec<u8>>, EncodeError> {
        let told = std::mem::take(&mut head.user_profiles);
        let has_whole = self.whole.iter().any(|(id, _)| !own.ids.contains(id));
        let of_whole = self.users.iter().filter(|_| has_whole);
        let users: BTreeMap<UserId, &UserProfile> =
            told.iter().chain(of_whole).chain(&own.users).chain(&self.renamed).map(|p| (p.id, p)).collect();
        let removed: Vec<_> =
            self.removed.iter().filter(|id| !own.ids.contains(id)).chain(&own.removed).collect();

        let mut json = Object::of(encode(&head)?);
        json.array("PeersChanged", own.others(&self.whole).chain(jsons(&own.whole)));
        json.array("PeersChangedPatch", own.others(&self.patches).chain(jsons(&own.patches)));
        if !removed.is_empty() {
            json.value("PeersRemoved", |out| encode_into(out, &removed))?;
        }
        if !users.is_empty() {
            json.value("UserProfiles", |out| encode_into(out, &users.values().collect::<Vec<_>>()))?;
        }
        Ok(json.finish())
    }
}

/// What one viewer is told of itself and of the other devices of its person, in the place of what its class is told.
#[derive(Debug, Clone, Default)]
pub struct Own {
    ids: BTreeSet<NodeId>,
    removed: Vec<NodeId>,
    whole: Vec<Piece>,
    patches: Vec<Piece>,
    users: Vec<UserProfile>,
}

impl Own {
    /// For a viewer that is there after the span.
    pub fn of(span: &Span, viewer: NodeId, render: Render) -> Result<Self, EncodeError> {
        let ids = span.own(viewer);
        let delta = span.own_peers(viewer, &ids);
        let class = span.classes_of(viewer).1;
        let mut own = Self { ids, removed: delta.removed, users: delta.users, ..Self::default() };
        for node in delta.whole.iter().filter_map(|id| span.new.nodes.get(*id)) {
            let Some(class) = class else { break };
            own.whole.push((node.id, render(&span.new, node, class)?));
        }
        for patch in &delta.patches {
            own.patches.push((patch.node_id, encode(patch)?.into()));
        }
        Ok(own)
    }

    /// Whether the viewer is told nothing but what all of its class are: nothing happened to it or to its person's devices.
    pub fn is_nothing(&self, span: &Span) -> bool {
        !self.ids.iter().any(|id| span.touches(*id))
    }

    fn others<'p>(&'p self, pieces: &'p [Piece]) -> impl Iterator<Item = &'p [u8]> {
        pieces.iter().filter(|(id, _)| !self.ids.contains(id)).map(|(_, json)| json.as_ref())
    }
}

fn jsons(pieces: &[Piece]) -> impl Iterator<Item = &[u8]> {
    pieces.iter().map(|(_, json)| json.as_ref())
}

/// A JSON object that takes in more keys.
pub(crate) struct Object(Vec<u8>);

impl Object {
    /// The bytes of an object.
    pub(crate) fn of(mut json: Vec<u8>) -> Self {
        json.pop();
        Self(json)
    }

    fn says_something(&self) -> bool {
        self.0.len() > 1
    }

    fn key(&mut self, key: &str) {
        if self.says_something() {
            self.0.push(b',');
        }
        self.0.extend([b"\"", key.as_bytes(), b"\":"].concat());
    }

    pub(crate) fn value<E>(
        &mut self,
        key: &str,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.key(key);
        write(&mut self.0)
    }

    /// Nothing when there is no element.
    fn array<'a>(&mut self, key: &str, elements: impl Iterator<Item = &'a [u8]>) {
        let mut elements = elements.peekable();
        if elements.peek().is_none() {
            return;
        }
        self.key(key);
        let mut separator = b'[';
        for element in elements {
            self.0.push(separator);
            self.0.extend_from_slice(element);
            separator = b',';
        }
        self.0.push(b']');
    }

    /// Without the brace at its end.
    pub(crate) fn unfinished(self) -> Vec<u8> {
        self.0
    }

    fn finish(mut self) -> Option<Vec<u8>> {
        if !self.says_something() {
            return None;
        }
        self.0.push(b'}');
        Some(self.0)
    }
}
