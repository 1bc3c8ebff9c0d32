//! The task that the calling thread runs, and what is known of tasks.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;

use wakeline_context::WaitingOn;

use super::cell::Header;
use super::{Id, JoinHandle};
use crate::Handle;

thread_local! {
    /// The task that this thread polls or drops, if any.
    static RUNNING: Cell<Option<NonNull<Header>>> = const { Cell::new(None) };
}

/// Marks a task as the one that this thread runs, until it is dropped.
pub(super) struct Entered {
    before: Option<NonNull<Header>>,
}

impl Entered {
    /// `task` must stay alive until this is dropped or `finish` is called.
    pub(super) fn new(task: NonNull<Header>) -> Entered {
        Entered {
            before: RUNNING.replace(Some(task)),
        }
    }

    /// The task may be freed from here on.
    pub(super) fn finish(&self) {
        RUNNING.set(self.before);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        RUNNING.set(self.before);
    }
}

/// The running task, as [`current`] tells it.
#[derive(Clone, Debug)]
pub struct Current {
    id: Id,
    name: Option<Arc<str>>,
    spawned_at: &'static Location<'static>,
}

impl Current {
    /// The task's id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.id
    }

    /// The task's name, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The line that spawned the task.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }
}

/// The task that runs this code; also in its destructors and in a blocking job.
///
/// # Panics
///
/// Outside of a task; the future of a `block_on` is none.
/// [`try_current`] asks without panicking.
#[must_use]
#[track_caller]
pub fn current() -> Current {
    try_current().expect("no task runs on this thread: call this inside a spawned future")
}

/// The task that runs this code, if one does.
#[must_use]
pub fn try_current() -> Option<Current> {
    RUNNING.get().map(|task| {
        // SAFETY: `Entered` is only made by a running task, which lives until
        // it calls `finish` or drops the mark; both happen on this thread.
        let header = unsafe { task.as_ref() };
        Current {
            id: header.id,
            name: header.name.clone(),
            spawned_at: header.spawned_at,
        }
    })
}

/// What a task does at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskState {
    /// In a run queue.
    Queued,
    /// Being polled or dropped.
    Running,
    /// Waiting to be woken.
    Idle,
    /// Ended.
    Complete,
}

impl TaskState {
    pub(super) fn from_word(word: &str) -> TaskState {
        match word {
            "queued" => TaskState::Queued,
            "running" => TaskState::Running,
            "idle" => TaskState::Idle,
            _ => TaskState::Complete,
        }
    }
}

/// One task, as a task list shows it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its id.
    pub id: Id,
    /// Its name, if it was given one.
    pub name: Option<Arc<str>>,
    /// What it did when the list was made.
    pub state: TaskState,
    /// The line that spawned it.
    pub spawned_at: &'static Location<'static>,
    /// What it waited for last, and at which line.
    pub waiting_on: Option<WaitingOn>,
}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " \"{name}\"")?;
        }
        write!(f, " {:?}, spawned at {}", self.state, self.spawned_at)?;
        match self.waiting_on {
            Some(waiting) if self.state == TaskState::Idle => write!(f, ", waits for {waiting}"),
            _ => Ok(()),
        }
    }
}

/// Choices to make before a task is spawned.
///
/// # Example
///
/// ```
/// use wakeline_executor::{Executor, task};
///
/// let executor = Executor::builder().workers(1).build()?;
/// executor.block_on(async {
///     let handle = task::Builder::new().name("answer").spawn(async { 42 });
///     assert_eq!(handle.name(), Some("answer"));
///     assert_eq!(handle.await.unwrap(), 42);
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `spawn`"]
pub struct Builder {
    name: Option<Arc<str>>,
}

impl Builder {
    /// A task without a name.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Names the task, for panics, task lists and errors.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// Spawns `future` on the current runtime, as [`spawn`](crate::spawn).
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_on(&Handle::current(), future)
    }

    /// Spawns `future` on the runtime of `handle`.
    #[track_caller]
    pub fn spawn_on<F>(self, handle: &Handle, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        handle.spawn_named(future, self.name, Location::caller())
    }

    /// Spawns `future` on this thread, as [`spawn_local`](crate::spawn_local).
    ///
    /// # Panics
    ///
    /// Outside of a `block_on` and of a worker.
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        crate::context::spawn_local(future, self.name, Location::caller())
    }
}
