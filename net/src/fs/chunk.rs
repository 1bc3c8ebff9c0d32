//! Buffers for what has to wait: the kernel reads into them, or writes out of
//! them, while the caller's own slice may be gone.
//!
//! Few are ever in use at once, since only what is not in memory needs one. A
//! thread keeps some for the next; most reads that miss have the same size.

use std::cell::RefCell;

/// The most that one operation moves through such a buffer, in bytes. More is
/// a short read or write, which the caller continues.
pub(crate) const CHUNK_MAX: usize = 256 << 10;

/// How many a thread keeps, and how large they are.
const KEPT: usize = 8;
const KEPT_SIZE: usize = 64 << 10;

thread_local! {
    static FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with room for `wanted` bytes, or for the most there may be;
/// and how many of them may be used.
pub(crate) fn take(wanted: usize) -> Vec<u8> {
    let wanted = wanted.min(CHUNK_MAX);
    let kept = if wanted == KEPT_SIZE {
        FREE.try_with(|free| free.borrow_mut().pop()).ok().flatten()
    } else {
        None
    };
    // Exactly so many: an operation fills whatever room there is, and more than
    // was asked for is not to be read.
    kept.unwrap_or_else(|| Vec::with_capacity(wanted))
}

/// A buffer with as much of `bytes` as goes into one.
pub(crate) fn filled(bytes: &[u8]) -> Vec<u8> {
    let bytes = &bytes[..bytes.len().min(CHUNK_MAX)];
    let mut chunk = take(bytes.len());
    chunk.extend_from_slice(bytes);
    chunk
}

/// It is no longer needed.
pub(crate) fn give_back(mut chunk: Vec<u8>) {
    if chunk.capacity() != KEPT_SIZE {
        return;
    }
    chunk.clear();
    // The thread may be ending; then the buffer is simply freed.
    let _ = FREE.try_with(|free| {
        let mut free = free.borrow_mut();
        if free.len() < KEPT {
            free.push(chunk);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_has_room_for_what_is_wanted_and_no_more_than_the_most() {
        // (wanted, room)
        for (wanted, room) in [(1, 1), (KEPT_SIZE, KEPT_SIZE), (usize::MAX, CHUNK_MAX)] {
            assert_eq!(take(wanted).capacity(), room, "{wanted}");
        }
    }

    #[test]
    fn a_chunk_that_was_given_back_is_the_next_one_taken_and_is_empty() {
        let chunk = filled(&[7; KEPT_SIZE]);
        let at = chunk.as_ptr();
        give_back(chunk);
        let chunk = take(KEPT_SIZE);
        assert_eq!((chunk.as_ptr(), chunk.len()), (at, 0));
    }
}
