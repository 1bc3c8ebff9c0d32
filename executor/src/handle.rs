//! `Handle`: an executor, from any thread.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::sync::Arc;
use wakeline_context::LateWake;

use wakeline_context::{AnyToken, budget, current_token, install_token};
use wakeline_sync::cancel::Node;

use crate::blocking::{Blocking, Job};
use crate::context;
use crate::debug::Dump;
use crate::metrics::Metrics;
use crate::shared::Shared;
use crate::task::{self, JoinHandle, Origin, TaskInfo};

/// A handle to an executor: spawns from any thread, and outlives it harmlessly.
///
/// Once the executor has ended, what is spawned is dropped unpolled and its
/// handle resolves as cancelled.
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
}

impl Handle {
    /// The handle of the runtime that this thread is in.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, with advice.
    #[must_use]
    #[track_caller]
    pub fn current() -> Handle {
        Handle::try_current()
            .expect("no runtime on this thread: call this inside `block_on` or a task")
    }

    /// The handle of the runtime that this thread is in, if it is in one.
    #[must_use]
    pub fn try_current() -> Option<Handle> {
        context::shared().map(|shared| Handle { shared })
    }

    /// Queues `future` as a task, from any thread.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.shared.spawn(future, Origin::here(Location::caller()))
    }

    pub(crate) fn spawn_with<F>(&self, future: F, origin: Origin) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.shared.spawn(future, origin)
    }

    /// Runs `job` on a thread that may block; see [`spawn_blocking`](crate::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let pool = &self.shared.pool;
        let future = Once {
            job: Some(job),
            token: current_token(),
        };
        let ticket = pool.ticket();
        let scheduler = Blocking {
            shared: Arc::clone(&self.shared),
            ticket,
            spawner: self.spawners_node(),
        };
        let origin = Origin::here(Location::caller());
        let (owned, handle, runnable) = task::new(future, scheduler, || origin);
        match pool.owned.insert(owned) {
            Err(_closed) => runnable.cancel(),
            Ok(()) => match pool.submit(ticket, Job::Task(runnable), &self.shared) {
                Err((Job::Task(runnable), _)) if self.shared.is_closing() => runnable.cancel(),
                Err((Job::Task(runnable), error)) => runnable.refuse(error),
                _ => {}
            },
        }
        // SAFETY: `handle` is the handle's reference of a task with this output.
        unsafe { JoinHandle::new(handle) }
    }

    /// The node of the spawner, for whom a job works; none if that is no part of this
    /// runtime, as it shall not keep the end of this one from the job.
    fn spawners_node(&self) -> Option<Node> {
        let same = context::shared().is_some_and(|here| Arc::ptr_eq(&here, &self.shared));
        same.then(task::cancel_node).flatten()
    }

    /// Queues `future` on the runtime's cleanup lane.
    ///
    /// Such a task is taken also while the runtime shuts down, and may go on
    /// after the other tasks have been dropped: see [`Executor::shutdown`](crate::Executor::shutdown).
    /// Its node in the cancel tree does not hear that the runtime ends.
    #[doc(hidden)]
    #[track_caller]
    pub fn spawn_cleanup<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.shared
            .spawn_cleanup(future, Origin::here(Location::caller()))
    }

    /// Queues a plain job on the blocking pool: no task, no handle. For
    /// drivers whose operations can only block. Whom it returns is woken as the last
    /// thing that its thread does for it; that wake must not wait for another job.
    ///
    /// # Errors
    ///
    /// If the executor has ended, or no thread can be started for the job.
    pub fn offload(&self, job: Box<dyn FnOnce() -> LateWake + Send>) -> io::Result<()> {
        let pool = &self.shared.pool;
        let refused = pool.submit(pool.ticket(), Job::Plain(job), &self.shared);
        // The job is dropped here, outside of the pool's lock.
        refused.map_err(|(_job, error)| error)
    }

    /// Runs `future` to its end on the calling thread.
    ///
    /// If that thread is the one that drives a one-worker executor, its tasks
    /// run too; any other thread polls only this future and its local tasks. Of a
    /// one-worker executor the first thread that calls becomes that one, unless it is of
    /// its own blocking pool; with the end of that thread the executor ends.
    ///
    /// # Panics
    ///
    /// If the future panics; inside a task or another `block_on`, with advice;
    /// if no driver can be set up for the thread, with the reason.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        crate::block_on::block_on(&self.shared, future)
    }

    /// The executor's tasks that are not complete, each at some moment, by their ids;
    /// those of the cleanup lane last. What only another thread may run is missing if the
    /// system refuses `membarrier(2)` to this one after the executor was built.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskInfo> {
        let mut tasks = self.shared.tasks();
        tasks.extend(self.shared.cleanups.infos());
        tasks
    }

    /// The executor's tasks, cleanups and blocking jobs, and who waits for whom:
    /// to print, or to look into.
    ///
    /// It asks nothing of the tasks and waits for none, so it also works while
    /// every worker is stuck.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::{Executor, Handle, spawn, task, yield_now};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// let dump = executor.block_on(async {
    ///     let patient = spawn(std::future::pending::<()>());
    ///     let waiter = task::Builder::new().name("waiter").spawn(patient);
    ///     yield_now().await;
    ///     drop(waiter);
    ///     Handle::current().dump()
    /// });
    /// assert_eq!(dump.tasks.len(), 2);
    /// assert!(dump.to_string().contains("\"waiter\" Idle, spawned at "));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn dump(&self) -> Dump {
        self.shared.dump()
    }

    /// What the workers have done since the start.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.shared.metrics()
    }

    /// Makes this runtime the current one of a thread that runs no tasks, so
    /// that free functions such as [`spawn`](crate::spawn) find it. Of several the last
    /// that is entered counts; they are left in any order.
    #[must_use = "the thread leaves the runtime when the guard is dropped"]
    pub fn enter(&self) -> EnterGuard {
        EnterGuard {
            _entered: context::enter_shared(Arc::clone(&self.shared)),
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("tasks", &self.shared.task_count())
            .finish_non_exhaustive()
    }
}

/// The guard of [`Handle::enter`].
pub struct EnterGuard {
    _entered: context::EnteredShared,
}

impl fmt::Debug for EnterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnterGuard")
    }
}

/// A blocking job as a future that is ready at its first poll.
struct Once<F> {
    job: Option<F>,
    /// In force where it was spawned: unlike a task it is part of what awaits it.
    token: Option<AnyToken>,
}

impl<F> Unpin for Once<F> {}

impl<T, F: FnOnce() -> T> Future for Once<F> {
    type Output = T;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<T> {
        let job = self.job.take().expect("a blocking job is polled once");
        let _token = install_token(self.token.take());
        // A job is no poll: what it blocks in must never be told to yield, as
        // nothing refills its units before it ends.
        std::task::Poll::Ready(budget::unlimited(job))
    }
}
