//! A task whose future's type is forgotten: references, wakers, one run.

use std::any::Any;
use std::future::Future;
use std::io;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll};

use wakeline_context::{PollScope, Reason, quietly};
use wakeline_sync::cancel::Node;

use super::JoinError;
use super::cancel::unspoken;
use super::cell::{Cell, Header, Origin, Stage, Vtable, pause};
use super::complete::{complete, tell_of_failure};
use super::memory;
use super::refs::{Runnable, Task};
use super::running::Entered;
use super::state::{Pause, Start};
use super::waker::waker;
use crate::debug::{Subject, SubjectKind, Then};
use crate::shared::Shared;
use crate::trace::Watched;

/// Where a task's wakes go: its worker, or all of an executor's.
pub(crate) trait Schedule: Send + Sync + 'static {
    /// Queues a task that was woken while it was idle.
    ///
    /// Once the entry is where another thread finds it, that thread may run
    /// the task and free it, and this scheduler with it: nothing of `self` may
    /// be touched after the push.
    fn schedule(&self, runnable: Runnable);

    /// Takes the task out of the owned list; the reference that the list held
    /// is returned, or nothing if the list had given it up.
    fn disown(&self, key: usize) -> Option<Task>;

    /// The home of a local task, which alone may run it, as `replace_home` has it.
    fn home(&self) -> Option<usize> {
        None
    }

    /// Keeps a complete local task that lies in the mailbox until it is taken out.
    fn keep(&self, task: Task) {
        drop(task);
    }

    /// Whether the end of the runtime leaves the task's node open.
    const SHIELDED: bool = false;

    /// Whether a poll may take as long as it likes, as a blocking job's does.
    const MAY_BLOCK: bool = false;

    /// What the task is a part of: its node is above the task's, and it is told
    /// of a failure that nobody looks at.
    fn runtime(&self) -> &Shared;

    /// The task was aborted while somebody else has it queued or running.
    fn aborted(&self, task: &Task) {
        let _ = task;
    }
}

/// Makes a task: its owned reference, its handle's reference, its first entry.
#[inline(always)]
pub(crate) fn new<F: Future + 'static, S: Schedule>(
    future: F,
    scheduler: S,
    origin: Origin,
) -> (Task, Task, Runnable) {
    let Origin {
        at,
        name,
        locals,
        node,
    } = origin;
    let home = scheduler.home();
    let watched = scheduler.runtime().is_watched();
    // Once and for all: a poll has nothing to ask.
    let vtable = match watched {
        false => const { &vtable::<F, S>(false) },
        true => const { &vtable::<F, S>(true) },
    };
    let room = memory::allocate::<Cell<F, S>>();
    // SAFETY: room for a cell, which nobody else knows of.
    unsafe {
        room.write(Cell {
            header: Header::new(vtable, home, at, name, locals),
            scheduler,
            stage: std::cell::UnsafeCell::new(Stage::Future(future)),
        });
    }
    let task = room.cast::<Header>();
    // SAFETY: written above; the borrow ends here.
    let made = unsafe { room.as_ref() };
    if let Some(node) = node {
        made.header.place_at(node);
    }
    if watched && let Some(trace) = &made.scheduler.runtime().trace {
        trace.created(&made.header);
    }
    (Task(task), Task(task), Runnable(task))
}

/// `watched`: for a runtime that looks at polls, by debug mode or a recorder.
pub(super) const fn vtable<F: Future + 'static, S: Schedule>(watched: bool) -> Vtable {
    Vtable {
        run: if watched {
            run_watched::<F, S>
        } else {
            run::<F, S>
        },
        refuse: refuse::<F, S>,
        schedule: schedule::<F, S>,
        aborted: aborted::<F, S>,
        take_output: take_output::<F, S>,
        drop_output: drop_output::<F, S>,
        new_node: new_node::<F, S>,
        inherited: inherited::<F, S>,
        free: free::<F, S>,
    }
}

/// # Safety
///
/// `task` is a `Cell<F, S>` that lives for `'a`.
pub(super) unsafe fn cell<'a, F: Future, S>(task: NonNull<Header>) -> &'a Cell<F, S> {
    // SAFETY: `Cell` is `repr(C)` with the header first, and `new` made the
    // pointer from a `Cell<F, S>` with the vtable of the same types.
    unsafe { task.cast::<Cell<F, S>>().as_ref() }
}

unsafe fn run<F: Future + 'static, S: Schedule>(task: NonNull<Header>) -> Pause {
    // SAFETY: the vtable's contract.
    let Some(entered) = (unsafe { begin::<F, S>(task) }) else {
        return Pause::Idle;
    };
    // SAFETY: `begin` has set RUNNING on this thread, which keeps every other
    // thread out of the stage until `pause` or `finish`.
    let ended = unsafe { poll::<F, S>(task) };
    // SAFETY: as above.
    unsafe { after_poll::<F, S>(task, ended, entered) }
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
    let reason = own.unwrap_or_else(|| unspoken(&runtime.node, header.spawned_at));
    if let Some(debug) = &runtime.debug
        && !header.waiting.was_polled()
    {
        debug.never_polled(|| subject(header), &reason);
    }
    JoinError::cancelled(header.id, header.name.clone(), reason)
}

