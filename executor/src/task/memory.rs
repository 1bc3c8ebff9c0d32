//! The memory of tasks: what one leaves behind the next of its size takes.
//!
//! A thread keeps up to [`KEPT`] bytes of each size, in steps of 16 bytes: enough
//! for thousands of tasks that come and go, and a burst of a million gives its
//! memory back. A block that is freed on another thread stays with that one.
//! Tasks beyond [`SIZES`] steps, with a future of more than about 400 bytes, and
//! over-aligned ones are the allocator's alone.
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
const KEPT: usize = 1 << 20;

/// How many blocks of a size a thread keeps.
const fn kept(size: usize) -> usize {
    KEPT / ((size + 1) * STEP)
}

/// What a block holds while it is free.
struct Block {
    below: *mut Block,
}

/// Free blocks of one size, the last freed on top.
struct Blocks {
    top: Cell<*mut Block>,
    len: Cell<usize>,
}

struct Free([Blocks; SIZES]);

thread_local! {
    static FREE: Free = const {
        Free([const { Blocks { top: Cell::new(ptr::null_mut()), len: Cell::new(0) } }; SIZES])
    };
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

const fn kept_of<T>() -> usize {
    match size_of_kept::<T>() {
        Some(size) => kept(size),
        None => 0,
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
        let kept = FREE.try_with(|free| free.0[size].pop());
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
        let kept = FREE
            .try_with(|free| unsafe { free.0[size].push(room.cast(), const { kept_of::<T>() }) });
        if kept == Ok(true) {
            return;
        }
    }
    // SAFETY: `allocate` had it from the allocator with this layout.
    unsafe { dealloc(room.as_ptr().cast(), const { layout::<T>() }) }
}

impl Blocks {
    #[inline]
    fn pop(&self) -> Option<NonNull<Block>> {
        let top = NonNull::new(self.top.get())?;
        // SAFETY: `push` wrote it, and nobody has had the block since.
        self.top.set(unsafe { top.as_ref() }.below);
        self.len.set(self.len.get() - 1);
        Some(top)
    }

    /// False if there are `most` already.
    ///
    /// # Safety
    ///
    /// The block is the caller's to give, and has the layout of this size.
    #[inline]
    unsafe fn push(&self, block: NonNull<Block>, most: usize) -> bool {
        if self.len.get() == most {
            return false;
        }
        // SAFETY: the caller's; a block has room for a pointer and its alignment.
        unsafe {
            block.write(Block {
                below: self.top.get(),
            });
        }
        self.top.set(block.as_ptr());
        self.len.set(self.len.get() + 1);
        true
    }
}

impl Drop for Free {
    fn drop(&mut self) {
        for (size, blocks) in self.0.iter().enumerate() {
            while let Some(block) = blocks.pop() {
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

    #[test]
    fn no_more_than_its_share_is_kept_and_a_thread_leaves_nothing() {
        std::thread::spawn(|| {
            let size = size_of_kept::<[u8; 33]>().expect("it is small");
            let rooms: Vec<_> = (0..kept(size) + 1)
                .map(|_| allocate::<[u8; 33]>())
                .collect();
            for room in rooms {
                // SAFETY: allocated above for this type, and not used.
                unsafe { free(room) };
            }
            assert_eq!(FREE.with(|free| free.0[size].len.get()), kept(size));
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
