//! The waker of a `block_on`, which the next one takes over.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, fence};
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use crate::context::{self, Context};
use crate::home::Home;
use crate::trace::RootWoken;

/// The waker as the loop sees it, and as the future does: two counts of one flag.
pub(super) struct RootWaker {
    pub(super) wake: Arc<RootWake>,
    pub(super) waker: Waker,
}

impl RootWaker {
    /// One that is woken already.
    pub(super) fn new(home: &Arc<Home>, traced: Option<RootWoken>) -> RootWaker {
        let wake = Arc::new(RootWake {
            woken: AtomicBool::new(true),
            home: Arc::downgrade(home),
            traced,
        });
        RootWaker {
            waker: Waker::from(Arc::clone(&wake)),
            wake,
        }
    }

    /// Wakes it for another `block_on`; false if somebody has the waker of the last one
    /// yet, whose wakes must not be taken for the next one's.
    pub(super) fn again(&self) -> bool {
        // Who has none cannot make one: a count of two stays so while this thread is here.
        if self.wake.traced.is_some() || Arc::strong_count(&self.wake) != 2 {
            return false;
        }
        // Pairs with the Release of the last other count: its wakes were before this.
        fence(Acquire);
        // Relaxed: nobody else looks.
        self.wake.woken.store(true, Relaxed);
        true
    }
}

/// The waker of a `block_on`: a flag, and an interrupt from other threads.
pub(super) struct RootWake {
    woken: AtomicBool,
    home: Weak<Home>,
    /// With a recorder.
    traced: Option<RootWoken>,
}

impl Wake for RootWake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Before the flag is seen: then another thread may poll at once. Relaxed:
        // who reads an old value tells of a wake that is none any more.
        if let Some(traced) = &self.traced
            && !self.woken.load(Relaxed)
        {
            traced.tell();
        }
        // Release pairs with the Acquire in `take`: what was written before
        // the wake is visible to the poll that follows.
        if self.woken.swap(true, AcqRel) {
            return;
        }
        let is_home = |current: Option<&Context>| {
            current
                .is_some_and(|current| std::ptr::eq(Arc::as_ptr(&current.home), self.home.as_ptr()))
        };
        if !context::with(is_home)
            && let Some(home) = self.home.upgrade()
        {
            home.interrupt();
        }
    }
}

impl RootWake {
    #[inline]
    pub(super) fn is_woken(&self) -> bool {
        // Relaxed: only a hint whether `take` is worth its price.
        self.woken.load(Relaxed)
    }

    /// Takes the wake, if there is one. The `first` is the beginning itself, while nobody
    /// else has the waker.
    pub(super) fn take(&self, first: bool) -> bool {
        if first {
            self.woken.store(false, Relaxed);
            return true;
        }
        // Acquire: see `wake_by_ref`.
        self.woken.swap(false, AcqRel)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::driver::{Driver, ParkDriver};

    #[test]
    fn a_waker_that_somebody_has_yet_is_not_the_next_ones() {
        let home = Home::new(ParkDriver::new().interrupt());
        let root = RootWaker::new(&home, None);
        assert!(root.wake.take(true), "it begins woken");
        let kept = root.waker.clone();
        assert!(!root.again());
        kept.wake();
        assert!(root.again(), "the last other one is gone");
        assert!(root.wake.take(true));
        assert!(!root.wake.is_woken(), "the wake before was the last one's");
        root.waker.wake_by_ref();
        assert!(root.wake.is_woken() && root.wake.take(false));
    }
}
