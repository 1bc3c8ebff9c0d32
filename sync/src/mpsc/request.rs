//! A sender on its way to a slot: what all futures of the sending side share.
//!
//! ```text
//!   New ──1──▶ Queued ──2──▶ Done
//!    └────────────1────────────▲
//! ```
//! 1 the first poll uses a slot, finds the channel closed, or gets a ticket
//! 2 a later poll finds its ticket granted, or evicted because of a close
//!
//! Given up as New or Done it owns nothing; as Queued it may have been promised
//! a slot, which goes to the next. One that is New, for a value that it has no
//! more, is Done: the quick way writes nothing down.

use super::chan::{Access, Chan, Closed, Slot, Use};
use crate::wait_list::Ticket;
use crate::wakes::Wakes;
use std::panic::Location;
use std::task::{Context, Poll, ready};
use wakeline_context::budget::{self, Unit};
use wakeline_context::{Kind, waiting_on};

#[derive(Debug)]
pub(super) struct Request {
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
    pub(super) fn new(location: &'static Location<'static>) -> Request {
        Request {
            state: State::New,
            location,
        }
    }

    #[inline]
    pub(super) fn poll<T>(
        &mut self,
        chan: &Chan<T>,
        mut purpose: Use<'_, T>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        let unit = ready!(budget::poll_proceed(cx));
        let mut access = None;
        if let (State::New, Use::Fill(value)) = (self.state, &mut purpose) {
            match chan.fill_at_once(value) {
                Ok(receiver) => {
                    // It stays New, without a value: that is Done, too.
                    Wakes::one(receiver);
                    unit.spend();
                    return Poll::Ready(Ok(()));
                }
                Err(held) => access = held,
            }
        }
        self.poll_rest(chan, access, purpose, cx, unit)
    }

    /// What is left if it was not done at once; the channel may be locked already.
    #[inline(never)]
    fn poll_rest<T>(
        &mut self,
        chan: &Chan<T>,
        access: Option<Access<'_, T>>,
        mut purpose: Use<'_, T>,
        cx: &mut Context<'_>,
        unit: Unit,
    ) -> Poll<Result<(), Closed>> {
        let outcome = match self.state {
            State::New => self.begin(chan, access, &mut purpose, cx),
            State::Queued(ticket) if chan.keeps_waiting(ticket, cx.waker()) => Poll::Pending,
            State::Queued(ticket) => {
                // First: the waker of the receiver may panic, and what was looked
                // at is nothing to give up.
                self.state = State::Done;
                Poll::Ready(chan.look(ticket, &mut purpose))
            }
            State::Done => self.is_over(),
        };
        if outcome.is_ready() {
            self.state = State::Done;
            unit.spend();
        } else {
            unit.refund();
            waiting_on(Kind::Channel, chan.id(), self.location);
        }
        outcome
    }

    /// Uses a slot, or waits for one.
    fn begin<T>(
        &mut self,
        chan: &Chan<T>,
        access: Option<Access<'_, T>>,
        purpose: &mut Use<'_, T>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        if let Use::Fill(None) = purpose {
            drop(access);
            self.is_over();
        }
        let slot = match purpose {
            Use::Fill(_) => chan.try_slot_again(access, purpose),
            Use::Keep => chan.try_slot(purpose),
        };
        match slot.unwrap_or_else(|| chan.enqueue(purpose, cx.waker())) {
            Slot::Used => Poll::Ready(Ok(())),
            Slot::Closed => Poll::Ready(Err(Closed)),
            Slot::Queued(ticket) => {
                self.state = State::Queued(ticket);
                Poll::Pending
            }
        }
    }

    #[cold]
    fn is_over(&self) -> ! {
        panic!("the send at {} was polled after its end", self.location)
    }

    /// Leaves the queue, and begins anew if it is polled again.
    #[inline]
    pub(super) fn give_up<T>(&mut self, chan: &Chan<T>) {
        if let State::Queued(ticket) = self.state {
            self.state = State::New;
            chan.give_up(ticket);
        }
    }
}
