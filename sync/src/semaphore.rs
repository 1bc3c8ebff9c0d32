//! A semaphore: at most so many at a time, in the order of arrival.
//!
//! The permits that are available, whether anybody waits and whether it is closed
//! are one word, so without a queue a permit costs one exchange to take and one to
//! give: `word.rs` draws it. `wait_list.rs` tells what happens between the grant
//! and the poll, `acquire.rs` how a wait ends, `issue.rs` how permits come and go.

mod acquire;
mod issue;
mod permit;
mod word;

pub(crate) use acquire::Request;
pub use acquire::{Acquire, AcquireOwned};
pub use permit::{OwnedPermit, Permit};

use crate::error::TryAcquireError;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::wait_list::WaitList;
use std::fmt;
use std::mem;
use std::panic::Location;
use std::sync::Arc;
use word::{CLOSED, Line, SHIFT};

/// A number of permits, and a queue of those who wait for some.
///
/// Permits are granted in the order of arrival. From the moment a permit is
/// released it belongs to the front of the queue, also before that task runs:
/// [`try_acquire`](Semaphore::try_acquire) fails meanwhile.
///
/// # Example
///
/// ```
/// use wakeline_sync::Semaphore;
///
/// let two = Semaphore::new(2);
/// let first = two.try_acquire()?;
/// let second = two.try_acquire()?;
/// assert!(two.try_acquire().is_err());
/// drop(first);
/// assert_eq!(two.available(), 1);
/// # drop(second);
/// # Ok::<(), wakeline_sync::TryAcquireError>(())
/// ```
pub struct Semaphore {
    word: AtomicUsize,
    /// Permits there are in all, wherever they are; at most `bound`.
    issued: AtomicUsize,
    bound: usize,
    /// Each with what it misses: all it asked for, but for the front.
    list: WaitList<Line, usize>,
}

impl Semaphore {
    /// The most permits there can be.
    pub const MAX_PERMITS: usize = usize::MAX >> (SHIFT + 1);

    /// A semaphore with `permits` available; zero is legal.
    ///
    /// # Panics
    ///
    /// If `permits` is above [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    #[must_use]
    #[track_caller]
    pub fn new(permits: usize) -> Semaphore {
        Semaphore::with_bound(permits, Semaphore::MAX_PERMITS)
    }

