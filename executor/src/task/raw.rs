//! A task whose future's type is forgotten: references, wakers, one run.

use std::future::Future;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use wakeline_context::PollScope;
use wakeline_sync::cancel::Node;

use super::cancel::unspoken;
use super::cell::{Cell, Header, Origin, Stage, Vtable};
use super::running::Entered;
use super::state::{Pause, Start, Wake};
use super::{JoinError, TaskInfo, TaskState};

/// Where a task's wakes go: its worker, or all of an executor's.
pub(crate) trait Schedule: Send + Sync + 'static {
    /// Queues a task that was woken; `yielded` if it was woken by itself while
    /// it ran, so that it goes behind all others.
    ///
    /// Once the entry is where another thread finds it, that thread may run
    /// the task and free it, and this scheduler with it: nothing of `self` may
    /// be touched after the push.
    fn schedule(&self, runnable: Runnable, yielded: bool);

    /// Takes the task out of the owned list; the reference that the list held
    /// is returned, or nothing if the list had given it up.
    fn disown(&self, key: usize) -> Option<Task>;

    /// Whether the end of the runtime leaves the task's node open.
    const SHIELDED: bool = false;

    /// The runtime's node, that the task's own hangs below.
    fn runtime_node(&self) -> &Node;

    /// The task was aborted while somebody else has it queued or running.
    fn aborted(&self, task: &Task) {
        let _ = task;
    }
}

/// A counted reference to a task.
pub(crate) struct Task(NonNull<Header>);

// SAFETY: through a `Task` only the header is touched, whose parts are atomic
// or guarded by the state (table in the module's doc); freeing the task from
// another thread touches the stage, but by then it is `Consumed` or holds the
// output of a handle that was `Send`.
unsafe impl Send for Task {}
// SAFETY: as above; every method takes the header by shared reference.
unsafe impl Sync for Task {}

/// The right to run a task once: an entry of a run queue. Not counted.
#[must_use = "a `Runnable` that is dropped is a task that never runs again"]
pub(crate) struct Runnable(NonNull<Header>);

// SAFETY: a `Runnable` of a local task is handed to its home thread by the
// scheduler, and only run there; one of a stealable task has a `Send` future.
unsafe impl Send for Runnable {}

/// Makes a task: its owned reference, its handle's reference, its first entry.
pub(crate) fn new<F: Future, S: Schedule>(
    future: F,
    scheduler: S,
    origin: Origin,
) -> (Task, Task, Runnable) {
    let cell = Box::new(Cell {
        header: Header::new(const { &vtable::<F, S>() }, origin),
        scheduler,
        stage: std::cell::UnsafeCell::new(Stage::Future(future)),
    });
    let task = NonNull::from(Box::leak(cell)).cast::<Header>();
    (Task(task), Task(task), Runnable(task))
}

impl Task {
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: this reference is counted, so the task is not freed before
        // it is dropped, and the header is only ever shared.
        unsafe { self.0.as_ref() }
    }

    /// Aborts the task without a word, as its runtime ends; else `cancel`.
    pub(crate) fn abort(&self) {
        let header = self.header();
        match header.state.abort() {
            // SAFETY: `Enqueue` made us the one who queues it.
            Wake::Enqueue => unsafe { (header.vtable.schedule)(self.0) },
            // SAFETY: we hold a counted reference to this very task.
            Wake::Nothing => unsafe { (header.vtable.aborted)(self.0) },
        }
    }

    pub(crate) fn info(&self) -> TaskInfo {
        let header = self.header();
        TaskInfo {
            id: header.id,
            name: header.name.clone(),
            state: TaskState::from_word(header.state.describe()),
            spawned_at: header.spawned_at,
            waiting_on: header.waiting.get(),
        }
    }

    /// Gives the reference up without counting it down.
    pub(super) fn into_raw(self) -> NonNull<Header> {
        ManuallyDrop::new(self).0
    }

    pub(super) fn as_raw(&self) -> NonNull<Header> {
        self.0
    }
}

impl Clone for Task {
    fn clone(&self) -> Task {
        self.header().state.retain();
        Task(self.0)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.header().state.release() {
            // SAFETY: that was the last reference, and a task that is queued
            // or running has the owned list's, so nobody else looks at it.
            unsafe { (self.header().vtable.free)(self.0) }
        }
    }
}

