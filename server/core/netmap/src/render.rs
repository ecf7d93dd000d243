//! Messages out of pieces that are rendered once: peers are the same bytes for everybody who is told of them.

use std::collections::BTreeMap;

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

    /// Whether somebody else than this node is told whole.
    fn has_whole(&self, but: Option<NodeId>) -> bool {
        self.whole.iter().any(|(id, _)| Some(*id) != but)
    }

    /// The message that says what `head` says and this, without a word about the viewer as a peer. None when that is
    /// nothing. The head must not speak of peers.
    pub fn message(
        &self,
        mut head: MapResponse,
        viewer: Option<NodeId>,
    ) -> Result<Option<Vec<u8>>, EncodeError> {
        let own = std::mem::take(&mut head.user_profiles);
        let of_whole = self.users.iter().filter(|_| self.has_whole(viewer));
        let users: BTreeMap<UserId, &UserProfile> =
            own.iter().chain(of_whole).chain(&self.renamed).map(|p| (p.id, p)).collect();
        let removed: Vec<_> = self.removed.iter().filter(|id| Some(**id) != viewer).collect();

        let mut json = Object::of(encode(&head)?);
        json.array("PeersChanged", others(&self.whole, viewer));
        json.array("PeersChangedPatch", others(&self.patches, viewer));
        if !removed.is_empty() {
            json.value("PeersRemoved", |out| encode_into(out, &removed))?;
        }
        if !users.is_empty() {
            json.value("UserProfiles", |out| encode_into(out, &users.values().collect::<Vec<_>>()))?;
        }
        Ok(json.finish())
    }
}

fn others(pieces: &[Piece], viewer: Option<NodeId>) -> impl Iterator<Item = &[u8]> {
    pieces.iter().filter(move |(id, _)| Some(*id) != viewer).map(|(_, json)| json.as_ref())
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
