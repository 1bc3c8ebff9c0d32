//! The guards of a mutex: while one exists, the value is its holder's.

use super::Mutex;
use crate::cell::Exclusive;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// The right to the value of a [`Mutex`], given back when this is dropped.
///
/// It may be held across an `.await`, and also be sent to another thread.
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct MutexGuard<'a, T: ?Sized> {
    right: Exclusive<&'a Mutex<T>>,
}

/// The right to the value of a [`Mutex`] in an [`Arc`], given back when this is
/// dropped.
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct OwnedMutexGuard<T: ?Sized> {
    right: Exclusive<Arc<Mutex<T>>>,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    #[inline]
    pub(super) fn new(right: Exclusive<&'a Mutex<T>>) -> MutexGuard<'a, T> {
        right.holder().set_owner();
        MutexGuard { right }
    }

    /// The mutex it is of.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::{Mutex, MutexGuard};
    ///
    /// let lock = Mutex::new(7);
    /// let guard = lock.try_lock()?;
    /// assert!(std::ptr::eq(MutexGuard::mutex(&guard), &lock));
    /// # Ok::<(), wakeline_sync::TryLockError>(())
    /// ```
    #[must_use]
    pub fn mutex(guard: &MutexGuard<'a, T>) -> &'a Mutex<T> {
        guard.right.holder()
    }
}

impl<T: ?Sized> OwnedMutexGuard<T> {
    #[inline]
    pub(super) fn new(right: Exclusive<Arc<Mutex<T>>>) -> OwnedMutexGuard<T> {
        right.holder().set_owner();
        OwnedMutexGuard { right }
    }

    /// The mutex it is of.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakeline_sync::{Mutex, OwnedMutexGuard};
    ///
    /// let lock = Arc::new(Mutex::new(7));
    /// let guard = lock.try_lock_owned()?;
    /// assert!(Arc::ptr_eq(OwnedMutexGuard::mutex(&guard), &lock));
    /// # Ok::<(), wakeline_sync::TryLockError>(())
    /// ```
    #[must_use]
    pub fn mutex(guard: &OwnedMutexGuard<T>) -> &Arc<Mutex<T>> {
        guard.right.holder()
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Before the lock is given back, which dropping `right` does next: after
        // that it would strike out the next owner.
        self.right.holder().clear_owner();
    }
}

impl<T: ?Sized> Drop for OwnedMutexGuard<T> {
    #[inline]
    fn drop(&mut self) {
        self.right.holder().clear_owner(); // before: as above
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.right.get()
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.right.get_mut()
    }
}

impl<T: ?Sized> Deref for OwnedMutexGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.right.get()
    }
}

impl<T: ?Sized> DerefMut for OwnedMutexGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.right.get_mut()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
