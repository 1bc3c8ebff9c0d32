//! One run of a task: a poll, and what comes of it.
//!
//! ```text
//!   begin ─┬─ aborted ─────────▶ cancel ──────────────────┬─▶ complete
//!          └─▶ Entered ─▶ poll ─┬─ ready ─────────────────┤
//!                               ├─ pending ─▶ leave ─▶ pause
//!                               └─ panic: unwinds to who   │
//!                                  catches it ─▶ end_panicked
//! ```
//!
//! # A panic
//!
//! It is caught around many runs and not around each, where every poll would pay for
//! what hardly any needs. So a poll that panics unwinds out of the run, leaves word of
//! which task it was, and whoever runs tasks calls [`end_panicked`]: a worker's loop, or
//! [`Runnable::run_caught`](super::Runnable::run_caught) where one runs alone. Between the
//! two no foreign code runs, so the word is about that panic.

use std::any::Any;
use std::cell::Cell as Word;
use std::future::Future;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

use wakeline_context::Polling;

use super::JoinError;
use super::cancel::unspoken;
use super::cell::{Cell, Header, Stage, pause};
use super::complete::complete;
use super::raw::{Schedule, cell, subject};
use super::running::Entered;
use super::state::{Pause, Start};
use super::waker::waker;
use crate::debug::Then;
use crate::shared::Shared;
use crate::trace::Watched;
use crate::unobserved::Witness;

/// What a panic was caught with.
pub(super) type Payload = Box<dyn Any + Send>;

thread_local! {
    /// The task whose poll has just panicked, for who catches that.
    static PANICKED: Word<Option<NonNull<Header>>> = const { Word::new(None) };
}

/// Leaves word of the task if its poll unwinds.
struct Unwinds(NonNull<Header>);

impl Drop for Unwinds {
    #[inline]
    fn drop(&mut self) {
        PANICKED.set(Some(self.0));
    }
}

/// For who has caught a panic out of [`Runnable::run`](super::Runnable::run): if a poll
/// had it, it is the end of that task; any other goes on.
#[cold]
pub(crate) fn end_panicked(payload: Payload) {
    let Some(task) = PANICKED.take() else {
        resume_unwind(payload);
    };
    // SAFETY: its run has unwound to here, with RUNNING set, which keeps it in the owned
    // list; the borrow ends with the line.
    let vtable = unsafe { task.as_ref() }.vtable;
    // SAFETY: as above; RUNNING is this thread's, and so the end is.
    unsafe { (vtable.panicked)(task, payload) }
}

pub(super) unsafe fn run<F: Future + 'static, S: Schedule>(task: NonNull<Header>) -> Pause {
    // SAFETY: the vtable's contract.
    let Some(entered) = (unsafe { begin::<F, S>(task) }) else {
        return Pause::Idle;
    };
    debug_assert!(PANICKED.get().is_none(), "nobody has caught the last one");
    let unwinds = Unwinds(task);
    // SAFETY: `begin` has set RUNNING on this thread, which keeps every other
    // thread out of the stage until `pause` or `finish`.
    let output = unsafe { poll::<F, S>(task) };
    mem::forget(unwinds);
    // SAFETY: as above.
    unsafe { after_poll::<F, S>(task, output.map(Ok), entered) }
}

/// A run of this task has panicked.
///
/// # Safety
///
/// `task` is a `Cell<F, S>`; the caller has set RUNNING, and touches the task no more.
pub(super) unsafe fn panicked<F: Future + 'static, S: Schedule>(
    task: NonNull<Header>,
    payload: Payload,
) {
    // SAFETY: the vtable's types; alive through the owned list, as in `begin`.
    let cell = unsafe { cell::<F, S>(task) };
    let error = panic_of(&cell.header, cell.scheduler.runtime(), payload);
    // SAFETY: by the contract.
    let entered = unsafe { Entered::new(task) };
    // SAFETY: as above.
    unsafe { complete::<F, S>(task, Err(error), entered) };
}

/// Begins a run: RUNNING is the caller's then. `None`: the task was aborted, and
/// this was its end.
///
/// # Safety
///
/// As [`Vtable::run`].
#[inline(always)]
unsafe fn begin<F: Future + 'static, S: Schedule>(task: NonNull<Header>) -> Option<Entered> {
    // SAFETY: the vtable's types; alive through the owned list, which lets go
    // of the task in `complete` at the earliest.
    let cell = unsafe { cell::<F, S>(task) };
    if cell.header.start() == Start::Cancel {
        // SAFETY: `start` set RUNNING on this thread.
        unsafe { cancel::<F, S>(task) };
        return None;
    }
    // SAFETY: `start` set RUNNING on this thread; the mark is gone before the
    // task is paused or let go.
    Some(unsafe { Entered::new(task) })
}

/// The end of the task, or of its run.
///
/// # Safety
///
/// `task` is a `Cell<F, S>`, and the caller has set RUNNING. It touches the task no
/// more, unless it has the right to run it again.
#[inline(always)]
unsafe fn after_poll<F: Future + 'static, S: Schedule>(
    task: NonNull<Header>,
    ended: Ended<F>,
    entered: Entered,
) -> Pause {
    if let Some(result) = ended {
        // SAFETY: by the contract.
        unsafe { complete::<F, S>(task, result, entered) };
        return Pause::Idle;
    }
    entered.leave();
    // SAFETY: it lives, as it is RUNNING by the contract, and this is the last look.
    unsafe { pause(task) }
}

