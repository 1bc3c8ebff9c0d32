//! The lock under every primitive here: taken by one exchange, given back by a
//! plain store.
//!
//! ```text
//!   Open ──1──▶ Taken ──2──▶ Open
//!                 │ ▲
//!                 └3┘
//! ```
//! 1 `Lock::try_lock`   the exchange found it open; the guard is the right to the value
//! 2 drop of the guard  a store
//! 3 `Lock::wait`       it is another's: look on, then give way, then sleep
//!
//! | field | who                         | until                          |
//! |-------|-----------------------------|--------------------------------|
//! | taken | anyone, atomically          | the last reference is gone     |
//! | value | the `Guard` of the exchange | it is dropped                  |
//! | value | the owner of the `Lock`     | the lock is there no more      |
//!
//! # Why not std's
//!
//! What is done under it takes a few nanoseconds, so the lock itself was most of
//! the cost. Who must wake a sleeper when he unlocks has to ask whether there
//! is one in the same step, and that is a second exchange, as dear as the first.
//! Here nobody is woken: who waits looks again by himself.
//!
//! That is right only because the wait is short: no user code, no input or output
//! and no other wait happens under this lock, so it lasts only if its holder
//! was interrupted by the kernel. Then spinning is in vain, and the waiter gives
//! its processor up; if that is not enough (the holder may have a lower
//! priority), it sleeps, for ever longer up to a millisecond.

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{MutPtr, UnsafeCell, pass_the_time};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};

/// A value for one at a time; see the module.
pub struct Lock<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through the one `Guard` only (the table above), so
// it moves between threads and is never shared.
unsafe impl<T: Send> Sync for Lock<T> {}

// No user code runs while it is held: a panic leaves nothing half done.
impl<T> UnwindSafe for Lock<T> {}
impl<T> RefUnwindSafe for Lock<T> {}

impl<T> Lock<T> {
    /// One that is open.
    #[must_use]
    pub fn new(value: T) -> Lock<T> {
        Lock {
            taken: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits until it is open, and takes it. No user code may run under it.
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        match self.try_lock() {
            Some(guard) => guard,
            None => self.wait(),
        }
    }

    /// 1: or nothing, if it is another's.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        // Acquire pairs with the Release of the last holder, in `Open`: what he
        // did to the value is visible. Not `swap`: who fails shall write nothing.
        let taken = self
            .taken
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        taken.ok().map(|_| Guard {
            access: self.value.get_mut(),
            _open: Open(&self.taken),
        })
    }

    /// 3: after a `try_lock` in vain.
    #[cold]
    pub(crate) fn wait(&self) -> Guard<'_, T> {
        let mut looks = 0;
        loop {
            pass_the_time(looks);
            looks = looks.saturating_add(1);
            // Relaxed: only whether the exchange is worth it, which takes the
            // flag out of the holder's cache.
            if !self.taken.load(Ordering::Relaxed)
                && let Some(guard) = self.try_lock()
            {
                return guard;
            }
        }
    }

    /// The value of a lock that is no longer needed.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

/// The right to the value. Stays on its thread: the pointer in it sees to that.
pub struct Guard<'a, T> {
    // The order of the fields is the protocol: the access ends before others may.
    access: MutPtr<T>,
    _open: Open<'a>,
}

/// Opens the lock when it is dropped.
struct Open<'a>(&'a AtomicBool);

impl Drop for Open<'_> {
    #[inline]
    fn drop(&mut self) {
        // Release: see `try_lock`.
        self.0.store(false, Ordering::Release);
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this is the one `Guard` until it is dropped, and the result
        // borrows it; `deref_mut` borrows it mutably.
        self.access.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and `&mut self` lends it once at a time.
        self.access.with(|value| unsafe { &mut *value })
    }
}

impl<T> fmt::Debug for Guard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl<T: Default> Default for Lock<T> {
    fn default() -> Lock<T> {
        Lock::new(T::default())
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
