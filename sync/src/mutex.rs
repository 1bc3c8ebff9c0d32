//! A lock that tasks wait for: first come, first served, and it knows its owner.
//!
//! ```text
//!   free ──1──▶ held by a guard ──2──▶ free
//!                  ▲        │
//!                  │        3
//!                  4        ▼
//!               granted to the front of the queue, not polled yet
//!                  └──5──▶ the next, or free
//! ```
//! 1 `Lock::poll`, `try_lock`   the one permit is taken, the owner written down
//! 2 the guard is dropped       the owner is struck out, then the permit given back
//! 3 the same                   somebody waits: it is his from this moment on
//! 4 `Lock::poll`               he runs and sees it
//! 5 `Lock` is dropped          he gave up: it is handed on
//!
//! The permits and the value are `cell.rs`'s; here is what a user sees of them.
//! The owner is the task that was being polled when the guard was made. It is
//! written and struck out by whoever holds the lock, so it needs no order of its
//! own, and costs no exchange.
//!
//! There is no poisoning: a panic drops the guard and so unlocks, and the value
//! is as the panic left it. A task that must not be seen half way through should
//! build the new value first and then put it in place.

mod guard;
mod lock;

pub use guard::{MutexGuard, OwnedMutexGuard};
pub use lock::{Lock, LockOwned};

use crate::cell::{Exclusive, Guarded, OneAtATime, Right};
use crate::error::TryLockError;
use crate::sync::atomic::{AtomicU64, Ordering};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// A value that one task at a time can reach; the others wait in the order in
/// which they came.
///
/// The guard may be held across an `.await` and be sent to another thread. From
/// the moment it is dropped the lock belongs to the front of the queue, also
/// before that task runs: nobody barges in. A panic while it is held unlocks it
/// and does not poison it.
///
/// A `std::sync::Mutex` is quicker for what is done without an `.await`.
///
/// # Example
///
/// ```
/// use wakeline_sync::{Mutex, TryLockError};
///
/// let count = Mutex::new(1);
/// let mut guard = count.try_lock()?;
/// *guard += 1;
/// assert!(count.try_lock().is_err());
/// drop(guard);
/// assert_eq!(*count.try_lock()?, 2);
/// # Ok::<(), TryLockError>(())
/// ```
pub struct Mutex<T: ?Sized> {
    /// The task that holds it; 0 if none does, or it is held outside of tasks.
    /// Changed only by the holder.
    owner: AtomicU64,
    value: Guarded<T, OneAtATime>,
}

impl<T> Mutex<T> {
    /// A lock that nobody holds.
    #[must_use]
    pub fn new(value: T) -> Mutex<T> {
        Mutex {
            owner: AtomicU64::new(0),
            value: Guarded::new(value),
        }
    }

    /// The value, without the lock.
    ///
    /// # Example
    ///
    /// ```
    /// let lock = wakeline_sync::Mutex::new("value");
    /// assert_eq!(lock.into_inner(), "value");
    /// ```
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives its place in the queue up. A lock that was
    /// granted to it and not seen yet goes to the next in the queue.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::Mutex;
    ///
    /// async fn add(total: &Mutex<u64>, bytes: u64) {
    ///     *total.lock().await += bytes;
    /// }
    /// # let _ = add;
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> Lock<'_, T> {
        Lock::new(self, Location::caller())
    }

    /// [`lock`](Mutex::lock), with a guard that keeps the lock alive and can be
    /// given to another task.
    ///
    /// # Cancellation
    ///
    /// As for [`lock`](Mutex::lock).
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakeline_sync::{Mutex, OwnedMutexGuard};
    ///
    /// async fn start(log: Arc<Mutex<String>>) -> OwnedMutexGuard<String> {
    ///     log.lock_owned().await // whoever gets it goes on writing
    /// }
    /// # let _ = start;
    /// ```
    #[track_caller]
    pub fn lock_owned(self: &Arc<Mutex<T>>) -> LockOwned<T> {
        LockOwned::new(Arc::clone(self), Location::caller())
    }

    /// Takes the lock if nobody holds it or waits for it.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if that is not so.
    ///
    /// # Example
    ///
    /// ```
    /// let lock = wakeline_sync::Mutex::new(7);
    /// let guard = lock.try_lock()?;
    /// assert!(lock.try_lock().is_err());
    /// # drop(guard);
    /// # Ok::<(), wakeline_sync::TryLockError>(())
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        match Exclusive::try_take(self) {
            Ok(right) => Ok(MutexGuard::new(right)),
            Err(_) => Err(TryLockError(())),
        }
    }

    /// [`try_lock`](Mutex::try_lock) with an owned guard.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if somebody holds the lock or waits for it.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakeline_sync::Mutex;
    ///
    /// let lock = Arc::new(Mutex::new(7));
    /// let guard = lock.try_lock_owned()?;
    /// drop(lock); // the guard has its own reference
    /// assert_eq!(*guard, 7);
    /// # Ok::<(), wakeline_sync::TryLockError>(())
    /// ```
    pub fn try_lock_owned(self: &Arc<Mutex<T>>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        match Exclusive::try_take(Arc::clone(self)) {
            Ok(right) => Ok(OwnedMutexGuard::new(right)),
            Err(_) => Err(TryLockError(())),
        }
    }

    /// The value; who has the only reference needs no lock.
    ///
    /// # Example
    ///
    /// ```
    /// let mut lock = wakeline_sync::Mutex::new(1);
    /// *lock.get_mut() += 1;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    #[must_use]
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// The id of the task that holds the lock: the one in which the guard was
    /// made, wherever it is now.
    ///
    /// `None` if nobody holds it, or it was locked outside of tasks, or it is
    /// granted to a task that was not polled since. For a look at a lock that
    /// is never released; the answer may be out of date at once.
    ///
    /// # Example
    ///
    /// ```
    /// let lock = wakeline_sync::Mutex::new(());
    /// assert_eq!(lock.owner(), None);
    /// ```
    #[must_use]
    pub fn owner(&self) -> Option<u64> {
        // Relaxed: it is looked at, and nothing follows from it.
        match self.owner.load(Ordering::Relaxed) {
            0 => None,
            task => Some(task),
        }
    }

    #[inline]
    pub(crate) fn guarded_value(&self) -> &Guarded<T, OneAtATime> {
        &self.value
    }

    /// By the holder: the task being polled has the lock.
    #[inline]
    fn set_owner(&self) {
        // Relaxed: only holders write it, one after the other.
        self.owner
            .store(wakeline_context::current_task(), Ordering::Relaxed);
    }

    /// By the holder, before it gives the lock back.
    #[inline]
    fn clear_owner(&self) {
        // Relaxed: as above.
        self.owner.store(0, Ordering::Relaxed);
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Mutex");
        out.field("owner", &self.owner());
        match Exclusive::try_take(self) {
            Ok(right) => out.field("value", &right.get()),
            Err(_) => out.field("value", &format_args!("<locked>")),
        };
        out.finish()
    }
}

#[cfg(test)]
mod tests;
