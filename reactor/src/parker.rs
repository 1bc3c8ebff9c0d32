//! Whether the reactor's thread sleeps, and who has to ring.
//!
//! ```text
//!              notify ──1──▶ Notified ◀──2── notify
//!   Running ──────┘            │  ▲              │
//!    ▲  ▲ └────────park──3───▶ Parked ───────────┘
//!    │  └──unpark──4───────────┘
//!    └─────────────4───────────┘ (from Notified)
//! ```
//! 1 `Parker::notify`  the owner is awake: it will find the mark before it sleeps
//! 2 `Parker::notify`  the owner sleeps, or is about to: the caller must ring
//! 3 `Parker::park`    nobody notified: the owner may sleep
//! 4 `Parker::unpark`  the owner is awake again; it learns whether it was notified
//!
//! What was written before `notify` is seen after `park` or `unpark`: whichever
//! of the two finds the mark.

use crate::sync::atomic::{AtomicU8, Ordering::SeqCst};

const RUNNING: u8 = 0;
const PARKED: u8 = 1;
const NOTIFIED: u8 = 2;

/// What a notifier must do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a `Ring` that is dropped is a thread that sleeps on"]
pub(crate) enum Notify {
    /// The owner sleeps: write to the eventfd.
    Ring,
    /// The owner is awake or was rung already.
    Nothing,
}

/// One atomic word: Running, Parked or Notified.
#[derive(Debug)]
pub(crate) struct Parker {
    state: AtomicU8,
}

impl Parker {
    pub(crate) fn new() -> Parker {
        Parker {
            state: AtomicU8::new(RUNNING),
        }
    }

    /// From any thread. Sticky: the next sleep ends at once.
    #[inline]
    pub(crate) fn notify(&self) -> Notify {
        // SeqCst pairs with `park`: of the notifier's push and the owner's last
        // look at the inbox, at least one is seen by the other side.
        match self.state.swap(NOTIFIED, SeqCst) {
            PARKED => Notify::Ring,
            _ => Notify::Nothing,
        }
    }

    /// By the owner, before it sleeps: whether it may.
    #[inline]
    pub(crate) fn park(&self) -> bool {
        // SeqCst pairs with `notify`, see there.
        self.state
            .compare_exchange(RUNNING, PARKED, SeqCst, SeqCst)
            .is_ok()
    }

    /// By the owner, after a `park`, whether or not that let it sleep: whether
    /// somebody notified.
    #[inline]
    pub(crate) fn unpark(&self) -> bool {
        // Acquire (part of SeqCst) pairs with `notify`: its writes are ours now.
        self.state.swap(RUNNING, SeqCst) == NOTIFIED
    }

    /// Whether the next `park` would fail.
    #[inline]
    pub(crate) fn is_notified(&self) -> bool {
        // Relaxed: only a hint not to compute a sleep; `park` decides.
        self.state.load(crate::sync::atomic::Ordering::Relaxed) == NOTIFIED
    }
}

#[cfg(test)]
mod tests;