unsafe fn refuse<F: Future + 'static, S: Schedule>(task: NonNull<Header>, error: io::Error) {
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
unsafe fn poll<F: Future + 'static, S: Schedule>(task: NonNull<Header>) -> Ended<F> {
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
    let scope = PollScope::enter();
    let polled = catch_unwind(AssertUnwindSafe(|| {
        future.poll(&mut Context::from_waker(&waker))
    }));
    let (location, what) = scope.leave_packed();
    match polled {
        Ok(Poll::Pending) => {
            cell.header.waiting.set(location, what);
            None
        }
        Ok(Poll::Ready(output)) => Some(Ok(output)),
        Err(payload) => Some(Err(panicked(&cell.header, payload))),
    }
}

/// A run that somebody looks at: by debug mode, by a recorder.
unsafe fn run_watched<F: Future + 'static, S: Schedule>(task: NonNull<Header>) -> Pause {
    // SAFETY: the vtable's contract.
    let Some(entered) = (unsafe { begin::<F, S>(task) }) else {
        return Pause::Idle;
    };
    // SAFETY: the vtable's types; it lives until its run is over.
    let cell = unsafe { cell::<F, S>(task) };
    let (header, runtime) = (&cell.header, cell.scheduler.runtime());
    let id = header.id;
    let watched = Watched::begin(runtime, id, !S::MAY_BLOCK);
    // SAFETY: `begin` has set RUNNING on this thread.
    let ended = unsafe { poll::<F, S>(task) };
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
pub(super) fn panicked(header: &Header, payload: Box<dyn Any + Send>) -> JoinError {
    JoinError::panicked(header.id, header.name.clone(), payload)
}

unsafe fn schedule<F: Future + 'static, S: Schedule>(task: NonNull<Header>) {
    // SAFETY: the caller has a reference, and its wake made it the one who queues.
    let cell = unsafe { cell::<F, S>(task) };
    if let Some(trace) = &cell.scheduler.runtime().trace {
        // Before it is queued: then another thread may poll it at once. A clock that
        // panics must not keep it from there.
        quietly(|| trace.woken(cell.header.id));
    }
    cell.scheduler.schedule(Runnable(task));
}

unsafe fn aborted<F: Future + 'static, S: Schedule>(task: NonNull<Header>) {
    let borrowed = ManuallyDrop::new(Task(task));
    // SAFETY: the caller has a reference for the length of this call.
    unsafe { cell::<F, S>(task) }.scheduler.aborted(&borrowed);
}

unsafe fn take_output<F: Future + 'static, S: Schedule>(task: NonNull<Header>, to: *mut ()) {
    // SAFETY: the caller has a reference.
    let cell = unsafe { cell::<F, S>(task) };
    // SAFETY: COMPLETE and JOIN make the stage the handle's, which calls this.
    let stage = unsafe { &mut *cell.stage.get() };
    let Stage::Output(output) = stage else {
        panic!("`JoinHandle` polled after it gave its output");
    };
    // SAFETY: the handle passes a place for exactly this type, as its `T` is
    // the output type of the future that the task was made from.
    unsafe { ptr::copy_nonoverlapping(output, to.cast(), 1) };
    // SAFETY: the stage is the handle's. Nothing is dropped: the output was moved.
    unsafe { ptr::write(stage, Stage::Consumed) };
}

unsafe fn drop_output<F: Future + 'static, S: Schedule>(task: NonNull<Header>) {
    // SAFETY: the caller has a reference.
    let cell = unsafe { cell::<F, S>(task) };
    // SAFETY: COMPLETE and JOIN make the stage the handle's, which calls this.
    let stage = unsafe { &mut *cell.stage.get() };
    if matches!(stage, Stage::Consumed) {
        return; // the handle gave it out
    }
    tell_of_failure(cell, stage);
    quietly(|| *stage = Stage::Consumed);
}

/// The task, as a report names it.
pub(super) fn subject(header: &Header) -> Subject {
    Subject {
        kind: SubjectKind::Task,
        id: Some(header.id),
        name: header.name.clone(),
        spawned_at: header.spawned_at,
    }
}

unsafe fn new_node<F: Future + 'static, S: Schedule>(
    task: NonNull<Header>,
    reason: Option<&Reason>,
) -> Node {
    // SAFETY: the caller has a reference, or runs the task.
    let runtime = unsafe { cell::<F, S>(task) }.scheduler.runtime();
    match reason {
        // It hears nothing any more, so it hangs nowhere.
        Some(reason) => {
            let node = Node::root();
            node.cancel(reason.clone());
            node
        }
        None if S::SHIELDED => runtime.node.shielded_child(),
        None => runtime.node.child(),
    }
}

unsafe fn inherited<F: Future + 'static, S: Schedule>(task: NonNull<Header>) -> Option<Reason> {
    // SAFETY: the caller has a reference.
    let runtime = unsafe { cell::<F, S>(task) }.scheduler.runtime();
    (!S::SHIELDED).then(|| runtime.node.reason()).flatten()
}

unsafe fn free<F: Future + 'static, S: Schedule>(task: NonNull<Header>) {
    /// Also if a destructor panics.
    struct Room<F: Future, S>(NonNull<Cell<F, S>>);
    impl<F: Future, S> Drop for Room<F, S> {
        #[inline]
        fn drop(&mut self) {
            // SAFETY: allocated by `new` for this type; its contents are gone.
            unsafe { memory::free(self.0) };
        }
    }
    let room = Room(task.cast::<Cell<F, S>>());
    // SAFETY: written by `new`, of this type, and the last reference is gone.
    unsafe { room.0.drop_in_place() };
}
