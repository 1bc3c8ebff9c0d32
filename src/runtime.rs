//! `Runtime`: an executor whose workers each turn a reactor of their own.

mod builder;
mod recorder;

use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;

use wakeline_context::chance;
use wakeline_executor::{Executor, Handle, JoinHandle, ShutdownReport, Turn};
use wakeline_reactor::Backend;

pub use builder::Builder;

/// Runs tasks, and turns kernel events into their wakes.
///
/// With one worker, tasks run on the thread that first calls
/// [`block_on`](Runtime::block_on), and only while it does: the runtime is bound to that
/// thread, as its ring or epoll is, and ends with it. With more, each
/// worker is a thread of its own, and the future given to `block_on` runs on
/// the calling thread beside them.
///
/// A task that blocks its thread also stops the sockets and timers that wait
/// there: what may block belongs into [`spawn_blocking`](crate::spawn_blocking).
///
/// Dropping a runtime drops its tasks where they stand and waits for nothing
/// that could take long; [`shutdown`](Runtime::shutdown) gives them time and
/// tells what became of them.
///
/// # Example
///
/// ```
/// let runtime = wakeline::Runtime::builder().workers(1).build()?;
/// let sum = runtime.block_on(async {
///     let two = wakeline::spawn(async { 2 });
///     1 + two.await.unwrap()
/// });
/// assert_eq!(sum, 3);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Runtime {
    executor: Executor,
    backend: Backend,
    /// Whether what is drawn repeats itself.
    start_paused: bool,
}

impl Runtime {
    /// A runtime with the defaults of [`Builder`].
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    #[track_caller]
    pub fn new() -> io::Result<Runtime> {
        Builder::new().build()
    }

    /// Choices to make before a runtime starts.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Runs `future` to its end on the calling thread and returns its output.
    ///
    /// # Panics
    ///
    /// If the future panics, with its panic; if the thread already runs a
    /// task or a `block_on`, with advice.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        // With time paused a program repeats itself: what is drawn too.
        let _seeded = self.start_paused.then(|| chance::seeded(0));
        self.executor.block_on(future)
    }

    /// Polls each task that is ready once, takes one turn of the driver, and polls
    /// each that is ready then: to run a one-worker runtime inside of another loop.
    ///
    /// If none is ready before the turn, and none has ended, that sleeps until one is,
    /// at most for `limit`; with zero it never sleeps.
    ///
    /// # Errors
    ///
    /// If the runtime has several workers
    /// ([`Unsupported`](io::ErrorKind::Unsupported)); if it is bound to another
    /// thread; if its driver cannot be set up or is broken.
    ///
    /// # Panics
    ///
    /// Inside a task or a `block_on`, with advice.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = wakeline::Runtime::builder().workers(1).build()?;
    /// let nap = runtime.spawn(wakeline::time::sleep(Duration::from_millis(1)));
    /// while !nap.is_finished() {
    ///     runtime.poll_once(Duration::from_millis(16))?; // a frame's time, at most
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn poll_once(&self, limit: Duration) -> io::Result<Turn> {
        self.executor.poll_once(limit)
    }

    /// Queues `future` as a task; see [`spawn`](crate::spawn).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.executor.spawn(future)
    }

    /// Runs `job` on a thread that may block; see
    /// [`spawn_blocking`](crate::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.executor.handle().spawn_blocking(job)
    }

    /// A handle that spawns from any thread.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.executor.handle()
    }

    /// Which driver the workers use, and why that one.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Ends the runtime: tasks may finish within `grace`, the rest are dropped.
    ///
    /// Those that listen to their cancel token are told at once, with
    /// [`Cause::Shutdown`](wakeline_context::Cause::Shutdown). After the rest were
    /// dropped, cleanups have what is left of the grace, and at least
    /// [`cleanup_grace`](Builder::cleanup_grace).
    ///
    /// Returns what became of them: who was cut off and where it waited,
    /// which blocking jobs still run, which operations the kernel still held.
    ///
    /// Inside a task or a `block_on`, whose thread must not wait for another, there is
    /// no grace: tasks are dropped at once, and nobody waits until their workers have
    /// ended. A job of [`spawn_blocking`](crate::spawn_blocking) can shut down another
    /// runtime with one. A runtime with one worker is shut down by the thread of its
    /// `block_on`, or its tasks do not go on in the meantime.
    #[track_caller]
    #[must_use = "the report tells who did not finish; drop the runtime if nobody asks"]
    pub fn shutdown(self, grace: Duration) -> ShutdownReport {
        self.executor.shutdown(grace)
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}

/// Runs `future` on a new runtime with the defaults, and returns its output.
///
/// # Panics
///
/// If the runtime cannot be started, with the reason, and as
/// [`Runtime::block_on`].
///
/// # Example
///
/// ```
/// let answer = wakeline::block_on(async { 6 * 7 });
/// assert_eq!(answer, 42);
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    match Runtime::new() {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => panic!("cannot start the runtime: {error}"),
    }
}
