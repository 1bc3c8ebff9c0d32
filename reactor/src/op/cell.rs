//! The cell that future, driver and pool thread share.

use super::kinds::Op;
use crate::config::Offload;
use crate::current;
use crate::reactor::Core;
use crate::remote::Home;
use crate::slots::Key;
use crate::state::Direction;
use crate::sync::Lock;
use io_uring::squeue::Entry;
use std::fmt;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use wakeline_context::{Kind, budget, waiting_on};

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
    /// The request for the ring. It points into memory that stays where it is
    /// until `complete`.
    fn entry(&self) -> Entry;
    /// Tries without blocking.
    fn attempt(&self) -> Attempt;
    /// Where it waits if its descriptor is in non-blocking mode.
    fn direction(&self) -> Option<Direction>;
    /// The descriptor to watch, where it waits.
    fn raw_fd(&self) -> RawFd;
    /// A second descriptor of that file.
    fn duplicate_fd(&self) -> io::Result<OwnedFd>;
    /// Stores the result; the future's waker goes to `wakers`.
    fn complete(&self, result: io::Result<u32>, wakers: &mut Vec<Waker>);
    /// The same where nothing is borrowed: wakes.
    fn complete_alone(&self, result: io::Result<u32>);
    /// The kernel will not let go: the future is told, and what the kernel may
    /// still use is leaked.
    fn abandon(&self, wakers: &mut Vec<Waker>);
    /// Runs the blocking form on the pool, unless the operation is done.
    fn run_on(self: Arc<Self>, pool: Option<&Arc<dyn Offload>>);
}

enum State<O: Op> {
    /// The driver has it, or it waits for a pool thread.
    Held {
        op: O,
        waker: Option<Waker>,
        cancelled: bool,
    },
    /// A pool thread has it.
    Running { waker: Option<Waker> },
    /// `op` is kept for what it still owns: it is dropped by whoever drops this.
    Done {
        result: io::Result<O::Output>,
        back: O::Back,
        _op: Option<O>,
    },
    /// The future has handed it out.
    Taken,
}

pub(crate) struct OpCell<O: Op> {
    state: Lock<State<O>>,
}

impl<O: Op> OpCell<O> {
    fn finish(&self, mut op: O, result: io::Result<u32>) -> Option<Waker> {
        let (result, back) = op.finish(result);
        self.set_done(State::Done {
            result,
            back,
            _op: Some(op),
        })
    }

    fn set_done(&self, done: State<O>) -> Option<Waker> {
        match std::mem::replace(&mut *self.state.lock(), done) {
            State::Held { waker, .. } | State::Running { waker } => waker,
            State::Done { .. } | State::Taken => unreachable!("completed twice"),
        }
    }

