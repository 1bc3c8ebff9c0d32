//! The task that the calling thread runs, and what is known of tasks.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use wakeline_context::{Locals, WaitingOn};

use super::cell::Origin;
use super::running::{Running, running};
use super::{Id, JoinHandle};
use crate::Handle;
use crate::debug::{Subject, SubjectKind};
use crate::shared::Shared;

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

    fn of(running: Running) -> Current {
        match running {
            Running::Task(task) => {
                // SAFETY: what stands there lives until it is taken away, by this thread.
                let header = unsafe { task.as_ref() };
                Current {
                    id: header.id,
                    name: header.name.clone(),
                    spawned_at: header.spawned_at,
                }
            }
            Running::Root(root) => {
                // SAFETY: as above.
                let root = unsafe { root.as_ref() };
                Current {
                    id: root.id(),
                    name: None,
                    spawned_at: root.at(),
                }
            }
        }
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
    let running = running().filter(|running| matches!(running, Running::Task(_)));
    running.map(Current::of)
}

/// Who runs here, a task or the future of a `block_on`, as reports tell it.
pub(crate) fn subject_here() -> Option<(Subject, Id)> {
    let running = running()?;
    let kind = match running {
        Running::Task(_) => SubjectKind::Task,
        Running::Root(_) => SubjectKind::Root,
    };
    let Current {
        id,
        name,
        spawned_at,
    } = Current::of(running);
    let subject = Subject {
        kind,
        id: Some(id),
        name,
        spawned_at,
    };
    Some((subject, id))
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
    /// Whether it was polled and has come to a point where it waits.
    pub started: bool,
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
    locals: Option<Locals>,
    at: Option<&'static Location<'static>>,
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

    /// Gives the task these values of [`context_local!`](wakeline_context::context_local)
    /// variables instead of the spawner's: [`Locals::current`] takes those in force
    /// somewhere, [`Locals::empty`] gives it none.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_context::context_local;
    /// use wakeline_context::local::Locals;
    /// use wakeline_executor::{Executor, task};
    ///
    /// context_local! {
    ///     static REQUEST: u32;
    /// }
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// executor.block_on(REQUEST.scope(7, async {
    ///     let of_the_request = Locals::current();
    ///     let housekeeping = task::Builder::new().context(Locals::empty());
    ///     let ended = housekeeping.spawn(async move {
    ///         assert!(REQUEST.try_get().is_err());
    ///         let back = task::Builder::new().context(of_the_request);
    ///         back.spawn(async { REQUEST.get() }).await
    ///     });
    ///     assert_eq!(ended.await.unwrap().unwrap(), 7);
    /// }));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn context(mut self, locals: Locals) -> Builder {
        self.locals = Some(locals);
        self
    }

    /// The line that reports name, for code that spawns on behalf of its caller.
    #[doc(hidden)]
    pub fn at(mut self, location: &'static Location<'static>) -> Builder {
        self.at = Some(location);
        self
    }

    fn origin(self, at: &'static Location<'static>) -> Origin {
        Origin {
            at: self.at.unwrap_or(at),
            name: self.name,
            locals: self.locals.unwrap_or_else(Locals::current),
        }
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
        Shared::spawn_here(future, self.origin(Location::caller()))
    }

    /// Spawns `future` on the runtime of `handle`.
    #[track_caller]
    pub fn spawn_on<F>(self, handle: &Handle, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        handle.spawn_with(future, self.origin(Location::caller()))
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
        let here = Location::caller();
        crate::context::spawn_local(future, || self.origin(here))
    }
}
