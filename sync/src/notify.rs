//! Notifications: wake one that waits, or the next that comes, or all.
//!
//! ```text
//!                     nobody waits          somebody waits
//!   notify_one        stores a permit       grants the front
//!   notify_waiters    nothing               grants all
//!   first poll        takes a stored        waits behind the others
//!                     permit
//!   dropped, granted by `notify_one` and not polled since:
//!                     stores a permit       grants the front
//! ```
//!
//! Whether a grant has to be handed on depends on who gave it. A ticket says
//! only that there was one, so those that `notify_one` granted and that were not
//! seen yet are noted (`unseen.rs`).
//!
//! Futures made before a call of `notify_waiters` and not polled by then are
//! notified too: they compare the number of calls. So a task may make the
//! future, look at its condition, and then await, and misses nothing.

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::unseen::Unseen;
use crate::wait_list::{Cancelled, Locked, Ticket, WaitList};
use crate::wakes::discard;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use wakeline_context::{Kind, budget, waiting_on};

/// Wakes tasks, one or all; it carries no value.
///
/// # Example
///
/// ```
/// use std::pin::pin;
/// use std::task::{Context, Waker};
/// use wakeline_sync::Notify;
///
/// let mut cx = Context::from_waker(Waker::noop());
/// let notify = Notify::new();
/// notify.notify_one();
/// notify.notify_one(); // only one is stored
/// assert!(pin!(notify.notified()).poll(&mut cx).is_ready());
/// assert!(pin!(notify.notified()).poll(&mut cx).is_pending());
/// ```
pub struct Notify {
    /// How often `notify_waiters` was called; changes under the list's lock only.
    calls: AtomicU64,
    list: WaitList<Stored, ()>,
}

#[derive(Debug, Default)]
struct Stored {
    /// A `notify_one` that found nobody.
    permit: bool,
    /// Granted by `notify_one`.
    unseen: Unseen,
}

impl Notify {
    /// A `Notify` without a stored permit.
    #[must_use]
    pub fn new() -> Notify {
        Notify {
            calls: AtomicU64::new(0),
            list: WaitList::new(Stored::default()),
        }
    }

    /// Wakes the task that has waited longest, or stores a permit for the next
    /// one to come; at most one is stored.
    pub fn notify_one(&self) {
        notify_one(&mut self.list.lock());
    }

    /// Wakes all that wait; stores nothing.
    ///
    /// A [`Notified`] that exists counts as waiting also if it was not polled yet.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Waker};
    /// use wakeline_sync::Notify;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let notify = Notify::new();
    /// let made_before = pin!(notify.notified());
    /// notify.notify_waiters();
    /// assert!(made_before.poll(&mut cx).is_ready());
    /// assert!(pin!(notify.notified()).poll(&mut cx).is_pending());
    /// ```
    pub fn notify_waiters(&self) {
        let mut locked = self.list.lock();
        // Release pairs with the Acquire in `Notified::was_called`.
        self.calls.fetch_add(1, Ordering::Release);
        locked.grant_all();
    }

    /// Waits for a notification.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives its place up. A notification of
    /// [`notify_one`](Notify::notify_one) that it got and did not see goes to the
    /// next that waits, or is stored.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use wakeline_sync::Notify;
    ///
    /// // The other side: sets `done`, then calls `notify_waiters`.
    /// async fn until(done: &AtomicBool, changed: &Notify) {
    ///     loop {
    ///         let notified = changed.notified(); // first this, then the look
    ///         if done.load(Ordering::Acquire) {
    ///             return;
    ///         }
    ///         notified.await;
    ///     }
    /// }
    /// # let _ = until;
    /// ```
    #[track_caller]
    pub fn notified(&self) -> Notified<'_> {
        // Acquire: as in `was_called`.
        let calls = self.calls.load(Ordering::Acquire);
        Notified {
            notify: self,
            calls,
            state: State::New,
            location: Location::caller(),
        }
    }
}

fn notify_one(locked: &mut Locked<'_, Stored, ()>) {
    match locked.grant() {
        Some(ticket) => locked.state().unseen.push(ticket),
        None => locked.state().permit = true,
    }
}

impl Default for Notify {
    fn default() -> Notify {
        Notify::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notify").finish_non_exhaustive()
    }
}

/// The future of [`Notify::notified`].
#[derive(Debug)]
#[must_use = "a notification is only waited for when this is awaited"]
pub struct Notified<'a> {
    notify: &'a Notify,
    /// Calls of `notify_waiters` when this was made.
    calls: u64,
    state: State,
    location: &'static Location<'static>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    New,
    Queued(Ticket),
    Done,
}

impl Notified<'_> {
    /// Takes its place among those who wait, before the first poll; true if it
    /// is notified already. Otherwise [`Notify::notify_one`] may from now on
    /// choose it, and the next poll is what sets the task to wake.
    pub fn enable(&mut self) -> bool {
        if matches!(self.state, State::New) {
            self.state = self.enqueue(Waker::noop().clone());
        }
        match self.state {
            State::Queued(ticket) => self.notify.list.is_granted(ticket),
            State::New | State::Done => true,
        }
    }

    fn was_called(&self) -> bool {
        // Acquire pairs with the Release in `notify_waiters`.
        self.notify.calls.load(Ordering::Acquire) != self.calls
    }

    fn enqueue(&self, waker: Waker) -> State {
        let mut locked = self.notify.list.lock();
        if self.was_called() || std::mem::take(&mut locked.state().permit) {
            drop(locked); // before the waker
            discard(waker);
            return State::Done;
        }
        State::Queued(locked.push(waker, ()))
    }

    fn poll_queued(&self, ticket: Ticket, cx: &mut Context<'_>) -> State {
        let Some(mut locked) = self.notify.list.keep_waiting(ticket, cx.waker()) else {
            return State::Queued(ticket);
        };
        locked.state().unseen.take(ticket);
        locked.leave();
        State::Done
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let unit = ready!(budget::poll_proceed(cx));
        self.state = match self.state {
            State::New => self.enqueue(cx.waker().clone()),
            State::Queued(ticket) => self.poll_queued(ticket, cx),
            State::Done => State::Done,
        };
        if let State::Queued(_) = self.state {
            unit.refund();
            waiting_on(
                Kind::Lock,
                std::ptr::from_ref(self.notify).addr() as u64,
                self.location,
            );
            return Poll::Pending;
        }
        unit.spend();
        Poll::Ready(())
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        let State::Queued(ticket) = self.state else {
            return;
        };
        let mut locked = self.notify.list.lock();
        if let Cancelled::Granted = locked.cancel(ticket)
            && locked.state().unseen.take(ticket)
        {
            notify_one(&mut locked);
        }
    }
}

#[cfg(test)]
mod tests;
