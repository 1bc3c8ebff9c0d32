//! An event: set or not, and whoever waits goes on when it is set.
//!
//! ```text
//!   clear ──1──▶ set         1 `set`    grants everyone who waits at that moment
//!     ▲           │
//!     └─────2─────┘          2 `clear`  those who come from now on wait
//! ```
//!
//! Waiters have tickets (`wait_list.rs`), and a grant cannot be taken back: set
//! and clear in one breath still lets everyone go who waited at the set.

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::wait_list::{Ticket, WaitList};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, budget, waiting_on};

/// Something that has happened or not; any number of tasks can wait for it.
///
/// # Example
///
/// ```
/// use std::pin::pin;
/// use std::task::{Context, Waker};
/// use wakeline_sync::Event;
///
/// let mut cx = Context::from_waker(Waker::noop());
/// let ready = Event::new();
/// let mut waiting = pin!(ready.wait());
/// assert!(waiting.as_mut().poll(&mut cx).is_pending());
/// ready.set();
/// ready.clear();
/// assert!(waiting.poll(&mut cx).is_ready()); // it waited when the event was set
/// assert!(!ready.is_set());
/// ```
pub struct Event {
    /// Changes under the list's lock only.
    set: AtomicBool,
    list: WaitList<(), ()>,
}

impl Event {
    /// An event that is not set.
    #[must_use]
    pub fn new() -> Event {
        Event {
            set: AtomicBool::new(false),
            list: WaitList::new(()),
        }
    }

    /// Sets the event and wakes everyone who waits; if it is set, does nothing.
    ///
    /// What was done before is visible to those who go on.
    pub fn set(&self) {
        let mut locked = self.list.lock();
        // Release pairs with the Acquire in `is_set`.
        self.set.store(true, Ordering::Release);
        locked.grant_all();
    }

    /// Makes those who come from now on wait.
    pub fn clear(&self) {
        let _locked = self.list.lock();
        // Relaxed: nothing is handed over by an event that is not set.
        self.set.store(false, Ordering::Relaxed);
    }

    /// Whether the event is set.
    #[must_use]
    #[inline]
    pub fn is_set(&self) -> bool {
        // Acquire pairs with the Release in `set`.
        self.set.load(Ordering::Acquire)
    }

    /// Waits until the event is set; ready at once if it is.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::Event;
    ///
    /// async fn after(started: &Event) {
    ///     started.wait().await;
    /// }
    /// # let _ = after;
    /// ```
    #[track_caller]
    pub fn wait(&self) -> Wait<'_> {
        Wait {
            event: self,
            state: State::New,
            location: Location::caller(),
        }
    }
}

impl Default for Event {
    fn default() -> Event {
        Event::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("set", &self.is_set())
            .finish_non_exhaustive()
    }
}

/// The future of [`Event::wait`].
#[derive(Debug)]
#[must_use = "an event is only waited for when this is awaited"]
pub struct Wait<'a> {
    event: &'a Event,
    state: State,
    location: &'static Location<'static>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    New,
    Queued(Ticket),
    Done,
}

impl Wait<'_> {
    /// The ticket under which it waits now, or none if the event is set.
    fn enqueue(&self, cx: &mut Context<'_>) -> Option<Ticket> {
        if self.event.is_set() {
            return None;
        }
        let waker = cx.waker().clone(); // foreign code: before the lock
        let mut locked = self.event.list.lock();
        // Again, now that nobody can set it: a set between the look above and
        // the lock has found no waiter to wake.
        if self.event.is_set() {
            drop(locked);
            return None;
        }
        Some(locked.push(waker, ()))
    }

    fn is_over(&self, ticket: Ticket, cx: &mut Context<'_>) -> bool {
        let list = &self.event.list;
        list.is_granted(ticket) || list.keep_waiting(ticket, cx.waker()).is_some()
    }
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let unit = ready!(budget::poll_proceed(cx));
        let state = match self.state {
            State::New => self.enqueue(cx).map_or(State::Done, State::Queued),
            State::Queued(ticket) if self.is_over(ticket, cx) => State::Done,
            other => other,
        };
        self.state = state;
        if let State::Queued(_) = state {
            unit.refund();
            waiting_on(
                Kind::Lock,
                std::ptr::from_ref(self.event).addr() as u64,
                self.location,
            );
            return Poll::Pending;
        }
        unit.spend();
        Poll::Ready(())
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let State::Queued(ticket) = self.state {
            // A grant that was not seen is nobody else's: all had one.
            let _ = self.event.list.lock().cancel(ticket);
        }
    }
}

#[cfg(test)]
mod tests;