    /// A semaphore with `permits` available that never has more than that.
    ///
    /// A permit gives back what was taken, once, so it cannot release too much;
    /// but [`add_permits`](Semaphore::add_permits) can, and is refused here unless
    /// as many were [forgotten](Permit::forget) before.
    ///
    /// # Panics
    ///
    /// If `permits` is above [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::Semaphore;
    ///
    /// let slots = Semaphore::bounded(2);
    /// let slot = slots.try_acquire()?;
    /// assert!(slots.try_add_permits(1).is_err()); // two are out there
    /// slot.forget(); // the slot is broken, and
    /// assert!(slots.try_add_permits(1).is_ok()); // repaired
    /// # Ok::<(), wakeline_sync::TryAcquireError>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn bounded(permits: usize) -> Semaphore {
        Semaphore::with_bound(permits, permits)
    }

    #[track_caller]
    fn with_bound(permits: usize, bound: usize) -> Semaphore {
        check(permits);
        Semaphore {
            word: AtomicUsize::new(permits << SHIFT),
            issued: AtomicUsize::new(permits),
            bound,
            list: WaitList::new(Line::default()),
        }
    }

    /// How many permits could be acquired now.
    #[must_use]
    pub fn available(&self) -> usize {
        // Relaxed: the answer may be out of date at once anyway.
        self.word.load(Ordering::Relaxed) >> SHIFT
    }

    /// Waits for a permit.
    ///
    /// # Errors
    ///
    /// The output is `Err(Closed)` if the semaphore is or gets
    /// [closed](Semaphore::close).
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives its place in the queue up. A permit that was
    /// granted to it and not seen yet goes to the next in the queue.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::{Closed, Semaphore};
    ///
    /// async fn one_at_a_time(semaphore: &Semaphore) -> Result<(), Closed> {
    ///     let _permit = semaphore.acquire().await?;
    ///     // ...
    ///     Ok(())
    /// }
    /// # let _ = one_at_a_time;
    /// ```
    #[track_caller]
    pub fn acquire(&self) -> Acquire<'_> {
        Acquire::new(self, 1, Location::caller())
    }

    /// Waits for `permits` at once; zero is ready without waiting.
    ///
    /// At the front of the queue it collects permits as they are released, so
    /// smaller requests that came later wait.
    ///
    /// # Errors
    ///
    /// The output is `Err(Closed)` if the semaphore is or gets
    /// [closed](Semaphore::close).
    ///
    /// # Panics
    ///
    /// If `permits` is above [`MAX_PERMITS`](Semaphore::MAX_PERMITS), or above the
    /// bound of a [bounded](Semaphore::bounded) semaphore: it would wait for ever, and
    /// keep all behind it waiting.
    ///
    /// # Cancellation
    ///
    /// As for [`acquire`](Semaphore::acquire); what it had collected goes to the
    /// next in the queue.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Waker};
    /// use wakeline_sync::Semaphore;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let memory = Semaphore::new(100);
    /// let small = memory.try_acquire_many(30).expect("nothing is in use");
    /// let mut large = pin!(memory.acquire_many(80));
    /// assert!(large.as_mut().poll(&mut cx).is_pending()); // has 70, waits for 10
    /// drop(small);
    /// assert!(large.poll(&mut cx).is_ready());
    /// ```
    #[track_caller]
    pub fn acquire_many(&self, permits: usize) -> Acquire<'_> {
        self.check(permits);
        Acquire::new(self, permits, Location::caller())
    }

    /// [`acquire`](Semaphore::acquire), with a permit that keeps the semaphore
    /// alive and can be given to another task.
    ///
    /// # Errors
    ///
    /// The output is `Err(Closed)` if the semaphore is or gets
    /// [closed](Semaphore::close).
    ///
    /// # Cancellation
    ///
    /// As for [`acquire`](Semaphore::acquire).
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakeline_sync::{Closed, OwnedPermit, Semaphore};
    ///
    /// async fn admit(doors: Arc<Semaphore>) -> Result<OwnedPermit, Closed> {
    ///     doors.acquire_owned().await // the guest takes it along
    /// }
    /// # let _ = admit;
    /// ```
    #[track_caller]
    pub fn acquire_owned(self: &Arc<Semaphore>) -> AcquireOwned {
        AcquireOwned::new(Arc::clone(self), 1, Location::caller())
    }

    /// [`acquire_many`](Semaphore::acquire_many) with an owned permit.
    ///
    /// # Errors
    ///
    /// The output is `Err(Closed)` if the semaphore is or gets
    /// [closed](Semaphore::close).
    ///
    /// # Panics
    ///
    /// If `permits` is above [`MAX_PERMITS`](Semaphore::MAX_PERMITS), or above the
    /// bound of a [bounded](Semaphore::bounded) semaphore: it would wait for ever, and
    /// keep all behind it waiting.
    ///
    /// # Cancellation
    ///
    /// As for [`acquire_many`](Semaphore::acquire_many).
    #[track_caller]
    pub fn acquire_many_owned(self: &Arc<Semaphore>, permits: usize) -> AcquireOwned {
        self.check(permits);
        AcquireOwned::new(Arc::clone(self), permits, Location::caller())
    }

    /// Panics for a request that can never be granted.
    #[track_caller]
    fn check(&self, permits: usize) {
        check(permits);
        assert!(
            permits <= self.bound,
            "{permits} permits at once never come out of a semaphore bounded to {}: ask for fewer, or bound it to more",
            self.bound
        );
    }

    /// Takes a permit if there is one and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError`] tells whether there was none or the semaphore is closed.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::{Semaphore, TryAcquireError};
    ///
    /// let one = Semaphore::new(1);
    /// let permit = one.try_acquire()?;
    /// assert_eq!(one.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    /// # drop(permit);
    /// # Ok::<(), TryAcquireError>(())
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `permits` if there are so many and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError`] tells whether there were too few or the semaphore is closed.
    #[inline]
    pub fn try_acquire_many(&self, permits: usize) -> Result<Permit<'_>, TryAcquireError> {
        self.try_take(permits).map(|()| Permit::new(self, permits))
    }

    /// [`try_acquire`](Semaphore::try_acquire) with an owned permit.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError`] tells whether there was none or the semaphore is closed.
    pub fn try_acquire_owned(self: &Arc<Semaphore>) -> Result<OwnedPermit, TryAcquireError> {
        self.try_take(1)
            .map(|()| OwnedPermit::new(Arc::clone(self), 1))
    }

    /// [`try_acquire_many`](Semaphore::try_acquire_many) with an owned permit.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError`] tells whether there were too few or the semaphore is closed.
    pub fn try_acquire_many_owned(
        self: &Arc<Semaphore>,
        permits: usize,
    ) -> Result<OwnedPermit, TryAcquireError> {
        self.try_take(permits)
            .map(|()| OwnedPermit::new(Arc::clone(self), permits))
    }

    /// Fails everyone who waits or comes later with [`Closed`](crate::Closed).
    ///
    /// Permits that are held stay valid, and can be released.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::{Semaphore, TryAcquireError};
    ///
    /// let doors = Semaphore::new(2);
    /// let inside = doors.try_acquire()?;
    /// doors.close();
    /// assert_eq!(doors.try_acquire().unwrap_err(), TryAcquireError::Closed);
    /// drop(inside);
    /// assert_eq!(doors.available(), 2);
    /// # Ok::<(), TryAcquireError>(())
    /// ```
    pub fn close(&self) {
        let mut locked = self.list.lock();
        // Acquire and Release: as in `try_take` and `give`; fast paths may still
        // be changing the permits.
        self.word.fetch_or(CLOSED, Ordering::AcqRel);
        while locked.evict().is_some() {}
        let collected = mem::take(&mut locked.state().collected);
        self.distribute(&mut locked, collected);
    }

    /// Whether [`close`](Semaphore::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        // Acquire: who sees the semaphore closed sees what was done before.
        self.word.load(Ordering::Acquire) & CLOSED != 0
    }
}

#[track_caller]
fn check(permits: usize) {
    assert!(
        permits <= Semaphore::MAX_PERMITS,
        "{permits} permits are more than a semaphore can count: at most {}",
        Semaphore::MAX_PERMITS
    );
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
