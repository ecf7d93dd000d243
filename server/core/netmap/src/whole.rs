//! The whole map in pieces: what only the viewer is told, around peers that are the same for all of its class.

use std::{collections::BTreeMap, sync::Arc};

use ident::{NodeId, UserId};
use ipnet::IpNet;
use wire::{EncodeError, MapResponse, UserProfile, encode_into};
use world::{ClassId, Node, World};

use crate::{
    own_devices,
    peer::{route_view, visible},
    profile::{named, owner_id},
    render::{Object, Render},
};

/// Ids that a block spans, and one beside the viewer, which is no peer of itself.
const WIDE: u64 = 64;
const NARROW: u64 = 8;
/// Stands for the devices of the viewer's person that its class does not see.
const OWN: (u64, u64) = (0, 0);

/// Everybody that a viewer sees, in blocks.
#[derive(Debug)]
pub struct Whole<'a> {
    world: &'a World,
    blocks: Vec<Block<'a>>,
    users: Vec<UserProfile>,
}

/// Peers with neighbouring ids, or devices of one person, in the order of their ids.
#[derive(Debug)]
pub struct Block<'a> {
    span: (u64, u64),
    viewer: ClassId,
    private: bool,
    nodes: Vec<&'a Arc<Node>>,
}

/// All that the JSON of a block depends on. Two that are equal are told in the same words.
pub type Likeness = Vec<(NodeId, u64, Option<(u64, Vec<IpNet>)>)>;

impl<'a> Whole<'a> {
    /// As the node sees it. Each block has a peer at least.
    pub fn of(world: &'a World, viewer: &Node) -> Self {
        let mut whole = Self { world, blocks: Vec::new(), users: Vec::new() };
        let mut users: BTreeMap<UserId, &Node> = BTreeMap::from([(owner_id(viewer), viewer)]);
        for node in visible(world, viewer.class) {
            let Some(class) = viewer.class.filter(|_| node.id != viewer.id) else { continue };
            users.insert(owner_id(node), node);
            let (span, private) = span_of(node.id, viewer.id);
            match whole.blocks.last_mut().filter(|b| b.span == span) {
                Some(block) => block.nodes.push(node),
                None => whole.blocks.push(Block { span, viewer: class, private, nodes: vec![node] }),
            }
        }
        let own = own_devices(world, viewer);
        if let Some(class) = viewer.class.filter(|_| !own.is_empty()) {
            whole.blocks.push(Block { span: OWN, viewer: class, private: true, nodes: own });
        }
        whole.users = named(world, users.into_keys());
        whole
    }

    /// Their JSON belongs between opening and closing, with commas between them.
    pub fn blocks(&self) -> &[Block<'a>] {
        &self.blocks
    }

    /// What `head` says, which must not speak of peers or users; the users; and the beginning of the peers.
    pub fn open(&self, head: &MapResponse) -> Result<Vec<u8>, EncodeError> {
        let mut json = Object::of(wire::encode(head)?);
        json.value("UserProfiles", |out| encode_into(out, &self.users))?;
        if !self.blocks.is_empty() {
            json.value("Peers", |out| {
                out.push(b'[');
                Ok::<_, EncodeError>(())
            })?;
        }
        Ok(json.unfinished())
    }

    /// The end of the message.
    pub fn close(&self) -> &'static [u8] {
        if self.blocks.is_empty() { b"}" } else { b"]}" }
    }

    /// The peers of a block, with commas between them.
    pub fn json(&self, block: &Block<'a>, render: Render) -> Result<Vec<u8>, EncodeError> {
        let mut json = Vec::new();
        for node in &block.nodes {
            if !json.is_empty() {
                json.push(b',');
            }
            json.extend_from_slice(&render(self.world, node, block.viewer)?);
        }
        Ok(json)
    }

    /// What the JSON of a block depends on.
    pub fn likeness(&self, block: &Block<'a>) -> Likeness {
        let epoch = self.world.classes.epoch();
        let view = |node: &Node| Some((epoch, route_view(self.world, node, block.viewer)?));
        block.nodes.iter().map(|n| (n.id, n.rev, view(n))).collect()
    }
}

impl Block<'_> {
    /// How many ids it spans, and which of those spans it is, counted from the lowest id.
    pub fn span(&self) -> (u64, u64) {
        self.span
    }

    /// Whether it leaves out the viewer or is of its person's devices, so that hardly anybody else is told the same.
    pub fn is_private(&self) -> bool {
        self.private
    }
}

/// Around the viewer blocks are narrow, so that little is told to nobody else.
fn span_of(id: NodeId, viewer: NodeId) -> ((u64, u64), bool) {
    let part = |width: u64| (id.get() / width, viewer.get() / width);
    let ((wide, own_wide), (narrow, own_narrow)) = (part(WIDE), part(NARROW));
    if wide == own_wide { ((NARROW, narrow), narrow == own_narrow) } else { ((WIDE, wide), false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_narrow_around_the_viewer_and_private_where_it_is_missing() {
        let id = |n| NodeId::new(n).unwrap();
        assert_eq!(span_of(id(1), id(200)), ((64, 0), false));
        assert_eq!(span_of(id(191), id(200)), ((64, 2), false));
        assert_eq!(span_of(id(192), id(200)), ((8, 24), false));
        assert_eq!(span_of(id(201), id(200)), ((8, 25), true));
        assert_eq!(span_of(id(256), id(200)), ((64, 4), false));
    }
}
