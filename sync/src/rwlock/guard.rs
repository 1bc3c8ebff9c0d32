//! The guards of a lock for readers and writers.

use super::RwLock;
use crate::cell::{Exclusive, Shared};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// The right to read the value of a [`RwLock`], given back when this is dropped.
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    right: Shared<&'a RwLock<T>>,
}

/// The right to write the value of a [`RwLock`], given back when this is dropped.
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    right: Exclusive<&'a RwLock<T>>,
}

/// The right to read the value of a [`RwLock`] in an [`Arc`], given back when
/// this is dropped.
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct OwnedRwLockReadGuard<T: ?Sized> {
    right: Shared<Arc<RwLock<T>>>,
}

/// The right to write the value of a [`RwLock`] in an [`Arc`], given back when
/// this is dropped.
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct OwnedRwLockWriteGuard<T: ?Sized> {
    right: Exclusive<Arc<RwLock<T>>>,
}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    #[inline]
    pub(super) fn new(right: Shared<&'a RwLock<T>>) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard { right }
    }

    /// The lock it is of.
    #[must_use]
    pub fn rwlock(guard: &RwLockReadGuard<'a, T>) -> &'a RwLock<T> {
        guard.right.holder()
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    #[inline]
    pub(super) fn new(right: Exclusive<&'a RwLock<T>>) -> RwLockWriteGuard<'a, T> {
        RwLockWriteGuard { right }
    }

    /// The lock it is of.
    #[must_use]
    pub fn rwlock(guard: &RwLockWriteGuard<'a, T>) -> &'a RwLock<T> {
        guard.right.holder()
    }

    /// Goes on reading, with others, and no writer comes in between.
    ///
    /// Readers at the front of the queue get in; those behind a writer wait.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::RwLockWriteGuard;
    ///
    /// let lock = wakeline_sync::RwLock::new(1);
    /// let mut writes = lock.try_write()?;
    /// *writes = 2;
    /// let reads = RwLockWriteGuard::downgrade(writes);
    /// assert_eq!((*reads, *lock.try_read()?), (2, 2));
    /// # Ok::<(), wakeline_sync::TryLockError>(())
    /// ```
    pub fn downgrade(guard: RwLockWriteGuard<'a, T>) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard::new(guard.right.downgrade())
    }
}

impl<T: ?Sized> OwnedRwLockReadGuard<T> {
    #[inline]
    pub(super) fn new(right: Shared<Arc<RwLock<T>>>) -> OwnedRwLockReadGuard<T> {
        OwnedRwLockReadGuard { right }
    }

    /// The lock it is of.
    #[must_use]
    pub fn rwlock(guard: &OwnedRwLockReadGuard<T>) -> &Arc<RwLock<T>> {
        guard.right.holder()
    }
}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    #[inline]
    pub(super) fn new(right: Exclusive<Arc<RwLock<T>>>) -> OwnedRwLockWriteGuard<T> {
        OwnedRwLockWriteGuard { right }
    }

    /// The lock it is of.
    #[must_use]
    pub fn rwlock(guard: &OwnedRwLockWriteGuard<T>) -> &Arc<RwLock<T>> {
        guard.right.holder()
    }

    /// Goes on reading, with others, and no writer comes in between.
    ///
    /// Readers at the front of the queue get in; those behind a writer wait.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::OwnedRwLockWriteGuard;
    ///
    /// let lock = std::sync::Arc::new(wakeline_sync::RwLock::new(1));
    /// let mut writes = lock.try_write_owned()?;
    /// *writes = 2;
    /// let reads = OwnedRwLockWriteGuard::downgrade(writes);
    /// assert_eq!((*reads, *lock.try_read()?), (2, 2));
    /// # Ok::<(), wakeline_sync::TryLockError>(())
    /// ```
    pub fn downgrade(guard: OwnedRwLockWriteGuard<T>) -> OwnedRwLockReadGuard<T> {
        OwnedRwLockReadGuard::new(guard.right.downgrade())
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.right.get()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.right.get()
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.right.get_mut()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<T: ?Sized> Deref for OwnedRwLockReadGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.right.get()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedRwLockReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<T: ?Sized> Deref for OwnedRwLockWriteGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.right.get()
    }
}

impl<T: ?Sized> DerefMut for OwnedRwLockWriteGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.right.get_mut()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
