//! An operation as drivers and pool threads have it: of whatever kind.

use super::{OpCell, State, cancelled_error};
use crate::config::Offload;
use crate::kept::keep_for_ever;
use crate::op::kinds::Op;
use crate::state::Direction;
use crate::sync::atomic::Ordering;
use io_uring::squeue::Entry;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;
use std::task::Waker;

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
    /// The request that `entry` made last came to nothing, for want of a thread: its
    /// future goes on by the blocking form.
    fn unrun(&self, _: &mut Vec<Waker>) {
        debug_assert!(false, "only what may begin again is asked");
    }
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

fn is_interruption(result: &io::Result<u32>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::Interrupted)
}

impl<O: Op> AnyOp for OpCell<O> {
    fn opcode(&self) -> Option<u8> {
        O::OPCODE
    }

    fn must_block(&self) -> bool {
        // Relaxed: who sets it does so before it is handed on, under a lock.
        self.must_block.load(Ordering::Relaxed) && self.waits().is_none()
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

    fn unrun(&self, wakers: &mut Vec<Waker>) {
        self.unsent();
        // Relaxed: as in `must_block`.
        self.must_block.store(true, Ordering::Relaxed);
        self.give_back(wakers);
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
        let job = Job(Some(Arc::clone(&self)));
        let refused = match pool {
            Some(pool) => pool.offload(Box::new(move || job.run().into())).err(),
            None => {
                drop(job);
                Some(crate::offload::no_pool())
            }
        };
        if let Some(why) = refused {
            self.refused_for(why);
        }
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
