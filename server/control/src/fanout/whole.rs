//! Whole maps: a private beginning and end around blocks of peers that many are told of in the same bytes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use netmap::{Block, Whole, head};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use world::Node;

use super::{
    Encoding, Hub,
    blocks::{last, with_comma},
    frame::{FrameError, length, packed},
    log::Published,
};

/// Whole maps on their way to clients at once, so that thousands who come together do not all hold one.
const AT_ONCE: usize = 64;
/// Nobody waits longer for others to take theirs.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who may be told a whole map, in the order of asking.
#[derive(Debug)]
pub(super) struct Queue(Arc<Semaphore>);

/// A place among those who are told one.
pub(super) type Place = OwnedSemaphorePermit;

impl Queue {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// The next free place; none when those before take too long.
    pub(super) async fn place(&self) -> Option<Place> {
        timeout(PATIENCE, self.0.clone().acquire_owned()).await.ok()?.ok()
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
        let (world, posted) = (&at.world, self.posted.load_full());
        let whole = Whole::of(world, node);
        let now = jiff::Timestamp::now();
        let mut head = head(world, node, &posted.site, now, &mut |rule| self.bodies.sources(world, rule));
        head.ssh_policy = Some(self.bodies.logins(world, node)).filter(|policy| !policy.rules.is_empty());
        let mut parts = vec![packed(&whole.open(&head)?, encoding)?.into()];
        for block in whole.blocks() {
            parts.push(self.block(&whole, block, encoding, world.nodes.len())?);
        }
        if let Some(end) = parts.last_mut().filter(|_| !whole.blocks().is_empty()) {
            *end = last(end, encoding);
        }
        parts.push(packed(whole.close(), encoding)?.into());
        parts.insert(0, length(&parts)?);
        Ok((posted.number, parts))
    }

    fn block(
        &self,
        whole: &Whole,
        block: &Block,
        encoding: Encoding,
        nodes: usize,
    ) -> Result<Bytes, FrameError> {
        let json = || Ok(whole.json(block, &mut |world, node, class| self.bodies.peer(world, node, class))?);
        if block.is_private() {
            return with_comma(&json()?, encoding);
        }
        self.bodies.blocks.packed((block.span(), encoding), whole.likeness(block), nodes, json)
    }
}
