//! A deadline and its place in a wheel: what sleeps, timeouts and intervals share.
//!
//! ```text
//!            ┌───────4───────┐  ┌──3──┐
//!            ▼               │  ▼     │
//!   new ──▶ Idle ────1────▶ Registered ────2────▶ Past
//!            ▲ └─────────────────5─────────────────▲ │
//!            └───────────────────6───────────────────┘
//! ```
//! 1 `poll`    puts an entry into the wheel of this thread
//! 2 `poll`    the entry is gone from the wheel: its tick has come
//! 3 `poll`    still there: it has the new waker; or it was moved to this thread's
//!             wheel, or back into it after the clock was stopped or set going
//!   `reset`   moves the entry to the new deadline
//! 4 `reset`   the entry had just fired, or is in another thread's wheel; `reset_unwatched`
//! 5 `expire`  the owner saw by the clock that the deadline had passed (also from Registered)
//! 6 `reset`   a new deadline
//!
//! `reset` of a registered timer moves the entry and keeps its waker: whoever
//! polled it last is woken at the new deadline without polling again.

use crate::clock;
use crate::timers::{TimerEntry, Update};
use std::panic::Location;
use std::task::{Context, Poll};
use std::time::Instant;
use wakeline_context::{Kind, waiting_on};

/// A deadline, perhaps registered.
#[derive(Debug)]
pub(super) struct Timer {
    /// `None` is never.
    deadline: Option<Instant>,
    /// The deadline in nanoseconds after the clock's origin, while registered.
    nanos: u64,
    state: State,
    location: &'static Location<'static>,
}

#[derive(Debug)]
enum State {
    /// In no wheel.
    Idle,
    /// In the wheel of the thread that polled it last.
    Registered(TimerEntry),
    /// The deadline has passed.
    Past,
}

impl Timer {
    pub(super) const fn new(
        deadline: Option<Instant>,
        location: &'static Location<'static>,
    ) -> Timer {
        Timer {
            deadline,
            nanos: u64::MAX,
            state: State::Idle,
            location,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn location(&self) -> &'static Location<'static> {
        self.location
    }

    pub(super) fn set_location(&mut self, location: &'static Location<'static>) {
        self.location = location;
    }

    pub(super) fn is_past(&self) -> bool {
        matches!(self.state, State::Past)
    }

    pub(super) fn is_registered(&self) -> bool {
        matches!(self.state, State::Registered(_))
    }

    /// By the clock, whether or not a turn has noticed.
    pub(super) fn is_due(&self) -> bool {
        self.is_past()
            || self
                .deadline
                .is_some_and(|deadline| deadline <= super::now())
    }

    /// The owner knows that the deadline has passed; the entry goes.
    pub(super) fn expire(&mut self) {
        self.state = State::Past;
    }

    fn set_nanos(&mut self) -> u64 {
        self.nanos = self.deadline.map_or(u64::MAX, clock::nanos);
        self.nanos
    }

    /// Sets another deadline. A task that waits is woken at the new one.
    pub(super) fn reset(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
        if self.is_registered() {
            let nanos = self.set_nanos();
            if let State::Registered(entry) = &mut self.state
                && entry.reset(nanos) == Update::Kept
            {
                return;
            }
        }
        // Fired: its task was woken and polls. Elsewhere: that thread was told
        // to wake its task. Either poll registers the new deadline.
        self.state = State::Idle;
    }

    /// Sets another deadline of which nobody waits to be told.
    pub(super) fn reset_unwatched(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
        self.state = State::Idle;
    }

    /// Ready once the wheel has passed the deadline; registers where needed.
    ///
    /// It does not read the clock, except where the task has changed threads or
    /// the thread its clock: there is no wheel then that could tell.
    ///
    /// # Panics
    ///
    /// If there is no runtime on this thread.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.state {
            State::Past => return Poll::Ready(()),
            State::Idle => self.register(cx),
            State::Registered(entry) => match entry.update(cx.waker()) {
                Update::Kept => {}
                Update::Fired => {
                    self.expire();
                    return Poll::Ready(());
                }
                Update::Elsewhere if self.is_due() => {
                    self.expire();
                    return Poll::Ready(());
                }
                Update::Elsewhere => self.register(cx),
            },
        }
        waiting_on(Kind::Timer, self.nanos, self.location);
        Poll::Pending
    }

    fn register(&mut self, cx: &mut Context<'_>) {
        match TimerEntry::insert(self.set_nanos(), cx.waker()) {
            Ok(entry) => self.state = State::Registered(entry),
            Err(error) => panic!("the timer made at {} cannot wait: {error}", self.location),
        }
    }
}
