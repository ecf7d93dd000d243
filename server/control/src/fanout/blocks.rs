//! Peers as they travel in whole maps, packed once for all viewers who are told the same of them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use netmap::Likeness;

use super::{
    Encoding,
    frame::{FrameError, comma, packed},
};

/// Different views of the same ids, the latest.
const VIEWS: usize = 16;
/// Packed bytes in all; who needs more packs again.
const MOST: usize = 64 << 20;
/// Blocks that are kept however few nodes there are.
const FEW: usize = 64;

/// Which ids, and how they are packed.
type Place = ((u64, u64), Encoding);

/// Packed blocks of peers. Those that nobody asks for any more, of nodes that are gone or of a while ago, are let go.
#[derive(Debug, Default)]
pub(super) struct Blocks(Mutex<Kept>);

/// A generation ends when it is full; what is asked for goes over into the next one.
#[derive(Debug, Default)]
struct Kept {
    now: Generation,
    before: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    bytes: usize,
    blocks: usize,
    by_place: BTreeMap<Place, Vec<(Likeness, Bytes)>>,
}

impl Blocks {
    /// A block with a comma behind it, which [`last`] takes off again. `json` is asked only for what is not known; `nodes`
    /// are as many as there are in all.
    pub(super) fn packed(
        &self,
        place: Place,
        likeness: Likeness,
        nodes: usize,
        json: impl FnOnce() -> Result<Vec<u8>, FrameError>,
    ) -> Result<Bytes, FrameError> {
        if let Some(ready) = self.lock().find(place, &likeness, nodes) {
            return Ok(ready);
        }
        let made = with_comma(&json()?, place.1)?;
        self.lock().keep(place, likeness, made.clone(), nodes);
        Ok(made)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A block that is not kept, with a comma behind it.
pub(super) fn with_comma(json: &[u8], encoding: Encoding) -> Result<Bytes, FrameError> {
    Ok([&packed(json, encoding)?[..], comma(encoding)].concat().into())
}

/// The block behind which there is none.
pub(super) fn last(block: &Bytes, encoding: Encoding) -> Bytes {
    block.slice(..block.len().saturating_sub(comma(encoding).len()))
}

impl Kept {
    fn find(&mut self, place: Place, likeness: &Likeness, nodes: usize) -> Option<Bytes> {
        if let Some(ready) = self.now.find(place, likeness) {
            return Some(ready);
        }
        let ready = self.before.find(place, likeness)?;
        self.keep(place, likeness.clone(), ready.clone(), nodes);
        Some(ready)
    }

    fn keep(&mut self, place: Place, likeness: Likeness, block: Bytes, nodes: usize) {
        // Half a block for each node is what all views of all ids need.
        if self.now.bytes + block.len() > MOST / 2 || self.now.blocks >= FEW + nodes / 2 {
            self.before = std::mem::take(&mut self.now);
        }
        self.now.keep(place, likeness, block);
    }
}

impl Generation {
    fn find(&self, place: Place, likeness: &Likeness) -> Option<Bytes> {
        let views = self.by_place.get(&place)?;
        views.iter().find(|(other, _)| other == likeness).map(|(_, bytes)| bytes.clone())
    }

    fn keep(&mut self, place: Place, likeness: Likeness, block: Bytes) {
        self.bytes += block.len();
        self.blocks += 1;
        let views = self.by_place.entry(place).or_default();
        let (mut gone, before) = (0, views.len());
        views.retain(|(other, bytes)| {
            let stays = !same_peers(other, &likeness);
            gone += if stays { 0 } else { bytes.len() };
            stays
        });
        if views.len() >= VIEWS {
            gone += views.remove(0).1.len();
        }
        self.blocks -= before - views.len();
        views.push((likeness, block));
        self.bytes -= gone;
    }
}

/// Whether only the revisions of the peers may differ.
fn same_peers(a: &Likeness, b: &Likeness) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a.0, &a.2) == (b.0, &b.2))
}

#[cfg(test)]
mod tests {
    use ident::NodeId;

    use super::*;

    fn likeness(n: u64, rev: u64) -> Likeness {
        vec![(NodeId::new(n + 1).unwrap(), rev, None)]
    }

    fn asked(blocks: &Blocks, n: u64, likeness: Likeness, json: &[u8]) -> bool {
        let mut asked = false;
        let place = ((64, n), Encoding::Plain);
        let got = blocks.packed(place, likeness, 1000, || {
            asked = true;
            Ok(json.to_vec())
        });
        assert_eq!(got.unwrap(), [json, b","].concat());
        asked
    }

    #[test]
    fn a_block_is_packed_once_for_each_view_of_it() {
        let blocks = Blocks::default();
        assert!(asked(&blocks, 0, likeness(1, 1), b"one"));
        assert!(!asked(&blocks, 0, likeness(1, 1), b"one"));
        assert!(asked(&blocks, 0, likeness(2, 1), b"two"), "another view");
        assert!(!asked(&blocks, 0, likeness(1, 1), b"one"));
        assert!(asked(&blocks, 0, likeness(1, 2), b"more"), "another revision");
        assert!(asked(&blocks, 0, likeness(1, 1), b"one"), "the older one is gone");
        assert_eq!(blocks.lock().now.bytes, "two,one,".len());
    }

    #[test]
    fn what_is_kept_is_bounded_in_views_and_bytes() {
        let blocks = Blocks::default();
        for n in 1..=40 {
            assert!(asked(&blocks, 0, likeness(n, 1), b"peer"));
        }
        assert_eq!(blocks.lock().now.bytes, 5 * VIEWS);
        let large = vec![b' '; MOST / 8];
        for n in 1..=20 {
            assert!(asked(&blocks, n, likeness(n, 1), &large));
            let kept = blocks.lock();
            let really = |kept: &Generation| -> usize {
                kept.by_place.values().flatten().map(|(_, bytes)| bytes.len()).sum()
            };
            assert_eq!((kept.now.bytes, kept.before.bytes), (really(&kept.now), really(&kept.before)));
            assert!(kept.now.bytes + kept.before.bytes <= MOST);
        }
    }

    /// A small fleet in which devices come and go for months.
    #[test]
    fn nodes_that_are_gone_leave_nothing() {
        let blocks = Blocks::default();
        let packed = |n: u64, nodes| {
            let place = ((64, n), Encoding::Plain);
            blocks.packed(place, likeness(n, 1), nodes, || Ok(b"peer".to_vec())).unwrap();
        };
        for n in 1..=10_000 {
            packed(n, 10);
            packed(0, 10);
        }
        let kept = blocks.lock();
        let count = |kept: &Generation| kept.by_place.values().map(Vec::len).sum::<usize>();
        assert_eq!((kept.now.blocks, kept.before.blocks), (count(&kept.now), count(&kept.before)));
        assert!(count(&kept.now) + count(&kept.before) <= 2 * (FEW + 5));
        assert!(
            kept.now.find(((64, 0), Encoding::Plain), &likeness(0, 1)).is_some(),
            "it is asked for again and again"
        );
    }
}
