//! The cell that future, driver and pool thread share.
//!
//! Here is the future's side of it; `cell/driven.rs` has the side of who drives it.

mod driven;

use super::kinds::Op;
use crate::faults;
use crate::offload;
use crate::state::Direction;
use crate::sync::Lock;
use crate::sync::atomic::{AtomicBool, Ordering};
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::{Context, Poll, Waker};
use wakeline_context::quietly;

pub(crate) use driven::{AnyOp, Attempt};

enum State<O: Op> {
    /// Its future tries it, in its own polls.
    Polled { op: O, cancelled: bool },
    /// The driver has it, or it waits for a pool thread. `waits`: the driver
    /// does not run it, but waits and gives it back.
    Held {
        op: O,
        waker: Option<Waker>,
        cancelled: bool,
        waits: Option<Direction>,
    },
    /// A pool thread has it.
    Running { waker: Option<Waker> },
    /// It is over.
    Done(Outcome<O>),
    /// Its blocking form panicked, and so does who waits for it.
    Panicked { op: O, panic: Box<dyn Any + Send> },
    /// The kernel has it for ever.
    Abandoned,
    /// The future has handed it out.
    Taken,
}

/// An operation that is over, and what the kernel said. It is finished, which
/// is foreign code (a buffer takes its bytes, its default takes its place), by
/// whoever takes it apart or drops it; and drivers do neither.
struct Outcome<O: Op> {
    op: O,
    /// `None`: it is finished.
    result: Option<io::Result<u32>>,
}

impl<O: Op> Outcome<O> {
    fn finish(&mut self) -> Option<(io::Result<O::Output>, O::Back)> {
        let result = self.result.take()?;
        Some(self.op.finish(result))
    }
}

impl<O: Op> Drop for Outcome<O> {
    fn drop(&mut self) {
        // A descriptor that came back is closed, one that is gone is not.
        let _untaken = self.finish();
    }
}

pub(crate) struct OpCell<O: Op> {
    state: Lock<State<O>>,
    /// Set before it is handed back, and so seen by who is to have it next.
    must_block: AtomicBool,
}

impl<O: Op> OpCell<O> {
    pub(super) fn new(mut op: O) -> OpCell<O> {
        let fails = faults::fails(std::any::type_name::<O>()).map(Err);
        let state = if let Some(result) = fails.or_else(|| op.at_once()) {
            done(op, result)
        } else if op.takes_for_good() {
            State::Polled {
                op,
                cancelled: false,
            }
        } else {
            held(op, false, None)
        };
        OpCell {
            state: Lock::new(state),
            must_block: AtomicBool::new(false),
        }
    }

    /// Whether a driver is to have it; else its future tries it, or it is done.
    pub(super) fn is_held(&self) -> bool {
        matches!(&*self.state.lock(), State::Held { .. })
    }

    /// A try by the future, if it is the future's to try; `true`: a driver is
    /// to have it now.
    pub(super) fn try_here(&self) -> bool {
        let mut state = self.state.lock();
        let (mut op, cancelled) = match std::mem::replace(&mut *state, State::Taken) {
            State::Polled { op, cancelled } => (op, cancelled),
            other => {
                *state = other;
                return false;
            }
        };
        let attempt = if cancelled {
            Attempt::Done(Err(cancelled_error()))
        } else {
            op.attempt()
        };
        let (next, hand_over) = match attempt {
            Attempt::Done(result) => (done(op, result), false),
            Attempt::Wait(direction) => (held(op, cancelled, Some(direction)), true),
            // It cannot be tried without blocking: then the driver has to take.
            Attempt::Block => (held(op, cancelled, None), true),
        };
        *state = next;
        hand_over
    }

    /// From the driver back to the future, which tries again; `false`: it is not
    /// the driver's, or is to be cancelled and that is reason enough to end it.
    fn hand_back(&self, cancelled_too: bool, wakers: &mut Vec<Waker>) -> bool {
        let mut state = self.state.lock();
        let waker = match std::mem::replace(&mut *state, State::Taken) {
            State::Held {
                op,
                waker,
                cancelled,
                ..
            } if cancelled_too || !cancelled => {
                *state = State::Polled { op, cancelled };
                waker
            }
            other => {
                *state = other;
                return false;
            }
        };
        drop(state);
        wakers.extend(waker);
        true
    }

    fn finish(&self, op: O, result: io::Result<u32>) -> Option<Waker> {
        self.set_done(done(op, result))
    }