/// Ends an aborted task.
///
/// # Safety
///
/// `task` is a `Cell<F, S>`; the caller has set RUNNING, and touches the task no more.
#[inline(never)]
unsafe fn cancel<F: Future + 'static, S: Schedule>(task: NonNull<Header>) {
    // SAFETY: the vtable's types; alive through the owned list, as in `run`.
    let cell = unsafe { cell::<F, S>(task) };
    // SAFETY: as in `run`.
    let entered = unsafe { Entered::new(task) };
    let error = cancelled(cell);
    // SAFETY: RUNNING is the caller's, by the contract.
    unsafe { complete::<F, S>(task, Err(error), entered) };
}

/// The end of an aborted task, with the reason.
fn cancelled<F: Future + 'static, S: Schedule>(cell: &Cell<F, S>) -> JoinError {
    let (header, runtime) = (&cell.header, cell.scheduler.runtime());
    let own = header.reason();
    let reason = own.unwrap_or_else(|| unspoken(cell.scheduler.above(), header.spawned_at));
    if let Some(debug) = &runtime.debug
        && !header.waiting.was_polled()
    {
        debug.never_polled(|| subject(header), &reason);
    }
    JoinError::cancelled(header.id, header.name.clone(), reason)
}

pub(super) unsafe fn refuse<F: Future + 'static, S: Schedule>(
    task: NonNull<Header>,
    error: io::Error,
) {
    if !S::MAY_BLOCK {
        unreachable!("only a blocking job may find no thread");
    }
    // SAFETY: the vtable's types; alive through the owned list, as in `run`.
    let header = &unsafe { cell::<F, S>(task) }.header;
    let _ = header.start();
    // SAFETY: as in `run`.
    let entered = unsafe { Entered::new(task) };
    let refused = JoinError::refused(header.id, header.name.clone(), error);
    // SAFETY: `start` set RUNNING on this thread.
    unsafe { complete::<F, S>(task, Err(refused), entered) }
}

/// The task's end, if a poll was that.
type Ended<F> = Option<Result<<F as Future>::Output, JoinError>>;

/// One poll, which leaves in the header what the task waits for if that was not its end.
///
/// # Safety
///
/// `task` is a `Cell<F, S>`, and the caller has set RUNNING.
#[inline(always)]
unsafe fn poll<F: Future + 'static, S: Schedule>(task: NonNull<Header>) -> Option<F::Output> {
    // SAFETY: the vtable's types; it lives until its run is over.
    let cell = unsafe { cell::<F, S>(task) };
    // SAFETY: who has set RUNNING has the stage; the borrow ends with the poll.
    let Stage::Future(future) = (unsafe { &mut *cell.stage.get() }) else {
        unreachable!("a task without a future was started")
    };
    // SAFETY: the future stays where it is, in the task's allocation, until
    // `complete` drops it in place.
    let future = unsafe { Pin::new_unchecked(future) };
    // Lent, not counted: the task outlives its poll.
    let waker = ManuallyDrop::new(waker(task));
    let polling = Polling::begin();
    let polled = future.poll(&mut Context::from_waker(&waker));
    let (location, what) = polling.end_packed();
    match polled {
        Poll::Pending => {
            cell.header.waiting.set(location, what);
            None
        }
        Poll::Ready(output) => Some(output),
    }
}

/// A run that somebody looks at: by debug mode, by a recorder.
pub(super) unsafe fn run_watched<F: Future + 'static, S: Schedule>(task: NonNull<Header>) -> Pause {
    // SAFETY: the vtable's contract.
    let Some(entered) = (unsafe { begin::<F, S>(task) }) else {
        return Pause::Idle;
    };
    // SAFETY: the vtable's types; it lives until its run is over.
    let cell = unsafe { cell::<F, S>(task) };
    let (header, runtime) = (&cell.header, cell.scheduler.runtime());
    let id = header.id;
    let watched = Watched::begin(runtime, id, !S::MAY_BLOCK);
    // Caught here, as the report comes before the end.
    // SAFETY: `begin` has set RUNNING on this thread.
    let polled = catch_unwind(AssertUnwindSafe(|| unsafe { poll::<F, S>(task) }));
    let ended = match polled {
        Ok(output) => output.map(Ok),
        Err(payload) => Some(Err(panic_of(header, runtime, payload))),
    };
    let then = match &ended {
        None => Then::waits(header.waiting.get()),
        Some(Ok(_)) => Then::Ended,
        Some(Err(_)) => Then::Panicked,
    };
    watched.ended(id, || subject(header), then);
    // SAFETY: as above.
    let paused = unsafe { after_poll::<F, S>(task, ended, entered) };
    if paused == Pause::Requeue
        && let Some(trace) = &runtime.trace
    {
        trace.woken_in_poll(id);
    }
    paused
}

#[cold]
#[inline(never)]
pub(super) fn panic_of(header: &Header, runtime: &Shared, payload: Payload) -> JoinError {
    let witness = Witness::new(runtime.told(), subject(header), header.id);
    JoinError::panicked(header.id, header.name.clone(), payload, witness)
}
