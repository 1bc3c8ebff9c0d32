//! The futures that wait for a change.
//!
//! A grant means "look again", so they loop: look, and if there is nothing new,
//! wait. A grant that is never seen takes nothing from anybody: all had one.

use super::receiver::Ref;
use super::{Look, RecvError, Shared, Version};
use crate::wait_list::Ticket;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, budget, waiting_on};

/// A receiver that waits for a version other than the one it has seen.
struct Waiter<'a, T> {
    shared: &'a Shared<T>,
    ticket: Option<Ticket>,
    location: &'static Location<'static>,
}

impl<T> Waiter<'_, T> {
    fn poll(&mut self, seen: Version, cx: &Context<'_>) -> Poll<Result<(), RecvError>> {
        let list = &self.shared.changes;
        loop {
            let Look { version, closed } = self.shared.look();
            if version != seen || closed {
                self.leave();
                // The value first: the end is for those who have seen it.
                let new = version != seen;
                return Poll::Ready(if new { Ok(()) } else { Err(RecvError(())) });
            }
            if self.ticket.is_some_and(|ticket| list.is_granted(ticket)) {
                self.ticket = None;
            }
            let waker = cx.waker().clone(); // foreign code: before the lock
            let mut locked = list.lock();
            match self.ticket {
                Some(ticket) => {
                    if locked.update(ticket, waker) {
                        return Poll::Pending;
                    }
                    self.ticket = None; // granted just now: look again
                }
                None => {
                    // Again, now that nobody grants: a change between the look
                    // above and the lock has found no one to wake.
                    let Look { version, closed } = self.shared.look();
                    if version == seen && !closed {
                        self.ticket = Some(locked.push(waker, ()));
                        return Poll::Pending;
                    }
                    drop(locked); // before the waker
                }
            }
        }
    }

    fn leave(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let _ = self.shared.changes.lock().cancel(ticket);
        }
    }

    fn waits(&self) {
        waiting_on(Kind::Channel, self.shared.id(), self.location);
    }
}

impl<T> Drop for Waiter<'_, T> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The future of [`Receiver::changed`](super::Receiver::changed).
#[must_use = "a change is only waited for when this is awaited"]
pub struct Changed<'a, T> {
    waiter: Waiter<'a, T>,
    seen: &'a mut Version,
}

impl<'a, T> Changed<'a, T> {
    pub(super) fn new(
        shared: &'a Shared<T>,
        seen: &'a mut Version,
        location: &'static Location<'static>,
    ) -> Changed<'a, T> {
        Changed {
            waiter: Waiter {
                shared,
                ticket: None,
                location,
            },
            seen,
        }
    }
}

impl<T> Future for Changed<'_, T> {
    type Output = Result<(), RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let unit = ready!(budget::poll_proceed(cx));
        let outcome = this.waiter.poll(*this.seen, cx);
        if outcome.is_pending() {
            unit.refund();
            this.waiter.waits();
        } else {
            unit.spend();
            *this.seen = this.waiter.shared.look().version;
        }
        outcome
    }
}

/// The future of [`Receiver::wait_for`](super::Receiver::wait_for).
#[must_use = "the value is only waited for when this is awaited"]
pub struct WaitFor<'a, T, F> {
    waiter: Waiter<'a, T>,
    seen: &'a mut Version,
    predicate: F,
    /// Whether the predicate was asked about the value that was seen.
    asked: bool,
}

// Nothing in it is ever pinned: the predicate is only called.
impl<T, F> Unpin for WaitFor<'_, T, F> {}

impl<'a, T, F> WaitFor<'a, T, F> {
    pub(super) fn new(
        shared: &'a Shared<T>,
        seen: &'a mut Version,
        predicate: F,
        location: &'static Location<'static>,
    ) -> WaitFor<'a, T, F> {
        WaitFor {
            waiter: Waiter {
                shared,
                ticket: None,
                location,
            },
            seen,
            predicate,
            asked: false,
        }
    }
}

impl<'a, T, F> WaitFor<'a, T, F>
where
    F: FnMut(&T) -> bool,
{
    /// The value, if the predicate holds for it; it counts as seen anyhow.
    fn ask(&mut self) -> Option<Ref<'a, T>> {
        let shared = self.waiter.shared;
        let value = shared.value.read();
        let version = shared.look().version;
        let changed = version != *self.seen;
        *self.seen = version;
        self.asked = true;
        (self.predicate)(&value).then(|| Ref::new(value, changed))
    }
}

impl<'a, T, F> Future for WaitFor<'a, T, F>
where
    F: FnMut(&T) -> bool,
{
    type Output = Result<Ref<'a, T>, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            // For each value: one that changes as fast as it is asked about is no
            // reason to keep the thread.
            let unit = ready!(budget::poll_proceed(cx));
            if this.asked {
                match this.waiter.poll(*this.seen, cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => {
                        unit.spend();
                        return Poll::Ready(Err(error));
                    }
                    Poll::Pending => {
                        unit.refund();
                        this.waiter.waits();
                        return Poll::Pending;
                    }
                }
            }
            let found = this.ask();
            unit.spend();
            if let Some(value) = found {
                return Poll::Ready(Ok(value));
            }
        }
    }
}

impl<T> fmt::Debug for Changed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed").finish_non_exhaustive()
    }
}

impl<T, F> fmt::Debug for WaitFor<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFor").finish_non_exhaustive()
    }
}
