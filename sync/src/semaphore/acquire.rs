//! The futures that wait for permits.
//!
//! ```text
//!   New ──1──▶ Queued ──2──▶ Done
//!    └────────────1────────────▲
//! ```
//! 1 the first poll takes the permits, finds the semaphore closed, or gets a ticket
//! 2 a later poll finds the ticket granted, or evicted because of `close`
//!
//! Dropped as New or Done it owns nothing; dropped as Queued it gives back what
//! it was granted or has collected.

use super::{OwnedPermit, Permit, Semaphore};
use crate::error::Closed;
use crate::wait_list::{Cancelled, Ticket};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use wakeline_context::budget::{self, Unit};
use wakeline_context::{Kind, waiting_on};

/// The future of [`Semaphore::acquire`] and [`Semaphore::acquire_many`].
#[derive(Debug)]
#[must_use = "a permit is only waited for when this is awaited"]
pub struct Acquire<'a> {
    semaphore: &'a Semaphore,
    request: Request,
}

/// The future of [`Semaphore::acquire_owned`] and [`Semaphore::acquire_many_owned`].
#[derive(Debug)]
#[must_use = "a permit is only waited for when this is awaited"]
pub struct AcquireOwned {
    semaphore: Arc<Semaphore>,
    request: Request,
}

impl<'a> Acquire<'a> {
    #[inline]
    pub(crate) fn new(
        semaphore: &'a Semaphore,
        permits: usize,
        location: &'static Location<'static>,
    ) -> Acquire<'a> {
        Acquire {
            semaphore,
            request: Request::new(permits, location),
        }
    }
}

impl AcquireOwned {
    pub(super) fn new(
        semaphore: Arc<Semaphore>,
        permits: usize,
        location: &'static Location<'static>,
    ) -> AcquireOwned {
        AcquireOwned {
            semaphore,
            request: Request::new(permits, location),
        }
    }
}

/// A wait for permits, of a semaphore that each call is told anew.
#[derive(Debug)]
pub(crate) struct Request {
    permits: usize,
    state: State,
    location: &'static Location<'static>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    New,
    Queued(Ticket),
    Done,
}

impl Request {
    #[inline]
    pub(crate) fn new(permits: usize, location: &'static Location<'static>) -> Request {
        Request {
            permits,
            state: State::New,
            location,
        }
    }

    /// Ready once, when the permits are the caller's.
    #[inline]
    pub(crate) fn poll(
        &mut self,
        semaphore: &Semaphore,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        let unit = ready!(budget::poll_proceed(cx));
        let at_once = match self.state {
            State::New => semaphore.try_take(self.permits).is_ok(),
            State::Queued(ticket) => semaphore.list.is_granted(ticket),
            State::Done => false,
        };
        if at_once {
            self.state = State::Done;
            unit.spend();
            return Poll::Ready(Ok(()));
        }
        self.poll_rest(semaphore, cx, unit)
    }

    /// What is left if the permits were not there.
    #[inline(never)]
    fn poll_rest(
        &mut self,
        semaphore: &Semaphore,
        cx: &mut Context<'_>,
        unit: Unit,
    ) -> Poll<Result<(), Closed>> {
        let outcome = match self.state {
            State::New => match semaphore.enqueue(self.permits, cx.waker()) {
                Ok(ticket) => {
                    self.state = State::Queued(ticket);
                    Poll::Pending
                }
                Err(ended) => Poll::Ready(ended),
            },
            State::Queued(ticket) => poll_queued(semaphore, ticket, cx),
            State::Done => panic!(
                "the acquire made at {} was polled after its end",
                self.location
            ),
        };
        if outcome.is_ready() {
            self.state = State::Done;
            unit.spend();
        } else {
            unit.refund();
            let id = std::ptr::from_ref(semaphore).addr() as u64;
            waiting_on(Kind::Lock, id, self.location);
        }
        outcome
    }

    /// The line that waits.
    pub(crate) fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// Ends the wait; what was granted and not seen is handed on.
    #[inline]
    pub(crate) fn give_up(&mut self, semaphore: &Semaphore) {
        if let State::Queued(ticket) = self.state {
            self.leave_queue(semaphore, ticket);
        }
    }

    #[cold]
    fn leave_queue(&mut self, semaphore: &Semaphore, ticket: Ticket) {
        self.state = State::Done;
        let mut locked = semaphore.list.lock();
        match locked.cancel(ticket) {
            Cancelled::Waiting(missing) => {
                let collected = self.permits - missing;
                if collected != 0 {
                    locked.state().collected = 0; // it was the front
                }
                semaphore.distribute(&mut locked, collected);
            }
            Cancelled::Granted => semaphore.distribute(&mut locked, self.permits),
            // `close` gave back what it had collected.
            Cancelled::Evicted => {}
        }
    }
}

/// It had no grant just now.
#[inline(never)]
fn poll_queued(
    semaphore: &Semaphore,
    ticket: Ticket,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Closed>> {
    if semaphore.list.keep_waiting(ticket, cx.waker()).is_none() {
        return Poll::Pending;
    }
    // It left the queue: by a grant just now, or because of `close`.
    if semaphore.list.is_granted(ticket) {
        Poll::Ready(Ok(()))
    } else {
        Poll::Ready(Err(Closed(())))
    }
}

impl<'a> Future for Acquire<'a> {
    type Output = Result<Permit<'a>, Closed>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        ready!(this.request.poll(this.semaphore, cx))?;
        Poll::Ready(Ok(Permit::new(this.semaphore, this.request.permits)))
    }
}

impl Drop for Acquire<'_> {
    #[inline]
    fn drop(&mut self) {
        self.request.give_up(self.semaphore);
    }
}

impl Future for AcquireOwned {
    type Output = Result<OwnedPermit, Closed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        ready!(this.request.poll(&this.semaphore, cx))?;
        Poll::Ready(Ok(OwnedPermit::new(
            Arc::clone(&this.semaphore),
            this.request.permits,
        )))
    }
}

impl Drop for AcquireOwned {
    fn drop(&mut self) {
        self.request.give_up(&self.semaphore);
    }
}
