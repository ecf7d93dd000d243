//! Buffers for slices of whole maps. They are lent again and again, so that what clients leave behind when thousands come
//! is not spread among what stays.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::fanout::lock;

/// Bytes in a slice. A client that reads slowly keeps others on its channel waiting for no more than this.
pub(in crate::fanout) const SLICE: usize = 64 << 10;
/// Buffers that wait to be lent.
const KEPT: usize = 16;

/// Where buffers come from and go back to.
#[derive(Debug, Clone, Default)]
pub(super) struct Slices(Arc<Mutex<Vec<Vec<u8>>>>);

/// A buffer until nobody reads it any more.
struct Lent {
    bytes: Vec<u8>,
    home: Slices,
}

impl Slices {
    /// Whatever `fill` puts into the buffer, which is empty and has room for [`SLICE`] bytes.
    pub(super) fn filled(&self, fill: impl FnOnce(&mut Vec<u8>)) -> Bytes {
        let kept = lock(&self.0).pop();
        let mut bytes = kept.unwrap_or_else(|| Vec::with_capacity(SLICE));
        fill(&mut bytes);
        Bytes::from_owner(Lent { bytes, home: self.clone() })
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut kept = lock(&self.home.0);
        if kept.len() < KEPT && self.bytes.capacity() == SLICE {
            self.bytes.clear();
            kept.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_lent_again_when_nobody_reads_it_any_more() {
        let slices = Slices::default();
        let first = slices.filled(|buffer| buffer.extend_from_slice(b"one and two"));
        let (part, place) = (first.slice(8..), first.as_ptr());
        drop(first);
        let other = slices.filled(|buffer| buffer.extend_from_slice(b"other"));
        assert!(part == "two" && other.as_ptr() != place);
        drop(part);
        let again = slices.filled(|buffer| assert!(buffer.is_empty() && buffer.capacity() == SLICE));
        assert!(again.is_empty());
        assert_eq!(slices.0.lock().unwrap().len(), 0);
    }

    #[test]
    fn no_more_than_some_wait() {
        let slices = Slices::default();
        let all: Vec<_> = (0..2 * KEPT).map(|_| slices.filled(|buffer| buffer.push(1))).collect();
        drop(all);
        drop(slices.filled(|buffer| buffer.resize(2 * SLICE, 0)));
        assert_eq!(slices.0.lock().unwrap().len(), KEPT - 1, "one has grown");
    }
}
