//! A lock for many readers or one writer: first come, first served.
//!
//! ```text
//!   free ──1──▶ read by some ◀──3── written by one ◀──2── free
//!                 │      ▲
//!                 4      5      a writer waits at the front of the queue:
//!                 ▼      │      later readers wait behind it
//!              closed to readers ──6──▶ written by one
//! ```
//! 1 `read`       a reader takes one permit of `ALL`
//! 2 `write`      a writer takes all
//! 3 `downgrade`  it keeps one and gives the rest: to the readers at the front
//! 4 `write`      it takes the permits that are left and collects those given back
//! 5 dropped      it gave up: what it had collected goes to the readers behind it
//! 6 the last reader before it is gone
//!
//! All of this is what the semaphore does with one large request among small
//! ones (`semaphore.rs`). So writers do not starve, since nobody overtakes them,
//! nor do readers: those who wait between two writers go on together.
//!
//! A task that reads and asks to read again, with a writer in between, waits for
//! the writer, which waits for it: for ever. As for any fair lock, ask once.

mod guard;
mod lock;

pub use guard::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLockReadGuard, RwLockWriteGuard};
pub use lock::{RwLockRead, RwLockReadOwned, RwLockWrite, RwLockWriteOwned};

use crate::cell::{Exclusive, Guarded, ManyReaders, Right, Shared};
use crate::error::TryLockError;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// A value that many tasks may read at once, or one may write.
///
/// Whoever waits is served in the order of arrival: a writer in the queue holds
/// up the readers that came after it, until it is done or gives up. Guards may be
/// held across an `.await` and be sent to another thread. There is no poisoning.
///
/// At most 2^29 - 1 readers get in at once; more would wait.
///
/// # Example
///
/// ```
/// use wakeline_sync::{RwLock, TryLockError};
///
/// let routes = RwLock::new(vec!["/"]);
/// let (one, two) = (routes.try_read()?, routes.try_read()?);
/// assert_eq!(one.len() + two.len(), 2);
/// assert!(routes.try_write().is_err());
/// drop((one, two));
/// routes.try_write()?.push("/health");
/// assert_eq!(*routes.try_read()?, ["/", "/health"]);
/// # Ok::<(), TryLockError>(())
/// ```
pub struct RwLock<T: ?Sized> {
    value: Guarded<T, ManyReaders>,
}

impl<T> RwLock<T> {
    /// A lock that nobody holds.
    #[must_use]
    pub fn new(value: T) -> RwLock<T> {
        RwLock {
            value: Guarded::new(value),
        }
    }

