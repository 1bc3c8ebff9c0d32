//! The memory of tasks: what one leaves behind the next of its size takes.
//!
//! A thread keeps up to [`KEPT`] bytes, in sizes of 16 bytes each: enough for ten
//! thousand tasks that come and go; a burst of a million gives its memory back. A
//! block that is freed on another thread stays with that one, but not with those of
//! the blocking pool, which would only gather what they never need. Tasks beyond
//! [`SIZES`] steps, with a future of more than about 460 bytes, and over-aligned ones
//! are the allocator's alone.
//!
//! ```text
//!   allocate ◀── free blocks of this size ◀── free
//!      ▲ none left                              │ KEPT of it, or the thread ends
//!      └─────────── the allocator ◀─────────────┘
//! ```

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};

const STEP: usize = 16;
const SIZES: usize = 40;
/// The tasks of ten thousand connections come and go without the allocator, if none has
/// more than 240 bytes of future; of the largest kept it is six thousand.
const KEPT: usize = 4 << 20;

/// What a block holds while it is free.
struct Block {
    below: *mut Block,
}

struct Free {
    /// The free blocks of each size, the last freed on top.
    tops: [Cell<*mut Block>; SIZES],
    /// How many bytes more may be kept.
    left: Cell<usize>,
}

thread_local! {
    static FREE: Free = const {
        Free {
            tops: [const { Cell::new(ptr::null_mut()) }; SIZES],
            left: Cell::new(KEPT),
        }
    };
}

/// This thread keeps nothing from here on.
pub(crate) fn keep_none() {
    // Fails while the thread ends, and then nothing is kept either.
    let _ = FREE.try_with(|free| free.left.set(0));
}

/// The steps of a type that is kept, as an index.
const fn size_of_kept<T>() -> Option<usize> {
    let steps = size_of::<T>().div_ceil(STEP);
    if align_of::<T>() <= STEP && steps > 0 && steps <= SIZES {
        Some(steps - 1)
    } else {
        None
    }
}

const fn layout<T>() -> Layout {
    match size_of_kept::<T>() {
        Some(size) => layout_of(size),
        None => Layout::new::<T>(),
    }
}

const fn layout_of(size: usize) -> Layout {
    match Layout::from_size_align((size + 1) * STEP, STEP) {
        Ok(layout) => layout,
        Err(_) => panic!("a size of the table"),
    }
}

/// Room for a `T`, whose bytes are anything.
#[inline]
pub(super) fn allocate<T>() -> NonNull<T> {
    const { assert!(size_of::<T>() > 0) };
    if let Some(size) = const { size_of_kept::<T>() } {
        // Fails while the thread ends.
        let kept = FREE.try_with(|free| free.pop(size));
        if let Ok(Some(block)) = kept {
            return block.cast();
        }
    }
    fresh(const { layout::<T>() }).cast()
}

#[inline(never)]
fn fresh(layout: Layout) -> NonNull<u8> {
    // SAFETY: no layout of this module is of size 0.
    let block = unsafe { alloc(layout) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Takes the room back.
///
/// # Safety
///
/// `room` comes from `allocate` for this very type, on whatever thread, and is
/// not used any more.
#[inline]
pub(super) unsafe fn free<T>(room: NonNull<T>) {
    if let Some(size) = const { size_of_kept::<T>() } {
        // SAFETY: the caller gives the room up, and it has the layout of the size.
        let kept = FREE.try_with(|free| unsafe { free.push(size, room.cast()) });
        if kept == Ok(true) {
            return;
        }
    }
    // SAFETY: `allocate` had it from the allocator with this layout.
    unsafe { dealloc(room.as_ptr().cast(), const { layout::<T>() }) }
}

impl Free {
    #[inline]
    fn pop(&self, size: usize) -> Option<NonNull<Block>> {
        let top = NonNull::new(self.tops[size].get())?;
        // SAFETY: `push` wrote it, and nobody has had the block since.
        self.tops[size].set(unsafe { top.as_ref() }.below);
        self.left.set(self.left.get() + layout_of(size).size());
        Some(top)
    }

    /// False if there is enough already.
    ///
    /// # Safety
    ///
    /// The block is the caller's to give, and has the layout of this size.
    #[inline]
    unsafe fn push(&self, size: usize, block: NonNull<Block>) -> bool {
        let Some(left) = self.left.get().checked_sub(layout_of(size).size()) else {
            return false;
        };
        let below = self.tops[size].get();
        // SAFETY: the caller's; a block has room for a pointer and its alignment.
        unsafe { block.write(Block { below }) };
        self.tops[size].set(block.as_ptr());
        self.left.set(left);
        true
    }
}

impl Drop for Free {
    fn drop(&mut self) {
        for size in 0..SIZES {
            while let Some(block) = self.pop(size) {
                // SAFETY: from the allocator, with the layout of its size.
                unsafe { dealloc(block.as_ptr().cast(), layout_of(size)) };
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_used_again_by_a_type_of_its_size_only() {
        let first = allocate::<[u64; 5]>();
        // SAFETY: allocated above for this type, and not used.
        unsafe { free(first) };
        let other = allocate::<[u64; 7]>();
        assert_ne!(first.cast(), other.cast::<[u64; 5]>());
        let again = allocate::<[u64; 6]>();
        assert_eq!(first.cast(), again, "40 and 48 bytes are one size");
        // SAFETY: as above.
        unsafe { free(other) };
        // SAFETY: as above.
        unsafe { free(again) };
    }

    /// Frees `count` rooms at once, on a thread of its own, and tells what that
    /// may keep then.
    fn left_after(count: usize, before: fn()) -> usize {
        let freed = std::thread::spawn(move || {
            before();
            let rooms: Vec<_> = (0..count).map(|_| allocate::<[u8; 1 << 9]>()).collect();
            for room in rooms {
                // SAFETY: allocated above for this type, and not used.
                unsafe { free(room) };
            }
            FREE.with(|free| free.left.get())
        });
        freed.join().expect("no panic")
    }

    #[test]
    fn no_more_than_its_share_is_kept_of_all_sizes() {
        assert_eq!(left_after(10, || ()), KEPT - 10 * 512);
        assert_eq!(left_after(KEPT / 512 + 10, || ()), 0);
        let half = || left_by_another_size(KEPT / 2);
        assert_eq!(left_after(KEPT / 512, half), 0);
    }

    fn left_by_another_size(bytes: usize) {
        let rooms: Vec<_> = (0..bytes / 64).map(|_| allocate::<[u64; 8]>()).collect();
        for room in rooms {
            // SAFETY: allocated above for this type, and not used.
            unsafe { free(room) };
        }
        assert_eq!(FREE.with(|free| free.left.get()), KEPT - bytes);
    }

    #[test]
    fn a_thread_that_keeps_none_gives_all_back() {
        assert_eq!(left_after(10, keep_none), 0);
        std::thread::spawn(|| {
            keep_none();
            let room = allocate::<[u64; 8]>();
            // SAFETY: allocated above for this type, and not used.
            unsafe { free(room) };
            assert!(FREE.with(|free| free.pop(3).is_none()));
        })
        .join()
        .expect("no panic");
    }

    #[test]
    fn large_and_aligned_types_go_to_the_allocator() {
        #[repr(align(64))]
        struct Aligned(#[expect(dead_code, reason = "only its room counts")] u8);
        let (large, aligned) = (allocate::<[u8; 10_000]>(), allocate::<Aligned>());
        assert!(aligned.is_aligned());
        // SAFETY: allocated above for this type, and not used.
        unsafe { free(large) };
        // SAFETY: as above.
        unsafe { free(aligned) };
    }
}
