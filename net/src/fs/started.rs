//! An operation that is started by the first poll of its future.
//!
//! ```text
//!   Unpolled ──1──▶ InFlight ──2──▶ the outcome
//! ```
//! 1 the first poll, if the budget allows it: `op::submit_from`
//! 2 a later one, or the same: much is done at once

use std::fmt;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use wakeline_context::{Kind, budget, waiting_on};
use wakeline_reactor::op::{self, InFlight, Op};

/// See the module's story.
pub(crate) struct Started<O: Op> {
    state: State<O>,
    location: &'static Location<'static>,
}

enum State<O: Op> {
    Unpolled(O),
    InFlight(InFlight<O>),
    /// For the moment between the two.
    Starting,
}

impl<O: Op> Started<O> {
    pub(crate) fn new(location: &'static Location<'static>, op: O) -> Started<O> {
        Started {
            state: State::Unpolled(op),
            location,
        }
    }
}

impl<O: Op> Future for Started<O> {
    type Output = (io::Result<O::Output>, O::Back);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let State::Unpolled(_) = this.state {
            match budget::poll_proceed(cx) {
                // The operation takes it again when it is done.
                Poll::Ready(unit) => unit.refund(),
                Poll::Pending => {
                    waiting_on(Kind::Yield, 0, this.location);
                    return Poll::Pending;
                }
            }
        }
        this.state = match std::mem::replace(&mut this.state, State::Starting) {
            State::Unpolled(op) => State::InFlight(op::submit_from(this.location, op)),
            state => state,
        };
        match &mut this.state {
            State::InFlight(in_flight) => Pin::new(in_flight).poll(cx),
            State::Unpolled(_) | State::Starting => unreachable!("it was started above"),
        }
    }
}

impl<O: Op> fmt::Debug for Started<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started")
            .field("from", &self.location)
            .finish_non_exhaustive()
    }
}
