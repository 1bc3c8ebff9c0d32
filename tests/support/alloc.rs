//! An allocator that notices when somebody writes into freed memory.
//!
//! Blocks of [`WATCHED`] bytes and more get pages of their own, and a freed one
//! is not given back but put aside, in one of two ways:
//!
//! - *protected*: its pages become inaccessible. Our own late access is a
//!   SIGSEGV, a copy by the kernel a completion with EFAULT.
//! - *poisoned*: filled with a pattern and left writable. [`disturbed`] finds
//!   any write, also one by a device into pages the kernel had pinned, which
//!   no protection stops.
//!
//! Smaller blocks go to the system's allocator as they are, and are counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{io, ptr};

/// The smallest block that is watched: I/O buffers of the tests are larger.
pub(crate) const WATCHED: usize = 64 * 1024;
const PAGE: usize = 4096;
const POISON: u8 = 0xa5;
const SLOTS: usize = 16 * 1024;

/// The allocator; a test file makes it its `#[global_allocator]`.
#[derive(Debug)]
pub(crate) struct Watching;

static PROTECT: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicUsize = AtomicUsize::new(0);
static SMALL: AtomicUsize = AtomicUsize::new(0);
static ASIDE: Mutex<Aside> = Mutex::new(Aside {
    blocks: [const { None }; SLOTS],
    count: 0,
});

/// Poisoned blocks that are looked at later. Several threads free blocks, also while
/// one looks: a pool thread may have a buffer longer than its runtime lives.
struct Aside {
    blocks: [Option<Block>; SLOTS],
    count: usize,
}

struct Block(NonNull<u8>, usize);

// SAFETY: the pages are nobody's but the list's.
unsafe impl Send for Block {}

/// The list. Nothing is allocated or freed under its lock.
fn aside() -> MutexGuard<'static, Aside> {
    ASIDE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Aside {
    /// Gives the block back if there is no room.
    fn push(&mut self, block: Block) -> Result<(), Block> {
        let Some(slot) = self.blocks.get_mut(self.count) else {
            return Err(block);
        };
        *slot = Some(block);
        self.count += 1;
        Ok(())
    }

    fn pop(&mut self) -> Option<Block> {
        self.count = self.count.checked_sub(1)?;
        self.blocks[self.count].take()
    }
}

fn pages(size: usize) -> usize {
    size.next_multiple_of(PAGE)
}

fn is_watched(layout: Layout) -> bool {
    layout.size() >= WATCHED && layout.align() <= PAGE
}

// SAFETY: watched blocks come from `mmap`, so they are page-aligned, as large as
// asked for, zeroed, and nobody else's; until `dealloc` they stay mapped. All
// others are the system allocator's. Which it is depends on the layout alone,
// and the caller passes the same layout to `dealloc`.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_watched(layout) {
            SMALL.fetch_add(1, Ordering::Relaxed);
            // SAFETY: the caller's promise about `layout` is passed on.
            return unsafe { System.alloc(layout) };
        }
        let (read_write, private) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a new anonymous mapping, placed by the kernel: it overlaps nothing.
        let block = unsafe {
            libc::mmap(
                ptr::null_mut(),
                pages(layout.size()),
                read_write,
                private,
                -1,
                0,
            )
        };
        if block == libc::MAP_FAILED {
            return ptr::null_mut();
        }
        LIVE.fetch_add(1, Ordering::Relaxed);
        block.cast()
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !is_watched(layout) {
            SMALL.fetch_sub(1, Ordering::Relaxed);
            // SAFETY: the block came from `System.alloc` with this layout, above.
            return unsafe { System.dealloc(block, layout) };
        }
        LIVE.fetch_sub(1, Ordering::Relaxed);
        let size = pages(layout.size());
        if PROTECT.load(Ordering::Relaxed) {
            // SAFETY: these pages are the block's own, which its owner has just
            // given up; nobody may touch them again, which is what is tested.
            unsafe { libc::mprotect(block.cast(), size, libc::PROT_NONE) };
            return;
        }
        // SAFETY: as above: the block is ours from here on, `size` bytes long.
        unsafe { ptr::write_bytes(block, POISON, size) };
        let Some(start) = NonNull::new(block) else {
            return;
        };
        if aside().push(Block(start, size)).is_err() {
            // SAFETY: the mapping is ours alone, as above, and is on no list.
            unsafe { libc::munmap(block.cast(), size) };
        }
    }
}

/// From now on freed blocks become inaccessible, instead of poisoned; who touches
/// one is reported.
pub(crate) fn protect_freed(on: bool) {
    super::fault::report();
    PROTECT.store(on, Ordering::Relaxed);
}

/// Freed blocks into which somebody has written since; gives up all others.
pub(crate) fn disturbed() -> usize {
    let mut found = 0;
    // As many as there are now, lest one who frees without end keeps this here.
    let count = aside().count;
    for _ in 0..count {
        let Some(Block(start, size)) = aside().pop() else {
            break;
        };
        // SAFETY: a block put aside by `dealloc` stays mapped and readable until
        // the `munmap` below, and the list has given it to this caller alone.
        let bytes = unsafe { std::slice::from_raw_parts(start.as_ptr(), size) };
        if bytes.iter().any(|&byte| byte != POISON) {
            // Left where it is: the writer may not be done.
            found += 1;
            continue;
        }
        // SAFETY: the same mapping, taken off the list, so unmapped only once.
        let unmapped = unsafe { libc::munmap(start.as_ptr().cast(), size) };
        assert_eq!(unmapped, 0, "munmap: {}", io::Error::last_os_error());
    }
    found
}

/// Watched blocks that are allocated now.
pub(crate) fn live() -> usize {
    LIVE.load(Ordering::Relaxed)
}

/// Those that are smaller.
pub(crate) fn small() -> usize {
    SMALL.load(Ordering::Relaxed)
}
