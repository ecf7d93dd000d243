//! Whole maps: a private beginning and end around blocks of peers that many are told of in the same bytes.

mod crowd;
pub(super) mod plan;
mod slices;

use std::collections::BTreeSet;

use bytes::Bytes;
use netmap::{Block, close, head, open, owner_profile};
use world::{Node, Page};

use super::{
    Encoding, Hub,
    blocks::{last, with_comma},
    frame::{FrameError, length, packed},
    log::Published,
};

use crowd::Crowd;
pub(super) use crowd::Place;
use plan::Plans;
pub(super) use slices::SLICE;
use slices::Slices;

/// What whole maps are made with.
#[derive(Debug, Default)]
pub(super) struct Atlas {
    plans: Plans,
    slices: Slices,
    crowd: Crowd,
}

impl Atlas {
    /// A place among those who are told a whole map; see [`Crowd::place`].
    pub(super) async fn place(&self) -> Place {
        self.crowd.place().await
    }

    /// What `fill` puts into a buffer for [`SLICE`] bytes.
    pub(super) fn slice(&self, fill: impl FnOnce(&mut Vec<u8>)) -> Bytes {
        self.slices.filled(fill)
    }
}

impl Hub {
    /// The whole map for a node, in parts, and the number of the site in it.
    pub(super) fn whole(
        &self,
        at: &Published,
        node: &Node,
        encoding: Encoding,
    ) -> Result<(u64, Vec<Bytes>), FrameError> {
        let (world, posted) = (&*at.world, self.posted.load_full());
        let (mut peers, mut users) = (Vec::new(), BTreeSet::new());
        if let Some(class) = node.class {
            let own = Page::of(node.id);
            let plan =
                self.atlas.plans.of(world, class, encoding, &mut |block| self.block(block, encoding))?;
            for (page, sheet) in plan.pages {
                match page == own {
                    true => peers.extend(self.blocks(&Block::around(world, node), encoding)?),
                    false => peers.push(sheet),
                }
            }
            users = plan.users;
        }
        peers.extend(self.blocks(Block::own(world, node).as_slice(), encoding)?);
        peers.retain(|block| !block.is_empty());
        if let Some(end) = peers.last_mut() {
            *end = last(end, encoding);
        }
        users.insert(owner_profile(world, node).id);
        let now = jiff::Timestamp::now();
        let mut head = head(world, node, &posted.site, now, &mut |rule| self.bodies.sources(world, rule));
        head.ssh_policy = Some(self.bodies.logins(world, node)).filter(|policy| !policy.rules.is_empty());
        let opened = packed(&open(&head, world, users.into_iter(), !peers.is_empty())?, encoding)?;
        let closed = packed(close(!peers.is_empty()), encoding)?;
        let mut parts = vec![Bytes::from(opened)];
        parts.append(&mut peers);
        parts.push(closed.into());
        parts.insert(0, length(&parts)?);
        Ok((posted.number, parts))
    }

    fn blocks(&self, blocks: &[Block], encoding: Encoding) -> Result<Vec<Bytes>, FrameError> {
        blocks.iter().map(|block| self.block(block, encoding)).collect()
    }

    /// With a comma behind it.
    fn block(&self, block: &Block, encoding: Encoding) -> Result<Bytes, FrameError> {
        let json = || Ok(block.json(&mut |world, node, class| self.bodies.peer(world, node, class))?);
        if block.is_private() {
            return with_comma(&json()?, encoding);
        }
        let nodes = self.world().nodes.len();
        self.bodies.blocks.packed((block.span(), encoding), block.likeness(), nodes, json)
    }
}