    fn set_done(&self, done: State<O>) -> Option<Waker> {
        match std::mem::replace(&mut *self.state.lock(), done) {
            State::Held { waker, .. } | State::Running { waker } => waker,
            _ => unreachable!("completed twice"),
        }
    }

    /// Whether only the blocking form is left after this result.
    fn learns_to_block(&self, result: &io::Result<u32>) -> bool {
        let must_block = match &*self.state.lock() {
            State::Held { op, .. } => op.must_block(result),
            _ => false,
        };
        if must_block {
            // Relaxed: it goes from hand to hand by the lock.
            self.must_block.store(true, Ordering::Relaxed);
        }
        must_block
    }

    /// Takes the operation out, if it is there, leaving `Running`.
    fn take(&self) -> Option<(O, bool)> {
        let mut state = self.state.lock();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Held {
                op,
                waker,
                cancelled,
                ..
            } => {
                *state = State::Running { waker };
                Some((op, cancelled))
            }
            other => {
                *state = other;
                None
            }
        }
    }

    /// On a pool thread; whom to wake then.
    fn run(&self) -> Option<Waker> {
        let (mut op, cancelled) = self.take()?;
        if cancelled {
            return self.finish(op, Err(cancelled_error()));
        }
        // A buffer's code is foreign, and the pool's thread is not the one to suffer.
        match catch_unwind(AssertUnwindSafe(|| op.block())) {
            Ok(result) => self.finish(op, result),
            Err(panic) => self.set_done(State::Panicked { op, panic }),
        }
    }

    /// No thread has the job, whose drop has left a general error; `why` says more.
    fn refused_for(&self, why: io::Error) {
        // Nobody waits for the lock: the future is in the midst of its poll, and calls this.
        if let State::Done(Outcome {
            op,
            result: Some(result),
        }) = &mut *self.state.lock()
            && result.as_ref().is_err_and(offload::is_bare_refusal)
        {
            *result = op.without_thread(offload::refused_for(why));
        }
    }

    /// The future is gone: nobody is to be woken.
    pub(super) fn forget_waker(&self) {
        let waker = match &mut *self.state.lock() {
            State::Held { waker, .. } | State::Running { waker } => waker.take(),
            _ => None,
        };
        drop(waker); // after the lock
    }

    /// Marks a cancel for a pool thread that has not begun, and for the
    /// future's next try.
    pub(super) fn mark_cancelled(&self) {
        if let State::Polled { cancelled, .. } | State::Held { cancelled, .. } =
            &mut *self.state.lock()
        {
            *cancelled = true;
        }
    }

    /// The outcome, or the latest waker is kept. What is the future's to try
    /// must have been tried: a driver has it, and this is its reply.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<(io::Result<O::Output>, O::Back)> {
        let mut state = self.state.lock();
        if matches!(&*state, State::Held { .. } | State::Running { .. }) {
            drop(state);
            let waker = cx.waker().clone(); // foreign code: not under the lock
            state = self.state.lock();
            let slot = match &mut *state {
                State::Held { waker, .. } | State::Running { waker } => Some(waker),
                _ => None,
            };
            if let Some(slot) = slot {
                let unneeded = slot.replace(waker);
                drop(state);
                drop(unneeded);
                return Poll::Pending;
            }
            // It is done: the clone is dropped after the lock, too.
            drop(state);
            drop(waker);
            state = self.state.lock();
        }
        if matches!(&*state, State::Polled { .. }) {
            // Given back between the try and this: it is worth another one.
            drop(state);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let taken = std::mem::replace(&mut *state, State::Taken);
        drop(state);
        match taken {
            State::Done(mut outcome) => {
                let finished = outcome.finish();
                Poll::Ready(finished.expect("it is finished here or in its drop"))
            }
            State::Abandoned => {
                let error = "the kernel did not let go of this operation before the runtime ended";
                Poll::Ready((Err(io::Error::other(error)), O::Back::default()))
            }
            State::Panicked { op, panic } => {
                quietly(|| drop(op)); // its own panics are the story of this one
                resume_unwind(panic)
            }
            _ => panic!("the future of an operation was polled after it was ready"),
        }
    }
}

fn held<O: Op>(op: O, cancelled: bool, waits: Option<Direction>) -> State<O> {
    State::Held {
        op,
        waker: None,
        cancelled,
        waits,
    }
}

fn done<O: Op>(op: O, result: io::Result<u32>) -> State<O> {
    let result = Some(result);
    State::Done(Outcome { op, result })
}

fn cancelled_error() -> io::Error {
    io::Error::from_raw_os_error(libc::ECANCELED)
}

#[cfg(test)]
mod tests;
