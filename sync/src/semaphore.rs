//! A semaphore: at most so many at a time, in the order of arrival.
//!
//! # The word
//!
//! ```text
//!   [ available permits          | WAITERS | CLOSED ]
//!
//!   free ──1──▶ free        permits taken or given by one compare-and-swap
//!     │ ▲
//!     2 3
//!     ▼ │
//!   contended               permits = 0; only changed under the list's lock
//! ```
//! 1 `take`, `give`   nobody waits: the lock is not touched
//! 2 `enqueue`        too few: the waiter takes what there is and sets WAITERS
//! 3 `distribute`     the last waiter left the queue
//!
//! While WAITERS is set, `take` fails, also for one who would be content with
//! less than the front: whatever is given belongs to the front from that moment
//! on. So nobody barges in, and many small requests cannot starve a large one.
//! The front collects what comes in until it has all it asked for; if it is
//! dropped before, what it collected goes to the next.
//!
//! `wait_list.rs` tells what happens between the grant and the poll.

mod acquire;
mod permit;

pub(crate) use acquire::Request;
pub use acquire::{Acquire, AcquireOwned};
pub use permit::{OwnedPermit, Permit};

use crate::error::TryAcquireError;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::wait_list::{Locked, Ticket, WaitList};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;

const CLOSED: usize = 1;
const WAITERS: usize = 2;
const SHIFT: u32 = 2;

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
    list: WaitList<(), Wanted>,
}

/// What a queued waiter asked for.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    total: usize,
    /// Not collected yet; above 0 as long as it is queued.
    missing: usize,
}

/// How an attempt to get permits ended.
enum Taken {
    All,
    Closed,
    /// Somebody waits, or there are too few.
    TooFew,
    Queued(Ticket),
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
        check(permits);
        Semaphore {
            word: AtomicUsize::new(permits << SHIFT),
            list: WaitList::new(()),
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
    /// If `permits` is above [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
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
        check(permits);
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
    /// If `permits` is above [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    ///
    /// # Cancellation
    ///
    /// As for [`acquire_many`](Semaphore::acquire_many).
    #[track_caller]
    pub fn acquire_many_owned(self: &Arc<Semaphore>, permits: usize) -> AcquireOwned {
        check(permits);
        AcquireOwned::new(Arc::clone(self), permits, Location::caller())
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

    /// Adds `permits`, to those who wait first.
    ///
    /// # Panics
    ///
    /// If that makes more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::Semaphore;
    ///
    /// let gate = Semaphore::new(0);
    /// gate.add_permits(3);
    /// assert_eq!(gate.available(), 3);
    /// ```
    #[track_caller]
    pub fn add_permits(&self, permits: usize) {
        check(permits);
        assert!(
            self.available() <= Semaphore::MAX_PERMITS - permits,
            "{permits} more than {} is over MAX_PERMITS",
            self.available()
        );
        self.give(permits);
    }

    /// Takes up to `permits` of the available ones out for good; tells how many.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::Semaphore;
    ///
    /// let gate = Semaphore::new(3);
    /// assert_eq!(gate.forget_permits(5), 3);
    /// assert_eq!(gate.available(), 0);
    /// ```
    pub fn forget_permits(&self, permits: usize) -> usize {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let gone = permits.min(word >> SHIFT);
            // Relaxed: nothing is handed over.
            match self.word.compare_exchange_weak(
                word,
                word - (gone << SHIFT),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return gone,
                Err(now) => word = now,
            }
        }
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
        // Acquire and Release: as in `take` and `give`; fast paths may still
        // be changing the permits.
        self.word.fetch_or(CLOSED, Ordering::AcqRel);
        let mut collected = 0;
        while let Some(wanted) = locked.evict() {
            collected += wanted.total - wanted.missing;
        }
        self.distribute(&mut locked, collected);
    }

    /// Whether [`close`](Semaphore::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        // Acquire: who sees the semaphore closed sees what was done before.
        self.word.load(Ordering::Acquire) & CLOSED != 0
    }

    #[inline]
    pub(crate) fn try_take(&self, permits: usize) -> Result<(), TryAcquireError> {
        match self.take(permits) {
            Taken::All => Ok(()),
            Taken::Closed => Err(TryAcquireError::Closed),
            Taken::TooFew | Taken::Queued(_) => Err(TryAcquireError::NoPermits),
        }
    }

    /// Takes all of `permits`, or nothing.
    #[inline]
    fn take(&self, permits: usize) -> Taken {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & CLOSED != 0 {
                return Taken::Closed;
            }
            // With zero asked for nobody is deprived, so nobody comes first.
            if word >> SHIFT < permits || (word & WAITERS != 0 && permits != 0) {
                return Taken::TooFew;
            }
            // Acquire pairs with the Release in `give`: what the last holder did
            // is visible to this one.
            match self.word.compare_exchange_weak(
                word,
                word - (permits << SHIFT),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Taken::All,
                Err(now) => word = now,
            }
        }
    }

    /// Takes `permits`, or what there is and a place in the queue.
    fn take_or_enqueue(&self, permits: usize, waker: &Waker) -> Taken {
        match self.take(permits) {
            Taken::TooFew => {}
            taken => return taken,
        }
        let waker = waker.clone(); // foreign code: before the lock
        let mut locked = self.list.lock();
        let mut word = self.word.load(Ordering::Relaxed);
        let missing = loop {
            if word & CLOSED != 0 {
                drop(locked);
                return Taken::Closed;
            }
            if word & WAITERS != 0 {
                break permits; // there are none left to take, and all hands are off
            }
            let available = word >> SHIFT;
            let enough = available >= permits;
            let next = if enough {
                word - (permits << SHIFT)
            } else {
                WAITERS
            };
            // Acquire: as in `take`, for the permits collected here.
            match self
                .word
                .compare_exchange(word, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) if enough => {
                    drop(locked);
                    return Taken::All;
                }
                Ok(_) => break permits - available,
                Err(now) => word = now,
            }
        };
        Taken::Queued(locked.push(
            waker,
            Wanted {
                total: permits,
                missing,
            },
        ))
    }

    /// Gives permits back: to those who wait, else to all.
    #[inline]
    pub(crate) fn give(&self, permits: usize) {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & WAITERS == 0 {
            // Release: see `take`.
            match self.word.compare_exchange_weak(
                word,
                word + (permits << SHIFT),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
        self.distribute(&mut self.list.lock(), permits);
    }

    /// Gives permits to the front of the queue, and what is left to all.
    fn distribute(&self, locked: &mut Locked<'_, (), Wanted>, mut permits: usize) {
        while let Some(wanted) = locked.front_mut() {
            let part = permits.min(wanted.missing);
            wanted.missing -= part;
            permits -= part;
            if wanted.missing != 0 {
                return; // WAITERS stays, and there are no permits left
            }
            locked.grant();
        }
        // The queue is empty. WAITERS only changes under the lock, but if it is
        // clear already, the permits may be changed by others at any time.
        let waiters = self.word.load(Ordering::Relaxed) & WAITERS;
        // Release as in `give`. It is an exchange, so it also carries on what
        // earlier releases made visible.
        self.word
            .fetch_add((permits << SHIFT).wrapping_sub(waiters), Ordering::Release);
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