    /// Takes the operation out, if it is there, leaving `Running`.
    fn take(&self) -> Option<(O, bool)> {
        let mut state = self.state.lock();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Held {
                op,
                waker,
                cancelled,
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

    /// On a pool thread.
    fn run(&self) {
        let Some((mut op, cancelled)) = self.take() else {
            return;
        };
        let result = if cancelled {
            Err(cancelled_error())
        } else {
            op.block()
        };
        let waker = self.finish(op, result);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Marks a cancel for a pool thread that has not begun.
    fn mark_cancelled(&self) {
        if let State::Held { cancelled, .. } = &mut *self.state.lock() {
            *cancelled = true;
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<(io::Result<O::Output>, O::Back)> {
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
        }
        let taken = std::mem::replace(&mut *state, State::Taken);
        drop(state);
        match taken {
            State::Done { result, back, .. } => Poll::Ready((result, back)),
            _ => panic!("the future of an operation was polled after it was ready"),
        }
    }
}

fn cancelled_error() -> io::Error {
    io::Error::from_raw_os_error(libc::ECANCELED)
}

impl<O: Op> AnyOp for OpCell<O> {
    fn entry(&self) -> Entry {
        match &mut *self.state.lock() {
            State::Held { op, .. } => op.entry(),
            _ => unreachable!("an operation is sent to the kernel once, by its driver"),
        }
    }

    fn attempt(&self) -> Attempt {
        match &mut *self.state.lock() {
            State::Held { op, .. } => op.attempt(),
            _ => unreachable!("an operation is tried by the driver that holds it"),
        }
    }

    fn direction(&self) -> Option<Direction> {
        O::DIRECTION
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
        if let Some((op, _)) = self.take() {
            wakers.extend(self.finish(op, result));
        } else {
            debug_assert!(false, "completed twice");
        }
    }

    fn abandon(&self, wakers: &mut Vec<Waker>) {
        let Some((op, _)) = self.take() else { return };
        std::mem::forget(op);
        let result = Err(io::Error::other(
            "the kernel did not let go of this operation before the runtime ended",
        ));
        wakers.extend(self.set_done(State::Done {
            result,
            back: O::Back::default(),
            _op: None,
        }));
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
        let _refused = pool.offload(Box::new(move || job.run()));
    }
}

/// A job on the pool; one that is dropped unrun completes with an error.
struct Job<O: Op>(Option<Arc<OpCell<O>>>);

impl<O: Op> Job<O> {
    fn run(mut self) {
        if let Some(cell) = self.0.take() {
            cell.run();
        }
    }
}

impl<O: Op> Drop for Job<O> {
    fn drop(&mut self) {
        if let Some(cell) = self.0.take() {
            cell.complete_alone(Err(crate::offload::refused()));
        }
    }
}

/// Where the driver that holds an operation is.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) home: Arc<Home>,
    pub(crate) key: Key,
}

/// Starts `op` on this thread's reactor.
///
/// It makes progress in the reactor's turns, whether or not the future is
/// polled. On a thread without a reactor the future is ready with an error.
///
/// # Example
///
/// ```
/// use std::fs::File;
/// use std::future::Future;
/// use std::pin::pin;
/// use std::sync::Arc;
/// use std::task::{Context, Poll, Waker};
/// use wakeline_reactor::{Config, Reactor, op};
///
/// # struct Inline;
/// # impl wakeline_reactor::Offload for Inline {
/// #     fn offload(&self, job: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
/// #         Ok(job())
/// #     }
/// # }
/// # let config = Config::default().offload(Arc::new(Inline));
/// let reactor = Reactor::new(&config)?;
/// let _entered = reactor.enter();
/// let file = Arc::new(File::open("/proc/self/comm")?.into());
/// let read = op::Read { fd: file, buf: Vec::with_capacity(64), offset: 0 };
/// let mut future = pin!(op::submit(read));
/// let mut cx = Context::from_waker(Waker::noop());
/// let (result, buf) = loop {
///     match future.as_mut().poll(&mut cx) {
///         Poll::Ready(done) => break done,
///         Poll::Pending => reactor.turn(None)?,
///     };
/// };
/// assert_eq!(buf.len(), result?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn submit<O: Op>(op: O) -> InFlight<O> {
    let state = State::Held {
        op,
        waker: None,
        cancelled: false,
    };
    let cell = Arc::new(OpCell {
        state: Lock::new(state),
    });
    let ticket = match current::get() {
        Ok(core) => core.submit(Arc::clone(&cell) as Arc<dyn AnyOp>),
        Err(error) => {
            cell.complete_alone(Err(error));
            None
        }
    };
    InFlight {
        cell,
        ticket,
        location: Location::caller(),
    }
}

/// An operation on its way; the future of its result and its buffer.
///
/// # Errors
///
/// What the kernel returned; [`NoRuntime`](crate::NoRuntime).
///
/// # Cancellation
///
/// Dropping the future asks the kernel to stop. The operation may have
/// happened all the same; its buffer is then freed, and a descriptor that it
/// made is closed. To learn what happened, use [`cancel`](InFlight::cancel).
///
/// # Panics
///
/// When polled again after it was ready.
#[must_use = "dropping it cancels the operation"]
pub struct InFlight<O: Op> {
    cell: Arc<OpCell<O>>,
    ticket: Option<Ticket>,
    location: &'static Location<'static>,
}

impl<O: Op> InFlight<O> {
    /// Asks for the end of the operation; the future tells how it ended.
    ///
    /// The result is an error of `ECANCELED` if it was stopped, or what it
    /// would have been if it was too late; the buffer comes back either way.
    pub fn cancel(self) -> Cancel<O> {
        self.ask();
        Cancel { inner: self }
    }

    fn ask(&self) {
        match &self.ticket {
            Some(ticket) => Core::cancel(ticket),
            None => self.cell.mark_cancelled(),
        }
    }
}

impl<O: Op> Future for InFlight<O> {
    type Output = (io::Result<O::Output>, O::Back);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(unit) = budget::poll_proceed(cx) else {
            waiting_on(Kind::Yield, 0, self.location);
            return Poll::Pending;
        };
        let this = self.get_mut();
        let result = this.cell.poll(cx);
        if result.is_ready() {
            unit.spend();
            this.ticket = None;
        } else {
            unit.refund();
            waiting_on(Kind::Operation, 0, this.location);
        }
        result
    }
}

impl<O: Op> Drop for InFlight<O> {
    fn drop(&mut self) {
        // Asking twice, or after the end, is harmless: the key is stale then.
        self.ask();
    }
}

impl<O: Op> fmt::Debug for InFlight<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight")
            .field("from", &self.location)
            .finish_non_exhaustive()
    }
}

/// The future of [`InFlight::cancel`]: how the operation ended, and its buffer.
#[must_use = "futures do nothing unless awaited"]
pub struct Cancel<O: Op> {
    inner: InFlight<O>,
}

impl<O: Op> Future for Cancel<O> {
    type Output = (io::Result<O::Output>, O::Back);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

impl<O: Op> fmt::Debug for Cancel<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel")
            .field("from", &self.inner.location)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