impl Runnable {
    /// Polls the task once, or drops its future if it was aborted.
    pub(crate) fn run(self) {
        let task = self.into_raw();
        // SAFETY: a `Runnable` is made by `new` and by the transitions that
        // say so, once each, and is used up here: the task is WOKEN, alive
        // through the owned list, and nobody else runs it.
        let vtable = unsafe { task.as_ref() }.vtable;
        // SAFETY: as above; the vtable is of this task's type.
        unsafe { (vtable.run)(task) }
    }

    /// Ends a queued task where it is: its future is dropped here, unpolled.
    pub(crate) fn cancel(self) {
        // SAFETY: as in `run`; the borrow ends before the task can be freed.
        let wake = unsafe { self.0.as_ref() }.state.abort();
        debug_assert_eq!(
            wake,
            Wake::Nothing,
            "a `Runnable` was of a task that is not queued"
        );
        self.run();
    }

    /// Ends a queued task that nobody can run, with the reason.
    pub(crate) fn refuse(self, error: io::Error) {
        let task = self.into_raw();
        // SAFETY: as in `run`.
        let vtable = unsafe { task.as_ref() }.vtable;
        // SAFETY: as above.
        unsafe { (vtable.refuse)(task, error) }
    }

    /// For an intrusive queue or one of pointers.
    pub(crate) fn into_raw(self) -> NonNull<Header> {
        ManuallyDrop::new(self).0
    }

    /// # Safety
    ///
    /// `task` comes from `into_raw`, and each such pointer comes back once.
    pub(crate) unsafe fn from_raw(task: NonNull<Header>) -> Runnable {
        Runnable(task)
    }

    pub(crate) fn is(&self, task: &Task) -> bool {
        self.0 == task.0
    }
}

impl Drop for Runnable {
    fn drop(&mut self) {
        // Only a bug of the executor gets here. The task leaks, as its owned
        // reference stays, which is sound; a debug build says so.
        debug_assert!(
            std::thread::panicking(),
            "a queue entry was dropped: its task would never run again"
        );
    }
}

const fn vtable<F: Future, S: Schedule>() -> Vtable {
    Vtable {
        run: run::<F, S>,
        refuse: refuse::<F, S>,
        schedule: schedule::<F, S>,
        aborted: aborted::<F, S>,
        take_output: take_output::<F, S>,
        drop_output: drop_output::<F, S>,
        new_node: new_node::<F, S>,
        free: free::<F, S>,
    }
}

/// # Safety
///
/// `task` is a `Cell<F, S>` that lives for `'a`.
unsafe fn cell<'a, F: Future, S>(task: NonNull<Header>) -> &'a Cell<F, S> {
    // SAFETY: `Cell` is `repr(C)` with the header first, and `new` made the
    // pointer from a `Cell<F, S>` with the vtable of the same types.
    unsafe { task.cast::<Cell<F, S>>().as_ref() }
}

unsafe fn run<F: Future, S: Schedule>(task: NonNull<Header>) {
    // SAFETY: the vtable's types; alive through the owned list, which lets go
    // of the task in `complete` at the earliest.
    let cell = unsafe { cell::<F, S>(task) };
    let start = cell.header.state.start();
    // SAFETY: `start` set RUNNING on this thread; the mark is gone before the
    // task is paused or let go.
    let entered = unsafe { Entered::new(task) };
    let ended = match start {
        Start::Cancel => Some(Err(cancelled(cell))),
        // SAFETY: `start` set RUNNING on this thread, which keeps every other
        // thread out of the stage until `pause` or `finish`; the borrow ends
        // with the poll.
        Start::Poll => poll(&cell.header, task, unsafe { &mut *cell.stage.get() }),
    };
    match ended {
        // SAFETY: RUNNING is this thread's, as above.
        Some(result) => unsafe { complete::<F, S>(task, result, entered) },
        None => {
            drop(entered);
            // The last look at the task: after an `Idle` another thread may run it.
            match cell.header.state.pause() {
                Pause::Idle => {}
                Pause::Requeue => {
                    // Counted: once it is queued another thread may end the task,
                    // and the scheduler, which is part of it, is borrowed until
                    // `schedule` returns.
                    let _held = Task::clone(&ManuallyDrop::new(Task(task)));
                    cell.scheduler.schedule(Runnable(task), true);
                }
            }
        }
    }
}

