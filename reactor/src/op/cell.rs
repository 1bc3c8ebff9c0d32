//! The cell that future, driver and pool thread share.

use super::kinds::Op;
use crate::config::Offload;
use crate::faults;
use crate::kept::keep_for_ever;
use crate::state::Direction;
use crate::sync::Lock;
use crate::sync::atomic::{AtomicBool, Ordering};
use io_uring::squeue::Entry;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// What a try without blocking came to.
#[derive(Debug)]
pub enum Attempt {
    /// It is over.
    Done(io::Result<u32>),
    /// It would block until an event in this direction.
    Wait(Direction),
    /// It may block: only a pool thread can do it.
    Block,
}

/// An operation of whatever kind, as drivers hold it.
pub(crate) trait AnyOp: Send + Sync {
    /// The opcode of its request, if a kernel with rings may lack it.
    fn opcode(&self) -> Option<u8>;
    /// A request came to nothing, and only the blocking form is left.
    fn must_block(&self) -> bool {
        false
    }
    /// The request for the ring. It points into memory that stays where it is
    /// until `complete`.
    fn entry(&self) -> Entry;
    /// The request that `entry` made last was not sent.
    fn unsent(&self) {}
    /// Whether the kernel may be asked to stop it.
    fn stops(&self) -> bool {
        true
    }
    /// Tries without blocking.
    fn attempt(&self) -> Attempt;
    /// Where it waits if its descriptor is in non-blocking mode.
    fn direction(&self) -> Option<Direction>;
    /// The driver is only to wait in this direction, and then to give the
    /// operation back to its future.
    fn waits(&self) -> Option<Direction>;
    /// Whether it ends by itself, and not when a peer likes.
    fn ends(&self) -> bool;
    /// Whether it may begin again if nothing has happened.
    fn restarts(&self) -> bool {
        false
    }
    /// The wait is over, or nothing has happened: its future tries again.
    fn give_back(&self, wakers: &mut Vec<Waker>);
    /// The descriptor to watch, where it waits.
    fn raw_fd(&self) -> RawFd;
    /// A second descriptor of that file.
    fn duplicate_fd(&self) -> io::Result<OwnedFd>;
    /// A first result, after which the kernel still uses the memory until
    /// `settled`.
    fn early(&self, _: io::Result<u32>) {
        debug_assert!(false, "this operation completes once");
    }
    /// The kernel is done with the memory of what had an `early` result.
    fn settled(&self, _: &mut Vec<Waker>) {
        debug_assert!(false, "this operation completes once");
    }
    /// Stores the result; the future's waker goes to `wakers`.
    fn complete(&self, result: io::Result<u32>, wakers: &mut Vec<Waker>);
    /// The same where nothing is borrowed: wakes.
    fn complete_alone(&self, result: io::Result<u32>);
    /// The kernel will not let go: the future is told, and what the kernel may
    /// still use is kept for ever.
    fn abandon(&self, wakers: &mut Vec<Waker>);
    /// Runs the blocking form on the pool, unless the operation is done.
    fn run_on(self: Arc<Self>, pool: Option<&Arc<dyn Offload>>);
}

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
            State::Polled { .. } | State::Done(_) | State::Abandoned | State::Taken => {
                unreachable!("completed twice")
            }
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
        let result = if cancelled {
            Err(cancelled_error())
        } else {
            op.block()
        };
        self.finish(op, result)
    }

    /// The future is gone: nobody is to be woken.
    pub(super) fn forget_waker(&self) {
        let waker = match &mut *self.state.lock() {
            State::Held { waker, .. } | State::Running { waker } => waker.take(),
            State::Polled { .. } | State::Done(_) | State::Abandoned | State::Taken => None,
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

fn is_interruption(result: &io::Result<u32>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::Interrupted)
}

fn cancelled_error() -> io::Error {
    io::Error::from_raw_os_error(libc::ECANCELED)
}

impl<O: Op> AnyOp for OpCell<O> {
    fn opcode(&self) -> Option<u8> {
        O::OPCODE
    }

    fn must_block(&self) -> bool {
        // Relaxed: as above.
        self.must_block.load(Ordering::Relaxed)
    }

    fn entry(&self) -> Entry {
        match &mut *self.state.lock() {
            State::Held { op, .. } => op.entry(),
            _ => unreachable!("an operation is sent to the kernel once, by its driver"),
        }
    }

    fn unsent(&self) {
        if let State::Held { op, .. } = &mut *self.state.lock() {
            op.unsent();
        }
    }

    fn stops(&self) -> bool {
        O::STOPS
    }

    fn attempt(&self) -> Attempt {
        match &mut *self.state.lock() {
            State::Held { op, .. } => op.attempt(),
            _ => unreachable!("an operation is tried by the driver that holds it"),
        }
    }

    fn direction(&self) -> Option<Direction> {
        match &*self.state.lock() {
            State::Held { op, .. } => op.direction(),
            _ => None,
        }
    }

    fn waits(&self) -> Option<Direction> {
        match &*self.state.lock() {
            State::Held { waits, .. } => *waits,
            _ => None,
        }
    }

    fn ends(&self) -> bool {
        match &*self.state.lock() {
            State::Held { op, .. } => op.ends(),
            _ => true,
        }
    }

    fn restarts(&self) -> bool {
        O::RESTARTS
    }

    fn give_back(&self, wakers: &mut Vec<Waker>) {
        if !self.hand_back(true, wakers) {
            unreachable!("only the driver that holds it gives it back");
        }
    }

    fn raw_fd(&self) -> RawFd {
        match &*self.state.lock() {
            State::Held { op, .. } => op.raw_fd(),
            _ => unreachable!("an operation is watched by the driver that holds it"),
        }
    }

    fn duplicate_fd(&self) -> io::Result<OwnedFd> {
        match &*self.state.lock() {
            State::Held { op, .. } => op.duplicate_fd(),
            _ => unreachable!("an operation is watched by the driver that holds it"),
        }
    }

    fn complete(&self, result: io::Result<u32>, wakers: &mut Vec<Waker>) {
        // A ring reports a signal as it is; nothing has happened then.
        let interrupted = O::RESTARTS && is_interruption(&result);
        let again = interrupted || self.learns_to_block(&result);
        if again && self.hand_back(false, wakers) {
            return;
        }
        if let Some((op, _)) = self.take() {
            // It would have begun again, but for a cancel.
            let result = if again {
                Err(cancelled_error())
            } else {
                result
            };
            wakers.extend(self.finish(op, result));
        } else {
            debug_assert!(false, "completed twice");
        }
    }

    fn abandon(&self, wakers: &mut Vec<Waker>) {
        let Some((op, _)) = self.take() else { return };
        keep_for_ever(op);
        wakers.extend(self.set_done(State::Abandoned));
    }

    fn complete_alone(&self, result: io::Result<u32>) {
        let mut wakers = Vec::new();
        self.complete(result, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn run_on(self: Arc<Self>, pool: Option<&Arc<dyn Offload>>) {
        if !matches!(&*self.state.lock(), State::Held { .. }) {
            return;
        }
        let Some(pool) = pool else {
            return self.complete_alone(Err(crate::offload::no_pool()));
        };
        let job = Job(Some(self));
        // A refused job is dropped, and its drop completes the operation.
        let _refused = pool.offload(Box::new(move || job.run().into()));
    }
}

/// A job on the pool; one that is dropped unrun completes with an error.
struct Job<O: Op>(Option<Arc<OpCell<O>>>);

impl<O: Op> Job<O> {
    fn run(mut self) -> Option<Waker> {
        self.0.take()?.run()
    }
}

impl<O: Op> Drop for Job<O> {
    fn drop(&mut self) {
        if let Some(cell) = self.0.take() {
            cell.complete_alone(Err(crate::offload::refused()));
        }
    }
}

#[cfg(test)]
mod tests;