    /// The value, without the lock.
    ///
    /// # Example
    ///
    /// ```
    /// let lock = wakeline_sync::RwLock::new("value");
    /// assert_eq!(lock.into_inner(), "value");
    /// ```
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits to read.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives its place in the queue up; the right to read, if
    /// it was granted and not seen yet, goes to the next in the queue.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::RwLock;
    ///
    /// async fn limit(limits: &RwLock<Vec<u32>>, of: usize) -> Option<u32> {
    ///     limits.read().await.get(of).copied()
    /// }
    /// # let _ = limit;
    /// ```
    #[inline]
    #[track_caller]
    pub fn read(&self) -> RwLockRead<'_, T> {
        RwLockRead::new(self, Location::caller())
    }

    /// Waits to write.
    ///
    /// From its first poll on, readers that come later wait.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives its place in the queue up, and lets the readers
    /// behind it in; the right to write, if it was granted and not seen yet, goes
    /// to the next in the queue.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::RwLock;
    ///
    /// async fn reload(limits: &RwLock<Vec<u32>>, new: Vec<u32>) {
    ///     *limits.write().await = new;
    /// }
    /// # let _ = reload;
    /// ```
    #[inline]
    #[track_caller]
    pub fn write(&self) -> RwLockWrite<'_, T> {
        RwLockWrite::new(self, Location::caller())
    }

    /// [`read`](RwLock::read), with a guard that keeps the lock alive.
    ///
    /// # Cancellation
    ///
    /// As for [`read`](RwLock::read).
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakeline_sync::{OwnedRwLockReadGuard, RwLock};
    ///
    /// async fn snapshot(of: Arc<RwLock<String>>) -> OwnedRwLockReadGuard<String> {
    ///     of.read_owned().await
    /// }
    /// # let _ = snapshot;
    /// ```
    #[track_caller]
    pub fn read_owned(self: &Arc<RwLock<T>>) -> RwLockReadOwned<T> {
        RwLockReadOwned::new(Arc::clone(self), Location::caller())
    }

    /// [`write`](RwLock::write), with a guard that keeps the lock alive.
    ///
    /// # Cancellation
    ///
    /// As for [`write`](RwLock::write).
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakeline_sync::{OwnedRwLockWriteGuard, RwLock};
    ///
    /// async fn stop_readers(of: Arc<RwLock<String>>) -> OwnedRwLockWriteGuard<String> {
    ///     of.write_owned().await // until whoever gets it is done
    /// }
    /// # let _ = stop_readers;
    /// ```
    #[track_caller]
    pub fn write_owned(self: &Arc<RwLock<T>>) -> RwLockWriteOwned<T> {
        RwLockWriteOwned::new(Arc::clone(self), Location::caller())
    }

    /// Reads if nobody writes and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if that is not so.
    ///
    /// # Example
    ///
    /// ```
    /// let lock = wakeline_sync::RwLock::new(7);
    /// let writes = lock.try_write()?;
    /// assert!(lock.try_read().is_err());
    /// # drop(writes);
    /// # Ok::<(), wakeline_sync::TryLockError>(())
    /// ```
    #[inline]
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        match Shared::try_take(self) {
            Ok(right) => Ok(RwLockReadGuard::new(right)),
            Err(_) => Err(TryLockError(())),
        }
    }

    /// Writes if nobody reads, writes or waits.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if that is not so.
    ///
    /// # Example
    ///
    /// ```
    /// let lock = wakeline_sync::RwLock::new(7);
    /// let reads = lock.try_read()?;
    /// assert!(lock.try_write().is_err());
    /// # drop(reads);
    /// # Ok::<(), wakeline_sync::TryLockError>(())
    /// ```
    #[inline]
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        match Exclusive::try_take(self) {
            Ok(right) => Ok(RwLockWriteGuard::new(right)),
            Err(_) => Err(TryLockError(())),
        }
    }

    /// [`try_read`](RwLock::try_read) with an owned guard.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if somebody writes or waits.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(wakeline_sync::RwLock::new(7));
    /// assert_eq!(*lock.try_read_owned()?, 7);
    /// # Ok::<(), wakeline_sync::TryLockError>(())
    /// ```
    pub fn try_read_owned(self: &Arc<RwLock<T>>) -> Result<OwnedRwLockReadGuard<T>, TryLockError> {
        match Shared::try_take(Arc::clone(self)) {
            Ok(right) => Ok(OwnedRwLockReadGuard::new(right)),
            Err(_) => Err(TryLockError(())),
        }
    }

    /// [`try_write`](RwLock::try_write) with an owned guard.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if somebody reads, writes or waits.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(wakeline_sync::RwLock::new(7));
    /// *lock.try_write_owned()? += 1;
    /// assert_eq!(*lock.try_read_owned()?, 8);
    /// # Ok::<(), wakeline_sync::TryLockError>(())
    /// ```
    pub fn try_write_owned(
        self: &Arc<RwLock<T>>,
    ) -> Result<OwnedRwLockWriteGuard<T>, TryLockError> {
        match Exclusive::try_take(Arc::clone(self)) {
            Ok(right) => Ok(OwnedRwLockWriteGuard::new(right)),
            Err(_) => Err(TryLockError(())),
        }
    }

    /// The value; who has the only reference needs no lock.
    ///
    /// # Example
    ///
    /// ```
    /// let mut lock = wakeline_sync::RwLock::new(1);
    /// *lock.get_mut() += 1;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    #[must_use]
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[inline]
    pub(crate) fn guarded_value(&self) -> &Guarded<T, ManyReaders> {
        &self.value
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> RwLock<T> {
        RwLock::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RwLock");
        match self.try_read() {
            Ok(guard) => out.field("value", &&*guard),
            Err(_) => out.field("value", &format_args!("<locked>")),
        };
        out.finish()
    }
}

#[cfg(test)]
mod tests;
