//! A task whose future's type is forgotten: how it is made, and its table.

use std::future::Future;
use std::ptr::{self, NonNull};

use wakeline_context::{Reason, quietly};
use wakeline_sync::cancel::Node;

use super::cell::{Cell, Header, Origin, Stage, Vtable};
use super::complete::tell_of_failure;
use super::refs::{Runnable, Task};
use super::run::{panicked, refuse, run, run_watched};
use super::{Id, memory};
use crate::debug::{Subject, SubjectKind};
use crate::shared::Shared;

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
    fn disown(&self, task: &Header) -> Option<Task>;

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

    /// What the task is a part of, which is told of a failure that nobody looks at.
    fn runtime(&self) -> &Shared;

    /// The node above the task's, if somebody asks for that.
    fn above(&self) -> &Node {
        &self.runtime().node
    }

    /// The task was aborted while somebody else has it queued or running.
    fn aborted(&self) {}
}

/// Makes a task: its owned reference, its handle's reference, its first entry.
#[inline(always)]
pub(crate) fn new<F: Future + 'static, S: Schedule>(
    future: F,
    scheduler: S,
    origin: impl FnOnce() -> Origin,
) -> (Task, Task, Runnable) {
    let home = scheduler.home();
    let watched = scheduler.runtime().is_watched();
    // Once and for all: a poll has nothing to ask.
    let vtable = match watched {
        false => const { &vtable::<F, S>(false) },
        true => const { &vtable::<F, S>(true) },
    };
    let (room, id) = (memory::allocate::<Cell<F, S>>(), Id::next());
    // As late as that, so that it goes straight to its place.
    let Origin { at, name, locals } = origin();
    // SAFETY: room for a cell, which nobody else knows of.
    unsafe {
        room.write(Cell {
            header: Header::new(vtable, home, id, at, name, locals),
            scheduler,
            stage: std::cell::UnsafeCell::new(Stage::Future(future)),
        });
    }
    let task = room.cast::<Header>();
    // SAFETY: written above; the borrow ends here.
    let made = unsafe { room.as_ref() };
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
        panicked: panicked::<F, S>,
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

unsafe fn schedule<F: Future + 'static, S: Schedule>(task: NonNull<Header>) {
    // SAFETY: the caller has a reference, and its wake made it the one who queues.
    let cell = unsafe { cell::<F, S>(task) };
    if let Some(trace) = &cell.scheduler.runtime().trace {
        // Before it is queued: then another thread may poll it at once.
        trace.woken(cell.header.id);
    }
    cell.scheduler.schedule(Runnable(task));
}

unsafe fn aborted<F: Future + 'static, S: Schedule>(task: NonNull<Header>) {
    // SAFETY: the caller has a reference for the length of this call.
    unsafe { cell::<F, S>(task) }.scheduler.aborted();
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
    let above = unsafe { cell::<F, S>(task) }.scheduler.above();
    match reason {
        // It hears nothing any more, so it hangs nowhere.
        Some(reason) => {
            let node = Node::root();
            node.cancel(reason.clone());
            node
        }
        None if S::SHIELDED => above.shielded_child(),
        None if S::MAY_BLOCK => above.lasting_child(),
        None => above.child(),
    }
}

unsafe fn inherited<F: Future + 'static, S: Schedule>(task: NonNull<Header>) -> Option<Reason> {
    // SAFETY: the caller has a reference.
    let above = unsafe { cell::<F, S>(task) }.scheduler.above();
    (!S::SHIELDED).then(|| above.reason()).flatten()
}

/// # Safety
///
/// As [`Vtable::free`].
pub(super) unsafe fn free<F: Future + 'static, S: Schedule>(task: NonNull<Header>) {
    /// Also if a destructor panics.
    struct Room<F: Future, S>(NonNull<Cell<F, S>>);
    impl<F: Future, S> Drop for Room<F, S> {
        #[inline]
        fn drop(&mut self) {
            // SAFETY: allocated by `new` for this type; its contents are gone.
            unsafe { memory::free(self.0) };
        }
    }
    let mut room = Room(task.cast::<Cell<F, S>>());
    // SAFETY: written by `new`, of this type, and the last reference is gone.
    let cell = unsafe { room.0.as_mut() };
    if cell.header.is_bare() {
        let Cell {
            header: _,
            scheduler,
            stage,
        } = cell;
        // SAFETY: as above, and what is left of it needs no drop.
        unsafe { ptr::drop_in_place(scheduler) };
        // SAFETY: as above.
        unsafe { ptr::drop_in_place(stage) };
    } else {
        // SAFETY: as above.
        unsafe { ptr::drop_in_place(cell) };
    }
}
