//! The whole map in pieces: what only the viewer is told, around peers that are the same for all of its class.

use std::{collections::BTreeSet, sync::Arc};

use ident::{NodeId, UserId};
use ipnet::IpNet;
use wire::{EncodeError, MapResponse, encode_into};
use world::{ClassId, Node, Page, World};

use crate::{
    has_routes, own_devices,
    peer::{route_view, sees},
    profile::{named, owner_id},
    render::{Object, Render},
};

/// Ids that a block spans, and one beside the viewer, which is no peer of itself.
const WIDE: u64 = Page::WIDE;
const NARROW: u64 = 8;
/// Stands for the devices of the viewer's person that its class does not see.
const OWN: (u64, u64) = (0, 0);

/// Everybody that a viewer sees, in blocks.
#[derive(Debug)]
pub struct Whole<'a> {
    blocks: Vec<Block<'a>>,
    users: BTreeSet<UserId>,
}

/// Peers with neighbouring ids, or devices of one person, in the order of their ids.
#[derive(Debug)]
pub struct Block<'a> {
    world: &'a World,
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
        let (mut blocks, mut users) = (Vec::new(), BTreeSet::from([owner_id(viewer)]));
        let own = Page::of(viewer.id);
        for (page, _) in world.nodes.pages() {
            let Some(class) = viewer.class else { break };
            let whole = Block::on(world, page, class);
            users.extend(whole.users());
            match page == own {
                true => blocks.extend(Block::around(world, viewer)),
                false => blocks.push(whole),
            }
        }
        blocks.extend(Block::own(world, viewer));
        blocks.retain(|block| !block.is_empty());
        Self { blocks, users }
    }

    /// Their JSON belongs between opening and closing, with commas between them.
    pub fn blocks(&self) -> &[Block<'a>] {
        &self.blocks
    }

    /// Whom the blocks and the viewer itself refer to.
    pub fn users(&self) -> impl Iterator<Item = UserId> {
        self.users.iter().copied()
    }
}

/// What `head` says, which must not speak of peers or users; the users; and the beginning of the peers, if there are any.
pub fn open(
    head: &MapResponse,
    world: &World,
    users: impl Iterator<Item = UserId>,
    has_peers: bool,
) -> Result<Vec<u8>, EncodeError> {
    let mut json = Object::of(wire::encode(head)?);
    json.value("UserProfiles", |out| encode_into(out, &named(world, users)))?;
    if has_peers {
        json.value("Peers", |out| {
            out.push(b'[');
            Ok::<_, EncodeError>(())
        })?;
    }
    Ok(json.unfinished())
}

/// The end of a message that was opened so.
pub fn close(has_peers: bool) -> &'static [u8] {
    if has_peers { b"]}" } else { b"}" }
}

impl<'a> Block<'a> {
    /// Whom viewers of a class see of a page, the viewer included where it is on it. Costs that page.
    pub fn on(world: &'a World, page: Page, viewer: ClassId) -> Self {
        let nodes = world.nodes.on(page).filter(|node| sees(world, Some(viewer), node));
        Self { world, span: (WIDE, page.number()), viewer, private: false, nodes: nodes.collect() }
    }

    /// Whom the viewer sees of its own page: blocks that are narrow, so that little is told to nobody else.
    pub fn around(world: &'a World, viewer: &Node) -> Vec<Self> {
        let mut blocks: Vec<Self> = Vec::new();
        let seen = world.nodes.on(Page::of(viewer.id)).filter(|node| sees(world, viewer.class, node));
        for node in seen {
            let Some(class) = viewer.class.filter(|_| node.id != viewer.id) else { continue };
            let span = (NARROW, node.id.get() / NARROW);
            let private = span.1 == viewer.id.get() / NARROW;
            match blocks.last_mut().filter(|block| block.span == span) {
                Some(block) => block.nodes.push(node),
                None => blocks.push(Self { world, span, viewer: class, private, nodes: vec![node] }),
            }
        }
        blocks
    }

    /// Devices of the viewer's own person that its class does not see, if there are any.
    pub fn own(world: &'a World, viewer: &Node) -> Option<Self> {
        let nodes = own_devices(world, viewer);
        let class = viewer.class.filter(|_| !nodes.is_empty())?;
        Some(Self { world, span: OWN, viewer: class, private: true, nodes })
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many ids it spans, and which of those spans it is, counted from the lowest id.
    pub fn span(&self) -> (u64, u64) {
        self.span
    }

    /// Whether it leaves out the viewer or is of its person's devices, so that hardly anybody else is told the same.
    pub fn is_private(&self) -> bool {
        self.private
    }

    /// Whether another node can change what is told of these: who serves a network that several could.
    pub fn has_routes(&self) -> bool {
        self.nodes.iter().any(|node| has_routes(node))
    }

    /// Whom its peers belong to, each once.
    pub fn users(&self) -> BTreeSet<UserId> {
        self.nodes.iter().map(|node| owner_id(node)).collect()
    }

    /// The peers, with commas between them.
    pub fn json(&self, render: Render) -> Result<Vec<u8>, EncodeError> {
        let mut json = Vec::new();
        for node in &self.nodes {
            if !json.is_empty() {
                json.push(b',');
            }
            json.extend_from_slice(&render(self.world, node, self.viewer)?);
        }
        Ok(json)
    }

    /// What the JSON depends on.
    pub fn likeness(&self) -> Likeness {
        let epoch = self.world.classes.epoch();
        let view = |node: &Node| Some((epoch, route_view(self.world, node, self.viewer)?));
        self.nodes.iter().map(|n| (n.id, n.rev, view(n))).collect()
    }
}
