//! Task ids: never reused, and without a shared counter on the spawn path.

use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Identifies a task; unique in the process, never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(NonZeroU64);

/// Ids that a thread takes from the common counter at once.
const BLOCK: u64 = 256;

thread_local! {
    /// The last id that this thread gave. A multiple of [`BLOCK`] ends a block;
    /// so does 0, before the first.
    static LAST: Cell<u64> = const { Cell::new(0) };
}

impl Id {
    /// A new id. Ids of one thread grow; those of two say nothing of order.
    #[inline]
    pub(crate) fn next() -> Id {
        let last = LAST.get();
        let id = if last.is_multiple_of(BLOCK) {
            Id::of_next_block()
        } else {
            last + 1
        };
        LAST.set(id);
        Id(NonZeroU64::new(id).expect("the counter starts at 1 and cannot wrap in centuries"))
    }

    /// The last that this thread has given; 0 before the first.
    pub(crate) fn last_here() -> u64 {
        LAST.get()
    }

    #[cold]
    fn of_next_block() -> u64 {
        static NEXT_BLOCK: AtomicU64 = AtomicU64::new(1);
        // Relaxed: uniqueness is all that is asked, and atomicity gives it.
        NEXT_BLOCK.fetch_add(BLOCK, Relaxed)
    }

    /// The id as a number.
    #[must_use]
    #[inline]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.0)
    }
}
