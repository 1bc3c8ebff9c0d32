//! What is known to be possible on one direction of a source: one atomic word.
//!
//! ```text
//!   [ events seen: 56 ][ URGENT ][ EXACT ][ FAILED ][ CLOSED ][ READY ]
//! ```
//!
//! The driver sets bits and counts; the caller that finds nothing to do clears
//! READY, but only if the count is still the one it saw before it tried. So an
//! event that comes between the try and the clearing is never lost.

use crate::sync::atomic::{AtomicU64, Ordering};

/// A try is worth it.
pub(crate) const READY: u64 = 1;
/// The peer or the kernel closed this direction: a short read proves nothing,
/// there is still the end of file or the error to be read.
pub(crate) const CLOSED: u64 = 2;
/// The source could not be armed; the error waits beside the waiters.
pub(crate) const FAILED: u64 = 4;
/// The last event came from a driver that tells of urgent data. (A registration
/// for writing alone does not, but then only a close is an event for reading.)
pub(crate) const EXACT: u64 = 8;
/// Urgent data came once.
pub(crate) const URGENT: u64 = 16;

const EVENT: u64 = 1 << 8;

/// One look at what is known about a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen(u64);

impl Seen {
    pub(crate) fn is_ready(self) -> bool {
        self.0 & READY != 0
    }

    pub(crate) fn has_failed(self) -> bool {
        self.0 & FAILED != 0
    }

    /// Whether a short read may be told as such: urgent data would have been told,
    /// and was not; or there is a close to be read, and until that is found by
    /// `WouldBlock` nothing is cleared (`clear_short`).
    pub(crate) fn is_quiet(self) -> bool {
        // In this order, as without a close only an exact driver goes past the first.
        self.0 & (EXACT | CLOSED) != 0 && self.0 & (CLOSED | URGENT) != URGENT
    }

    /// Whether an event was counted after `earlier`.
    pub(crate) fn is_after(self, earlier: Seen) -> bool {
        self.0 / EVENT != earlier.0 / EVENT
    }
}

/// The word of one direction.
#[derive(Debug)]
pub(crate) struct Readiness {
    word: AtomicU64,
}

impl Readiness {
    /// Nothing is known: wait for an event before the first try.
    pub(crate) fn pessimistic() -> Readiness {
        Readiness {
            word: AtomicU64::new(0),
        }
    }

    /// Try before the first wait.
    pub(crate) fn optimistic() -> Readiness {
        Readiness {
            word: AtomicU64::new(READY),
        }
    }

    #[inline]
    pub(crate) fn look(&self) -> Seen {
        // Acquire pairs with the Release in `event`: what the deliverer wrote
        // before (an error beside the waiters) is visible with the bit.
        Seen(self.word.load(Ordering::Acquire))
    }

    /// An event came: sets `bits` and counts it.
    pub(crate) fn event(&self, bits: u64) {
        let mut word = self.word.load(Ordering::Relaxed);
        // A loop, not an add: the caller's `clear` may come between. Release
        // pairs with `look`; Relaxed on failure, as the loop looks again.
        while let Err(now) = self.word.compare_exchange_weak(
            word,
            (word & !EXACT).wrapping_add(EVENT) | bits,
            Ordering::Release,
            Ordering::Relaxed,
        ) {
            word = now;
        }
    }

    /// The try met `WouldBlock`: whatever was known is over, if nothing came since.
    #[inline]
    pub(crate) fn clear(&self, seen: Seen) {
        self.replace(seen, seen.0 & !(READY | CLOSED));
    }

    /// The try took the last that there was, unless a close is still to be
    /// read or an event came since.
    #[inline]
    pub(crate) fn clear_short(&self, seen: Seen) {
        if seen.0 & CLOSED == 0 {
            self.replace(seen, seen.0 & !READY);
        }
    }

    /// Takes the mark of a failed arming.
    pub(crate) fn clear_failed(&self) {
        // Relaxed: the caller holds the lock that guards the error itself.
        self.word.fetch_and(!FAILED, Ordering::Relaxed);
    }

    #[inline]
    fn replace(&self, seen: Seen, new: u64) {
        // Relaxed: it publishes nothing; the count in `seen` decides. Failure
        // means that an event came since, and its bit stays.
        let _ = self
            .word
            .compare_exchange(seen.0, new, Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
