//! The futures that wait for a permit of a limiter, and the permits.

use super::{Limiter, give};
use crate::wait_list::{Cancelled, Ticket};
use crate::wakes::discard;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, budget, waiting_on};

/// The future of [`Limiter::acquire`].
#[derive(Debug)]
#[must_use = "a permit is only waited for when this is awaited"]
pub struct LimiterAcquire<'a> {
    limiter: &'a Limiter,
    request: Request,
}

/// The future of [`Limiter::acquire_owned`].
#[derive(Debug)]
#[must_use = "a permit is only waited for when this is awaited"]
pub struct LimiterAcquireOwned {
    limiter: Arc<Limiter>,
    request: Request,
}

/// The right to be one of so many, given back when this is dropped.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once limits nothing"]
pub struct LimiterPermit<'a> {
    limiter: &'a Limiter,
}

/// The right to be one of so many, which keeps the [`Limiter`] alive; given back
/// when this is dropped.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once limits nothing"]
pub struct OwnedLimiterPermit {
    limiter: Arc<Limiter>,
}

#[derive(Debug)]
struct Request {
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
    fn new(location: &'static Location<'static>) -> Request {
        Request {
            state: State::New,
            location,
        }
    }

    fn poll(&mut self, limiter: &Limiter, cx: &mut Context<'_>) -> Poll<()> {
        let unit = ready!(budget::poll_proceed(cx));
        self.state = match self.state {
            State::New => enqueue(limiter, cx).map_or(State::Done, State::Queued),
            State::Queued(ticket) if is_let_in(limiter, ticket, cx) => State::Done,
            State::Queued(ticket) => State::Queued(ticket),
            State::Done => panic!(
                "the acquire made at {} was polled after its end",
                self.location
            ),
        };
        if let State::Done = self.state {
            unit.spend();
            return Poll::Ready(());
        }
        unit.refund();
        let id = std::ptr::from_ref(limiter).addr() as u64;
        waiting_on(Kind::Lock, id, self.location);
        Poll::Pending
    }

    fn give_up(&mut self, limiter: &Limiter) {
        let State::Queued(ticket) = self.state else {
            return;
        };
        let mut locked = limiter.list.lock();
        if let Cancelled::Granted = locked.cancel(ticket) {
            give(&mut locked);
        }
    }
}

/// A place in the queue, or none if a permit was taken.
fn enqueue(limiter: &Limiter, cx: &mut Context<'_>) -> Option<Ticket> {
    if limiter.try_take() {
        return None;
    }
    let waker = cx.waker().clone(); // foreign code: before the lock
    let mut locked = limiter.list.lock();
    if locked.state().try_take() {
        drop(locked); // before the waker
        discard(waker);
        return None;
    }
    Some(locked.push(waker, ()))
}

fn is_let_in(limiter: &Limiter, ticket: Ticket, cx: &mut Context<'_>) -> bool {
    let list = &limiter.list;
    list.is_granted(ticket) || list.keep_waiting(ticket, cx.waker()).is_some()
}

impl<'a> LimiterAcquire<'a> {
    pub(super) fn new(
        limiter: &'a Limiter,
        location: &'static Location<'static>,
    ) -> LimiterAcquire<'a> {
        LimiterAcquire {
            limiter,
            request: Request::new(location),
        }
    }
}

impl LimiterAcquireOwned {
    pub(super) fn new(
        limiter: Arc<Limiter>,
        location: &'static Location<'static>,
    ) -> LimiterAcquireOwned {
        LimiterAcquireOwned {
            limiter,
            request: Request::new(location),
        }
    }
}

impl<'a> Future for LimiterAcquire<'a> {
    type Output = LimiterPermit<'a>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<LimiterPermit<'a>> {
        let this = &mut *self;
        ready!(this.request.poll(this.limiter, cx));
        Poll::Ready(LimiterPermit::new(this.limiter))
    }
}

impl Future for LimiterAcquireOwned {
    type Output = OwnedLimiterPermit;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<OwnedLimiterPermit> {
        let this = &mut *self;
        ready!(this.request.poll(&this.limiter, cx));
        Poll::Ready(OwnedLimiterPermit::new(Arc::clone(&this.limiter)))
    }
}

impl Drop for LimiterAcquire<'_> {
    fn drop(&mut self) {
        self.request.give_up(self.limiter);
    }
}

impl Drop for LimiterAcquireOwned {
    fn drop(&mut self) {
        self.request.give_up(&self.limiter);
    }
}

impl<'a> LimiterPermit<'a> {
    pub(super) fn new(limiter: &'a Limiter) -> LimiterPermit<'a> {
        LimiterPermit { limiter }
    }
}

impl OwnedLimiterPermit {
    pub(super) fn new(limiter: Arc<Limiter>) -> OwnedLimiterPermit {
        OwnedLimiterPermit { limiter }
    }

    /// The limiter it is of.
    #[must_use]
    pub fn limiter(&self) -> &Arc<Limiter> {
        &self.limiter
    }
}

impl Drop for LimiterPermit<'_> {
    fn drop(&mut self) {
        self.limiter.give();
    }
}

impl Drop for OwnedLimiterPermit {
    fn drop(&mut self) {
        self.limiter.give();
    }
}
