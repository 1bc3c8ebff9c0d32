//! The future that waits at a barrier.

use super::Barrier;
use crate::error::Broken;
use crate::wait_list::{Cancelled, Ticket};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, budget, waiting_on};

/// How one came through a [`Barrier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult {
    leads: bool,
}

impl BarrierWaitResult {
    /// Whether this one was chosen to lead; exactly one of a round is. It is the
    /// one that came last, as it goes on first.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.leads
    }
}

/// The future of [`Barrier::wait`].
#[derive(Debug)]
#[must_use = "the others are only waited for when this is awaited"]
pub struct BarrierWait<'a> {
    barrier: &'a Barrier,
    state: State,
    location: &'static Location<'static>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    New,
    Queued(Ticket),
    Done,
}

const LEADS: BarrierWaitResult = BarrierWaitResult { leads: true };
const FOLLOWS: BarrierWaitResult = BarrierWaitResult { leads: false };

impl<'a> BarrierWait<'a> {
    pub(super) fn new(
        barrier: &'a Barrier,
        location: &'static Location<'static>,
    ) -> BarrierWait<'a> {
        BarrierWait {
            barrier,
            state: State::New,
            location,
        }
    }

    fn arrive(&mut self, cx: &mut Context<'_>) -> Poll<Result<BarrierWaitResult, Broken>> {
        let waker = cx.waker().clone(); // foreign code: before the lock
        let mut locked = self.barrier.list.lock();
        let state = locked.state();
        let outcome = if state.broken {
            Err(Broken(()))
        } else if state.arrived + 1 < self.barrier.parties {
            state.arrived += 1;
            self.state = State::Queued(locked.push(waker, ()));
            return Poll::Pending;
        } else {
            state.arrived = 0;
            locked.grant_all();
            Ok(LEADS)
        };
        drop(locked); // before the waker
        Poll::Ready(outcome)
    }

    fn look(
        &mut self,
        ticket: Ticket,
        cx: &mut Context<'_>,
    ) -> Poll<Result<BarrierWaitResult, Broken>> {
        let Some(mut locked) = self.barrier.list.keep_waiting(ticket, cx.waker()) else {
            return Poll::Pending;
        };
        Poll::Ready(if locked.state().failed.take(ticket) {
            Err(Broken(()))
        } else {
            Ok(FOLLOWS)
        })
    }
}

impl Future for BarrierWait<'_> {
    type Output = Result<BarrierWaitResult, Broken>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let unit = ready!(budget::poll_proceed(cx));
        let outcome = match self.state {
            State::New => self.arrive(cx),
            State::Queued(ticket) => self.look(ticket, cx),
            State::Done => panic!(
                "the wait made at {} was polled after its end",
                self.location
            ),
        };
        if outcome.is_pending() {
            unit.refund();
            let id = std::ptr::from_ref(self.barrier).addr() as u64;
            waiting_on(Kind::Lock, id, self.location);
        } else {
            unit.spend();
            self.state = State::Done;
        }
        outcome
    }
}

impl Drop for BarrierWait<'_> {
    fn drop(&mut self) {
        let State::Queued(ticket) = self.state else {
            return;
        };
        let mut locked = self.barrier.list.lock();
        match locked.cancel(ticket) {
            Cancelled::Waiting(()) => locked.state().arrived -= 1,
            // Its round has ended. If it failed, the note goes with it.
            Cancelled::Granted | Cancelled::Evicted => {
                locked.state().failed.take(ticket);
            }
        }
    }
}
