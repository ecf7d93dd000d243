//! Buffers for reading that a connection holds only while something is in them: few enough to stay in the
//! processor's cache, and none for who is idle.

use std::cell::RefCell;

use bytes::BytesMut;

/// Room in a fresh buffer.
pub(super) const SCRATCH_BYTES: usize = 64 << 10;
/// Buffers that wait in each thread.
const KEPT: usize = 8;

thread_local! {
    static POOL: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with room for [`SCRATCH_BYTES`].
pub(super) fn take() -> BytesMut {
    let kept = POOL.try_with(|pool| pool.borrow_mut().pop());
    let mut buffer = kept.ok().flatten().unwrap_or_default();
    buffer.reserve(SCRATCH_BYTES);
    buffer
}

/// Takes a buffer back; what is in it is forgotten.
pub(super) fn give(mut buffer: BytesMut) {
    buffer.clear();
    if buffer.capacity() > 2 * SCRATCH_BYTES {
        return;
    }
    let _at_the_end_of_a_thread_it_is_dropped = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < KEPT {
            pool.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_handed_out_again_and_empty() {
        let mut first = take();
        let place = first.as_ptr();
        first.extend_from_slice(b"of somebody else");
        give(first);
        let second = take();
        assert!(second.is_empty() && second.capacity() >= SCRATCH_BYTES);
        assert_eq!(second.as_ptr(), place);
    }

    #[test]
    fn what_was_cut_off_a_buffer_is_got_back() {
        let mut buffer = take();
        buffer.extend_from_slice(&[7; SCRATCH_BYTES]);
        drop(buffer.split_to(SCRATCH_BYTES - 3));
        give(buffer);
        assert!(take().capacity() >= SCRATCH_BYTES);
    }

    #[test]
    fn few_are_kept_and_no_big_ones() {
        let many: Vec<_> = (0..KEPT + 5).map(|_| take()).collect();
        many.into_iter().for_each(give);
        give(BytesMut::with_capacity(3 * SCRATCH_BYTES));
        POOL.with_borrow(|pool| {
            assert_eq!(pool.len(), KEPT);
            assert!(pool.iter().all(|b| b.capacity() <= 2 * SCRATCH_BYTES));
        });
    }
}