/// The end of an aborted task, with the reason.
fn cancelled<F: Future, S: Schedule>(cell: &Cell<F, S>) -> JoinError {
    let header = &cell.header;
    let own = header.node_if_made().and_then(Node::reason);
    let reason = own.unwrap_or_else(|| unspoken(cell.scheduler.runtime_node(), header.spawned_at));
    JoinError::cancelled(header.id, header.name.clone(), reason)
}

unsafe fn refuse<F: Future, S: Schedule>(task: NonNull<Header>, error: io::Error) {
    // SAFETY: the vtable's types; alive through the owned list, as in `run`.
    let header = &unsafe { cell::<F, S>(task) }.header;
    let _ = header.state.start();
    // SAFETY: as in `run`.
    let entered = unsafe { Entered::new(task) };
    let refused = JoinError::refused(header.id, header.name.clone(), error);
    // SAFETY: `start` set RUNNING on this thread.
    unsafe { complete::<F, S>(task, Err(refused), entered) }
}

/// One poll; the task's end, if this was it.
fn poll<F: Future>(
    header: &Header,
    task: NonNull<Header>,
    stage: &mut Stage<F>,
) -> Option<Result<F::Output, JoinError>> {
    let Stage::Future(future) = stage else {
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
    let waiting = scope.leave();
    match polled {
        Ok(Poll::Pending) => {
            header.waiting.set(waiting);
            None
        }
        Ok(Poll::Ready(output)) => Some(Ok(output)),
        Err(payload) => Some(Err(JoinError::panicked(
            header.id,
            header.name.clone(),
            payload,
        ))),
    }
}

/// Puts the output in the future's place, tells the handle, lets the task go.
///
/// It takes no reference to the task, since the task may be freed in here.
///
/// # Safety
///
/// The caller has set RUNNING, and touches the task no more.
unsafe fn complete<F: Future, S: Schedule>(
    task: NonNull<Header>,
    result: Result<F::Output, JoinError>,
    entered: Entered,
) {
    // SAFETY: the vtable's types; alive through the owned list until the end.
    let cell = unsafe { cell::<F, S>(task) };
    let header = &cell.header;
    let replace = |with: Stage<F>| {
        // SAFETY: RUNNING is this thread's, or, after `finish`, nobody has a
        // right to the stage but this thread (see each call). The assignment
        // drops what was there; the borrow ends with it.
        catch_unwind(AssertUnwindSafe(|| unsafe { *cell.stage.get() = with }))
    };
    // First the future, so that a handle never resolves before it is gone. A
    // panic of its destructor is the task's panic; the output goes with it.
    let result = match replace(Stage::Consumed) {
        Ok(()) => result,
        Err(payload) => {
            quietly(|| drop(result));
            Err(JoinError::panicked(header.id, header.name.clone(), payload))
        }
    };
    // Nothing is dropped by this one: the stage is `Consumed`.
    let _ = replace(Stage::Output(result));
    header.waiting.set(None);
    let finished = header.state.finish();
    if finished.drop_output
        && let Err(payload) = replace(Stage::Consumed)
    {
        // No handle any more, so nobody to tell; the panic hook has told.
        quietly(|| drop(payload));
    }
    // With its last foreign code the task's values have done their work: the
    // handle must not find them alive.
    drop(entered);
    // SAFETY: they are this thread's until the task is let go, below.
    let locals = mem::take(unsafe { &mut *header.locals.get() });
    quietly(|| drop(locals));
    if finished.wake_join {
        // SAFETY: `finish` saw JOIN_WAKER, so the slot is this thread's.
        let waker = unsafe { (*header.join_waker.get()).take() };
        quietly(|| waker.into_iter().for_each(Waker::wake));
    }
    // Relaxed: written before the task was first queued, which ordered it.
    let key = header.owned_key.load(Relaxed);
    let owned = cell.scheduler.disown(key);
    // The last reference, perhaps: nothing of the task is borrowed here.
    drop(owned);
}

/// Runs foreign code whose panic has nowhere to go: the panic hook has told
/// of it, and the worker must live on.
pub(crate) fn quietly(foreign: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(foreign))
        && let Err(next) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
    {
        // A payload whose destructor panics may do so with another such one,
        // and so on; it is leaked.
        mem::forget(next);
    }
}

