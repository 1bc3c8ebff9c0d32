//! Buffers for what has to wait: the kernel reads into them, or writes out of
//! them, while the caller's own slice may be gone.
//!
//! ```text
//!   [ .. | what is asked for .. | rest ]
//!        ▲ a multiple of 4096, as O_DIRECT wants it
//! ```
//!
//! Few are ever in use at once, since only what is not in memory needs one. A
//! thread keeps some for the next: they are zeroed once, when they are made.

use std::cell::RefCell;
use wakeline_reactor::op::{IoBuf, Slice};

/// The most that one operation moves through such a buffer, in bytes. More is
/// a short read or write, which the caller continues.
pub(crate) const CHUNK_MAX: usize = 256 << 10;

/// No disk has larger blocks to which direct reads must be aligned.
const ALIGN: usize = 4096;

/// How many a thread keeps, and for how many bytes they are.
const KEPT: usize = 8;
const KEPT_SIZE: usize = 64 << 10;

/// A part of a buffer, as large as what is asked for.
pub(crate) type Chunk = Slice<Vec<u8>>;

thread_local! {
    static FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

fn take_whole(wanted: usize) -> Vec<u8> {
    if wanted > KEPT_SIZE {
        return vec![0; wanted + ALIGN];
    }
    // The thread may be ending; then there is none.
    let kept = FREE.try_with(|free| free.borrow_mut().pop()).ok().flatten();
    kept.unwrap_or_else(|| vec![0; KEPT_SIZE + ALIGN])
}

fn aligned(bytes: &[u8]) -> usize {
    bytes.as_ptr().align_offset(ALIGN).min(ALIGN)
}

/// Room for `wanted` bytes, or for the most there may be. What is in it is of
/// no meaning.
pub(crate) fn take(wanted: usize) -> Chunk {
    let wanted = wanted.min(CHUNK_MAX);
    let whole = take_whole(wanted);
    let start = aligned(&whole);
    whole.slice(start..start + wanted)
}

/// As much of `bytes` as goes into one.
pub(crate) fn filled(bytes: &[u8]) -> Chunk {
    let bytes = &bytes[..bytes.len().min(CHUNK_MAX)];
    let mut whole = take_whole(bytes.len());
    let start = aligned(&whole);
    let end = start + bytes.len();
    whole[start..end].copy_from_slice(bytes);
    whole.slice(start..end)
}

/// It is no longer needed.
pub(crate) fn give_back(chunk: Chunk) {
    let whole = chunk.into_inner();
    if whole.len() != KEPT_SIZE + ALIGN {
        return;
    }
    // The thread may be ending; then the buffer is simply freed.
    let _ = FREE.try_with(|free| {
        let mut free = free.borrow_mut();
        if free.len() < KEPT {
            free.push(whole);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_has_room_for_what_is_wanted_and_no_more_than_the_most() {
        // (wanted, room)
        for (wanted, room) in [
            (1, 1),
            (KEPT_SIZE, KEPT_SIZE),
            (KEPT_SIZE + 1, KEPT_SIZE + 1),
            (usize::MAX, CHUNK_MAX),
        ] {
            let chunk = take(wanted);
            assert_eq!(chunk.len(), room, "{wanted}");
            assert_eq!(chunk.as_ptr().align_offset(ALIGN), 0, "{wanted}");
        }
        let chunk = filled(b"some");
        assert_eq!(&chunk[..], b"some");
        assert_eq!(chunk.as_ptr().align_offset(ALIGN), 0);
    }

    #[test]
    fn a_chunk_that_was_given_back_is_the_next_one_taken() {
        let chunk = filled(&[7; 100]);
        let at = chunk.as_ptr();
        give_back(chunk);
        assert_eq!(take(KEPT_SIZE).as_ptr(), at);
    }
}
