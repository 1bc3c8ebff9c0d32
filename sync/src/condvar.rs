//! Waiting for a condition on what a mutex guards.
//!
//! ```text
//!   New ──1──▶ Queued ──2──▶ Locking ──3──▶ Done
//!    │           │              │
//!    4           5              6           dropped
//! ```
//! 1 first poll        a place in the queue, and then the mutex is unlocked, so
//!                     that nobody can change the condition unheard
//! 2 `notify_*`        the front is granted; its next poll asks for the mutex
//! 3 poll              the mutex is locked again
//! 4 dropped           the guard is dropped: unlocked
//! 5 dropped           it leaves the queue; a notification that it got and did
//!                     not see goes to the next
//! 6 dropped           the notification was of no use to it: it goes to the next,
//!                     and the place in the mutex's queue is given up
//!
//! In 4, 5 and 6 the mutex is **unlocked** afterwards. In Python a cancelled wait
//! locks again before it goes on; here the guard was moved into the wait, and
//! there is nothing left that could go on with it.
//!
//! Only a notification of `notify_one` or `notify` is handed on: after
//! `notify_all` there is nobody who waited then and has none (`unseen.rs` keeps
//! them apart).

mod wait;

pub use wait::{CondvarWait, CondvarWaitWhile};

use crate::mutex::MutexGuard;
use crate::unseen::Unseen;
use crate::wait_list::{Locked, WaitList};
use std::fmt;
use std::panic::Location;

/// Lets tasks wait until what a [`Mutex`](crate::Mutex) guards has changed.
///
/// A wait unlocks the mutex and locks it again. A notification wakes the one who
/// has waited longest; if nobody waits it is not stored. Look at the condition in
/// a loop, or use [`wait_while`](Condvar::wait_while): between the notification
/// and the lock another task may have changed it.
///
/// # Example
///
/// ```
/// use wakeline_sync::{Condvar, Mutex};
///
/// struct Jobs {
///     waiting: Mutex<Vec<String>>,
///     arrived: Condvar,
/// }
///
/// impl Jobs {
///     async fn put(&self, job: String) {
///         self.waiting.lock().await.push(job);
///         self.arrived.notify_one();
///     }
///
///     async fn take(&self) -> Option<String> {
///         let guard = self.waiting.lock().await;
///         let mut jobs = self.arrived.wait_while(guard, |jobs| jobs.is_empty()).await;
///         jobs.pop()
///     }
/// }
/// # let _ = (Jobs::put, Jobs::take);
/// ```
pub struct Condvar {
    /// Who waits, and which notifications of `notify` were not seen yet.
    list: WaitList<Unseen, ()>,
}

impl Condvar {
    /// A condition that nobody waits for.
    #[must_use]
    pub fn new() -> Condvar {
        Condvar {
            list: WaitList::new(Unseen::default()),
        }
    }

    /// Unlocks the mutex, waits for a notification and locks it again.
    ///
    /// The unlocking is done by the first poll, and no notification after it is
    /// missed. All who wait for one condition should use one mutex.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the mutex **unlocked**, wherever it was. A
    /// notification of [`notify_one`](Condvar::notify_one) that it had got goes to
    /// the next that waits.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::{Condvar, Mutex};
    ///
    /// async fn until_open(open: &Mutex<bool>, changed: &Condvar) {
    ///     let mut guard = open.lock().await;
    ///     while !*guard {
    ///         guard = changed.wait(guard).await;
    ///     }
    /// }
    /// # let _ = until_open;
    /// ```
    #[track_caller]
    pub fn wait<'c, 'm, T: ?Sized>(&'c self, guard: MutexGuard<'m, T>) -> CondvarWait<'c, 'm, T> {
        CondvarWait::new(self, guard, Location::caller())
    }

    /// Waits while `condition` holds; ready at once if it does not.
    ///
    /// It is called with the mutex locked: at first and after each notification.
    ///
    /// # Panics
    ///
    /// If `condition` does; the mutex is unlocked then.
    ///
    /// # Cancellation
    ///
    /// As for [`wait`](Condvar::wait).
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::{Condvar, Mutex};
    ///
    /// async fn drained(in_flight: &Mutex<usize>, changed: &Condvar) {
    ///     let guard = in_flight.lock().await;
    ///     let _none = changed.wait_while(guard, |count| *count > 0).await;
    /// }
    /// # let _ = drained;
    /// ```
    #[track_caller]
    pub fn wait_while<'c, 'm, T: ?Sized, F>(
        &'c self,
        guard: MutexGuard<'m, T>,
        condition: F,
    ) -> CondvarWaitWhile<'c, 'm, T, F>
    where
        F: FnMut(&mut T) -> bool,
    {
        CondvarWaitWhile::new(self, guard, condition, true, Location::caller())
    }

    /// Waits until `condition` holds; ready at once if it does.
    ///
    /// # Panics
    ///
    /// If `condition` does; the mutex is unlocked then.
    ///
    /// # Cancellation
    ///
    /// As for [`wait`](Condvar::wait).
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::{Condvar, Mutex};
    ///
    /// async fn until_open(open: &Mutex<bool>, changed: &Condvar) {
    ///     changed.wait_until(open.lock().await, |open| *open).await;
    /// }
    /// # let _ = until_open;
    /// ```
    #[track_caller]
    pub fn wait_until<'c, 'm, T: ?Sized, F>(
        &'c self,
        guard: MutexGuard<'m, T>,
        condition: F,
    ) -> CondvarWaitWhile<'c, 'm, T, F>
    where
        F: FnMut(&mut T) -> bool,
    {
        CondvarWaitWhile::new(self, guard, condition, false, Location::caller())
    }

    /// Wakes the one that has waited longest, if any does.
    ///
    /// It may be called with the mutex locked or not.
    pub fn notify_one(&self) {
        self.notify(1);
    }

    /// Wakes up to `count` of those that wait, the longest waiting first.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::{Condvar, Mutex};
    ///
    /// async fn add(tokens: &Mutex<usize>, more: &Condvar, count: usize) {
    ///     *tokens.lock().await += count;
    ///     more.notify(count);
    /// }
    /// # let _ = add;
    /// ```
    pub fn notify(&self, count: usize) {
        let mut locked = self.list.lock();
        for _ in 0..count {
            if !notify_front(&mut locked) {
                break;
            }
        }
    }

    /// Wakes all that wait now.
    pub fn notify_all(&self) {
        self.list.lock().grant_all();
    }
}

/// Grants the front what has to be handed on if it is not used; false if nobody
/// waits.
fn notify_front(locked: &mut Locked<'_, Unseen, ()>) -> bool {
    let granted = locked.grant();
    if let Some(ticket) = granted {
        locked.state().push(ticket);
    }
    granted.is_some()
}

impl Default for Condvar {
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
