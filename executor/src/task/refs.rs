//! The two ways to have a task: a counted reference, and the right to run it.

use std::io;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use super::cell::Header;
use super::near::Receive;
use super::run::end_panicked;
use super::running::Aside;
use super::state::{Pause, Wake};
use super::{TaskInfo, TaskState};

/// A counted reference to a task.
pub(crate) struct Task(pub(super) NonNull<Header>);

// SAFETY: through a `Task` only the header is touched, whose parts are atomic
// or guarded by the state (table in the module's doc); freeing the task from
// another thread touches the stage, but by then it is `Consumed` or holds the
// output of a handle that was `Send`.
unsafe impl Send for Task {}
// SAFETY: as above; every method takes the header by shared reference.
unsafe impl Sync for Task {}

/// The right to run a task once: an entry of a run queue. Not counted.
#[must_use = "a `Runnable` that is dropped is a task that never runs again"]
pub(crate) struct Runnable(pub(super) NonNull<Header>);

// SAFETY: a `Runnable` of a local task is handed to its home thread by the
// scheduler, and only run there; one of a stealable task has a `Send` future.
unsafe impl Send for Runnable {}

impl Task {
    #[inline]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: this reference is counted, so the task is not freed before
        // it is dropped, and the header is only ever shared.
        unsafe { self.0.as_ref() }
    }

    /// Aborts the task without a word, as its runtime ends; else `cancel`.
    pub(crate) fn abort(&self) {
        let header = self.header();
        match header.life.abort() {
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
            state: TaskState::from_word(header.life.describe()),
            started: header.waiting.was_polled(),
            spawned_at: header.spawned_at,
            waiting_on: header.waiting.get(),
        }
    }

    /// Gives the reference up without counting it down.
    pub(super) fn into_raw(self) -> NonNull<Header> {
        ManuallyDrop::new(self).0
    }

    pub(crate) fn as_raw(&self) -> NonNull<Header> {
        self.0
    }
}

impl Clone for Task {
    #[inline]
    fn clone(&self) -> Task {
        self.header().life.retain();
        Task(self.0)
    }
}

impl Drop for Task {
    #[inline]
    fn drop(&mut self) {
        if self.header().life.release() {
            // SAFETY: that was the last reference, and a task that is queued
            // or running has the owned list's, so nobody else looks at it.
            unsafe { (self.header().vtable.free)(self.0) }
        }
    }
}

impl Runnable {
    /// Polls the task once, or drops its future if it was aborted; if it was
    /// woken meanwhile, the right to run it again, which goes behind all others.
    ///
    /// The caller has set aside what the thread is inside of: see [`Aside`].
    ///
    /// # Panics
    ///
    /// With the future's own panic, which the caller hands to [`end_panicked`].
    #[inline]
    pub(crate) fn run(self) -> Option<Runnable> {
        let task = self.into_raw();
        // SAFETY: a `Runnable` is made by `new` and by the transitions that
        // say so, once each, and is used up here: the task is WOKEN, alive
        // through the owned list, and nobody else runs it.
        let vtable = unsafe { task.as_ref() }.vtable;
        // SAFETY: as above; the vtable is of this task's type.
        let paused = unsafe { (vtable.run)(task) };
        (paused == Pause::Requeue).then(|| Runnable(task))
    }

    /// As `run`, wherever this thread is, and a panic ends the task in here.
    pub(crate) fn run_caught(self) -> Option<Runnable> {
        let _aside = Aside::new();
        catch_unwind(AssertUnwindSafe(|| self.run())).unwrap_or_else(|payload| {
            end_panicked(payload);
            None
        })
    }

    /// Runs a task of which it is known that it will not be pending: one that
    /// was aborted, or a blocking job.
    pub(crate) fn end(self) {
        let again = self.run_caught();
        debug_assert!(again.is_none(), "a task that had to end was pending");
    }

    pub(crate) fn is_local(&self) -> bool {
        // SAFETY: as in `run`; the borrow ends here.
        unsafe { self.0.as_ref() }.life.is_local()
    }

    /// Ends a queued task where it is: its future is dropped here, unpolled.
    pub(crate) fn cancel(self) {
        // SAFETY: as in `run`; the borrow ends before the task can be freed.
        let wake = unsafe { self.0.as_ref() }.life.abort();
        debug_assert_eq!(
            wake,
            Wake::Nothing,
            "a `Runnable` was of a task that is not queued"
        );
        self.end();
    }

    /// Ends a queued task that nobody can run, with the reason.
    pub(crate) fn refuse(self, error: io::Error) {
        let task = self.into_raw();
        let _aside = Aside::new();
        // SAFETY: as in `run`.
        let vtable = unsafe { task.as_ref() }.vtable;
        // SAFETY: as above.
        unsafe { (vtable.refuse)(task, error) }
    }

    /// For an intrusive queue or one of pointers.
    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<Header> {
        ManuallyDrop::new(self).0
    }

    /// # Safety
    ///
    /// `task` comes from `into_raw`, and each such pointer comes back once; or a wake
    /// of it has just said `Enqueue`.
    #[inline]
    pub(crate) unsafe fn from_raw(task: NonNull<Header>) -> Runnable {
        Runnable(task)
    }
}

/// What home does with a task from its mailbox.
pub(crate) enum Received {
    /// Queue it.
    Queue(Runnable),
    /// It is queued already.
    Nothing,
    /// It has ended: take it out of the owned list, which keeps it until then.
    Over(ManuallyDrop<Task>),
}

/// Opens a letter of the mailbox.
///
/// # Safety
///
/// `task` was posted by `schedule`, lives, and this thread is at its home; each
/// posting is received once.
pub(crate) unsafe fn receive(task: NonNull<Header>) -> Received {
    // SAFETY: the caller vouches for it; the borrow ends with the function.
    let header = unsafe { task.as_ref() };
    let local = header.life.local();
    match local.expect("only local tasks are posted").near.receive() {
        Receive::Queue => Received::Queue(Runnable(task)),
        Receive::Nothing => Received::Nothing,
        Receive::Over => Received::Over(ManuallyDrop::new(Task(task))),
    }
}

impl Drop for Runnable {
    #[inline]
    fn drop(&mut self) {
        // Only a bug of the executor gets here. The task leaks, as its owned
        // reference stays, which is sound; a debug build says so.
        debug_assert!(
            std::thread::panicking(),
            "a queue entry was dropped: its task would never run again"
        );
    }
}
