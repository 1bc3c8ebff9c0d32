//! A lane: work that outlives its owner is handed up to whoever still lives.
//!
//! ```text
//!   the runtime's root ◀── outer scope's lane ◀── inner scope's lane
//!                                 ▲                      ╳ closed: it was dropped
//!                                 └──────── adopt ───────┘ its cleanup goes up
//!
//!   Open ──1──▶ Closed        1 `close_if_empty`  the owner leaves and nothing is left
//!                             1 `close`           the owner is dropped: what is left goes up
//! ```
//!
//! The one thing that must hold, whichever of two threads is first: an item is
//! run **exactly once**. So a lane closes in the same moment, under one lock, in
//! which it is seen empty or is emptied: an item that comes before is found by
//! the owner, one that comes after is refused and goes further up.
//!
//! It knows nothing of futures: an item is whatever the owner runs.

use crate::children::Nudge;
use crate::sync::Lock;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Items that an owner runs, until it leaves; see the module.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use wakeline_sync::lane::Lane;
///
/// let outer = Arc::new(Lane::new(None));
/// let inner = Lane::new(None);
/// inner.set_above(&outer);
/// assert!(inner.adopt("flush").is_ok());
/// assert!(inner.close_if_empty().is_err(), "there is something to do");
/// assert_eq!(inner.take(), Some("flush"));
/// assert!(inner.close_if_empty().is_ok());
///
/// assert!(inner.adopt("too late").is_ok());
/// assert_eq!(outer.take(), Some("too late")); // the nearest that lives has it
/// ```
pub struct Lane<T> {
    inner: Lock<Inner<T>>,
    /// Where items go once this lane is closed.
    above: OnceLock<Arc<Lane<T>>>,
    /// Tells the owner that there is something.
    nudge: Option<Nudge>,
}

struct Inner<T> {
    open: bool,
    items: VecDeque<T>,
}

/// The lane cannot be closed yet: there is something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotEmpty;

impl<T> Lane<T> {
    /// An open lane; `nudge` wakes its owner.
    #[must_use]
    pub fn new(nudge: Option<Nudge>) -> Lane<T> {
        Lane {
            inner: Lock::new(Inner {
                open: true,
                items: VecDeque::new(),
            }),
            above: OnceLock::new(),
            nudge,
        }
    }

    /// Says where items go once this lane is closed; the first call counts.
    pub fn set_above(&self, above: &Arc<Lane<T>>) {
        let _ = self.above.set(Arc::clone(above));
    }

    /// Puts an item into this lane.
    ///
    /// # Errors
    ///
    /// Gives it back if the lane is closed.
    pub fn push(&self, item: T) -> Result<(), T> {
        let mut inner = self.inner.lock();
        if !inner.open {
            drop(inner); // the item is the caller's again, not under the lock
            return Err(item);
        }
        inner.items.push_back(item);
        drop(inner);
        if let Some(nudge) = &self.nudge {
            nudge.wake();
        }
        Ok(())
    }

    /// Puts an item into this lane, or into the nearest open one above.
    ///
    /// # Errors
    ///
    /// Gives it back if all are closed.
    pub fn adopt(&self, item: T) -> Result<(), T> {
        let mut lane = self;
        let mut item = item;
        loop {
            match lane.push(item) {
                Ok(()) => return Ok(()),
                Err(refused) => item = refused,
            }
            match lane.above.get() {
                Some(above) => lane = above,
                None => return Err(item),
            }
        }
    }

    /// The oldest item.
    pub fn take(&self) -> Option<T> {
        self.inner.lock().items.pop_front()
    }

    /// Whether there is nothing to take now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.lock().items.is_empty()
    }

    /// Closes the lane if there is nothing in it.
    ///
    /// # Errors
    ///
    /// If there is: it stays open, and the owner goes on.
    pub fn close_if_empty(&self) -> Result<(), NotEmpty> {
        let mut inner = self.inner.lock();
        if !inner.items.is_empty() {
            return Err(NotEmpty);
        }
        inner.open = false;
        Ok(())
    }

    /// Closes the lane and empties it; the caller hands up what is left.
    #[must_use = "what is left has to be handed up"]
    pub fn close(&self) -> VecDeque<T> {
        let mut inner = self.inner.lock();
        inner.open = false;
        std::mem::take(&mut inner.items)
    }
}

impl<T> Drop for Lane<T> {
    /// Takes the lanes above apart one by one: a deep nest of scopes must not
    /// need a stack of that depth.
    fn drop(&mut self) {
        let mut next = self.above.take();
        while let Some(mut lane) = next.and_then(Arc::into_inner) {
            next = lane.above.take();
        }
    }
}

impl<T> fmt::Debug for Lane<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
