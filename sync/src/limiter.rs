//! At most so many at a time, where "so many" may change while they are at it.
//!
//! ```text
//!   borrowed < total     `acquire` is ready at once; nobody waits
//!   borrowed = total     `acquire` waits in the queue; a release goes to the front
//!   borrowed > total     `set_total` made it smaller: releases go to nobody until
//!                        it is below again
//! ```
//!
//! A semaphore counts what is left; this counts what is out, and that is what a
//! limit can be lowered against. Both numbers change together, under the list's
//! lock, so a permit here costs the lock twice, and a semaphore's only two
//! exchanges: prefer that if the number is fixed.
//!
//! A task may hold several permits. trio refuses a second one to the same task,
//! because a task that waits for itself waits for ever; here one task may run
//! many futures side by side (`join!`, a scope), each with a right to its own.

mod acquire;

pub use acquire::{LimiterAcquire, LimiterAcquireOwned, LimiterPermit, OwnedLimiterPermit};

use crate::error::TryLockError;
use crate::wait_list::{Locked, WaitList};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// A limit on how many do something at once, which can be changed meanwhile.
///
/// Permits are granted in the order of arrival. A larger limit lets those in who
/// wait; a smaller one takes nothing away: those who are in stay, and nobody
/// gets in until there are fewer.
///
/// # Example
///
/// ```
/// use wakeline_sync::Limiter;
///
/// let uploads = Limiter::new(2);
/// let (one, two) = (uploads.try_acquire()?, uploads.try_acquire()?);
/// uploads.set_total(1); // the line got worse
/// assert_eq!((uploads.borrowed(), uploads.available()), (2, 0));
/// drop(one);
/// assert!(uploads.try_acquire().is_err());
/// drop(two);
/// assert!(uploads.try_acquire().is_ok());
/// # Ok::<(), wakeline_sync::TryLockError>(())
/// ```
pub struct Limiter {
    list: WaitList<Counts, ()>,
}

/// If anybody waits, `borrowed` is not below `total`.
#[derive(Debug)]
struct Counts {
    total: usize,
    borrowed: usize,
}

impl Limiter {
    /// A limiter for `total` at a time; zero lets nobody in, `usize::MAX` is no
    /// limit.
    #[must_use]
    pub fn new(total: usize) -> Limiter {
        Limiter {
            list: WaitList::new(Counts { total, borrowed: 0 }),
        }
    }

    /// How many permits there are in all.
    #[must_use]
    pub fn total(&self) -> usize {
        self.list.lock().state().total
    }

    /// How many permits are held now, or granted; above
    /// [`total`](Limiter::total) if that was lowered meanwhile.
    #[must_use]
    pub fn borrowed(&self) -> usize {
        self.list.lock().state().borrowed
    }

    /// How many permits could be had now.
    #[must_use]
    pub fn available(&self) -> usize {
        let mut locked = self.list.lock();
        let counts = locked.state();
        counts.total.saturating_sub(counts.borrowed)
    }

    /// Sets how many permits there are in all, whatever is held now.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::Limiter;
    ///
    /// let limiter = Limiter::new(0);
    /// assert!(limiter.try_acquire().is_err());
    /// limiter.set_total(1);
    /// assert!(limiter.try_acquire().is_ok());
    /// ```
    pub fn set_total(&self, total: usize) {
        let mut locked = self.list.lock();
        locked.state().total = total;
        let_in(&mut locked);
    }

    /// Waits for a permit.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives its place in the queue up; a permit that was
    /// granted to it and not seen yet goes to the next.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::Limiter;
    ///
    /// async fn upload(limiter: &Limiter) {
    ///     let _permit = limiter.acquire().await;
    ///     // ...
    /// }
    /// # let _ = upload;
    /// ```
    #[track_caller]
    pub fn acquire(&self) -> LimiterAcquire<'_> {
        LimiterAcquire::new(self, Location::caller())
    }

    /// [`acquire`](Limiter::acquire), with a permit that keeps the limiter alive
    /// and can be given to another task.
    ///
    /// # Cancellation
    ///
    /// As for [`acquire`](Limiter::acquire).
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakeline_sync::{Limiter, OwnedLimiterPermit};
    ///
    /// async fn admit(limiter: Arc<Limiter>) -> OwnedLimiterPermit {
    ///     limiter.acquire_owned().await // the guest takes it along
    /// }
    /// # let _ = admit;
    /// ```
    #[track_caller]
    pub fn acquire_owned(self: &Arc<Limiter>) -> LimiterAcquireOwned {
        LimiterAcquireOwned::new(Arc::clone(self), Location::caller())
    }

    /// Takes a permit if there is one.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if there is none, or others wait.
    pub fn try_acquire(&self) -> Result<LimiterPermit<'_>, TryLockError> {
        if self.try_take() {
            Ok(LimiterPermit::new(self))
        } else {
            Err(TryLockError(()))
        }
    }

    /// [`try_acquire`](Limiter::try_acquire) with an owned permit.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if there is none, or others wait.
    pub fn try_acquire_owned(self: &Arc<Limiter>) -> Result<OwnedLimiterPermit, TryLockError> {
        if self.try_take() {
            Ok(OwnedLimiterPermit::new(Arc::clone(self)))
        } else {
            Err(TryLockError(()))
        }
    }

    fn try_take(&self) -> bool {
        self.list.lock().state().try_take()
    }

    fn give(&self) {
        let mut locked = self.list.lock();
        give(&mut locked);
    }
}

impl Counts {
    fn try_take(&mut self) -> bool {
        let takes = self.borrowed < self.total;
        self.borrowed += usize::from(takes);
        takes
    }
}

/// Takes one permit back, and lets in who waits for it.
fn give(locked: &mut Locked<'_, Counts, ()>) {
    locked.state().borrowed -= 1;
    let_in(locked);
}

fn let_in(locked: &mut Locked<'_, Counts, ()>) {
    while locked.front_mut().is_some() && locked.state().try_take() {
        locked.grant();
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, borrowed) = {
            let mut locked = self.list.lock();
            (locked.state().total, locked.state().borrowed)
        };
        f.debug_struct("Limiter")
            .field("total", &total)
            .field("borrowed", &borrowed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