unsafe fn schedule<F: Future, S: Schedule>(task: NonNull<Header>) {
    // SAFETY: the caller has a reference, and its wake made it the one who queues.
    unsafe { cell::<F, S>(task) }
        .scheduler
        .schedule(Runnable(task), false);
}

unsafe fn aborted<F: Future, S: Schedule>(task: NonNull<Header>) {
    let borrowed = ManuallyDrop::new(Task(task));
    // SAFETY: the caller has a reference for the length of this call.
    unsafe { cell::<F, S>(task) }.scheduler.aborted(&borrowed);
}

unsafe fn take_output<F: Future, S: Schedule>(task: NonNull<Header>, to: *mut ()) {
    // SAFETY: the caller has a reference.
    let cell = unsafe { cell::<F, S>(task) };
    // SAFETY: COMPLETE and JOIN make the stage the handle's, which calls this.
    let stage = unsafe { &mut *cell.stage.get() };
    let Stage::Output(output) = mem::replace(stage, Stage::Consumed) else {
        panic!("`JoinHandle` polled after it gave its output");
    };
    // SAFETY: the handle passes a place for exactly this type, as its `T` is
    // the output type of the future that the task was made from.
    unsafe {
        to.cast::<Poll<Result<F::Output, JoinError>>>()
            .write(Poll::Ready(output))
    }
}

unsafe fn drop_output<F: Future, S: Schedule>(task: NonNull<Header>) {
    // SAFETY: the caller has a reference.
    let cell = unsafe { cell::<F, S>(task) };
    // SAFETY: COMPLETE and JOIN make the stage the handle's, which calls this.
    let stage = unsafe { &mut *cell.stage.get() };
    quietly(|| *stage = Stage::Consumed);
}

unsafe fn new_node<F: Future, S: Schedule>(task: NonNull<Header>) -> Node {
    // SAFETY: the caller has a reference, or runs the task.
    let runtime = unsafe { cell::<F, S>(task) }.scheduler.runtime_node();
    if S::SHIELDED {
        runtime.shielded_child()
    } else {
        runtime.child()
    }
}

unsafe fn free<F: Future, S: Schedule>(task: NonNull<Header>) {
    // SAFETY: `new` leaked a box of this type, and the last reference is gone.
    drop(unsafe { Box::from_raw(task.cast::<Cell<F, S>>().as_ptr()) });
}

static WAKER: RawWakerVTable = RawWakerVTable::new(clone_waker, wake, wake_by_ref, drop_waker);

/// A waker over a reference that the caller counted, or lends.
fn waker(task: NonNull<Header>) -> Waker {
    // SAFETY: the functions below keep the contract of `RawWaker`: each waker
    // stands for one counted reference, and headers are thread-safe.
    unsafe { Waker::from_raw(RawWaker::new(task.as_ptr().cast_const().cast(), &WAKER)) }
}

/// # Safety
///
/// `data` is the data of a live waker of ours.
unsafe fn borrowed(data: *const ()) -> ManuallyDrop<Task> {
    // SAFETY: `waker` made it from a `NonNull`.
    ManuallyDrop::new(Task(unsafe {
        NonNull::new_unchecked(data.cast_mut().cast())
    }))
}

unsafe fn clone_waker(data: *const ()) -> RawWaker {
    // SAFETY: the waker that is being cloned lives.
    let task = unsafe { borrowed(data) };
    let task = Task::clone(&task);
    RawWaker::new(task.into_raw().as_ptr().cast_const().cast(), &WAKER)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: the waker lives until this returns, and its reference is ours.
    let task = ManuallyDrop::into_inner(unsafe { borrowed(data) });
    wake_task(&task);
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the waker lives during the call.
    let task = unsafe { borrowed(data) };
    wake_task(&task);
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: the waker's reference is ours to release.
    drop(ManuallyDrop::into_inner(unsafe { borrowed(data) }));
}

fn wake_task(task: &Task) {
    let header = task.header();
    if header.state.wake() == Wake::Enqueue {
        // SAFETY: `Enqueue` made us the one who queues it, and `task` is held.
        unsafe { (header.vtable.schedule)(task.0) }
    }
}
