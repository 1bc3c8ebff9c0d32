//! `Executor`: starts the workers, spawns, shuts down.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use wakeline_context::install_token;

use crate::block_on::{self, Core};
use crate::blocking::Pool;
use crate::context::{self, Context, Kind, Worker};
use crate::driver::{Driver, ParkDriver};
use crate::handle::Handle;
use crate::home::Home;
use crate::idle::Idle;
use crate::metrics::WorkerCounters;
use crate::queue::{self, Owner};
use crate::report::ShutdownReport;
use crate::shared::{Factory, Flavour, Many, Only, Shared, WorkerShared};
use crate::task::{Header, JoinHandle, Origin};
use crate::worker::{self, Progress, Root};

/// How long a drop waits for worker threads to end the poll they are in.
const DROP_LIMIT: Duration = Duration::from_secs(1);
/// Slots of a worker's queue before it first grows.
const QUEUE_CAPACITY: usize = 256;

/// Runs tasks on one thread or several.
///
/// Dropping it drops its tasks: those of worker threads are gone when the drop
/// returns, unless one is in a poll that takes longer than a second. Tasks of
/// a one-worker executor go with the drop on the thread that it is bound to; a
/// drop elsewhere leaves them to that thread's next `block_on`, or its end.
/// Inside of a task the drop waits for no other thread.
///
/// # Example
///
/// ```
/// use wakeline_executor::Executor;
///
/// let executor = Executor::builder().workers(2).build()?;
/// let handle = executor.spawn(async { 6 * 7 });
/// assert_eq!(executor.block_on(handle).unwrap(), 42);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Executor {
    shared: Arc<Shared>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
    /// `end` has run.
    ended: AtomicBool,
}

impl Executor {
    /// Choices to make before an executor starts.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Runs `future` to its end on the calling thread.
    ///
    /// # Panics
    ///
    /// As [`Handle::block_on`].
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        block_on::block_on(&self.shared, future)
    }

    /// Queues `future` as a task.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.shared.spawn(future, Origin::here(Location::caller()))
    }

    /// A handle that spawns from any thread.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Ends the executor: tasks may finish within `grace`, the rest are dropped.
    ///
    /// New tasks are refused from the start. A one-worker executor must be
    /// shut down by the thread that it is bound to for its tasks to go on in
    /// the meantime. Inside a task nothing is waited for.
    #[must_use = "the report tells who did not finish; drop the executor if nobody asks"]
    pub fn shutdown(self, grace: Duration) -> ShutdownReport {
        self.end(grace, true)
    }

    fn end(&self, grace: Duration, wait_for_jobs: bool) -> ShutdownReport {
        let shared = &self.shared;
        // The tasks that are dropped here are not under the caller's token.
        let _none = install_token(None);
        self.ended.store(true, Relaxed);
        let before = shared.task_count();
        shared.close();
        let may_wait = !context::is_entered();
        let grace = if may_wait { grace } else { Duration::ZERO };
        let deadline = std::time::Instant::now().checked_add(grace);
        let mut report = ShutdownReport::default();
        let cut_off = |report: &mut ShutdownReport| report.cut_off = shared.tasks();
        match &shared.flavour {
            Flavour::Many(_) => {
                if may_wait {
                    shared.wait_until(grace, |_alive| shared.task_count() == 0);
                }
                cut_off(&mut report);
                shared.abort_all();
                if may_wait && shared.wait_until(DROP_LIMIT, |alive| alive == 0) {
                    shared.cancel_left();
                    self.join_threads();
                }
                report.stuck_workers = shared.alive();
            }
            // Found also inside another executor's task, where its tasks are
            // dropped in the midst of that one: the grace is over then.
            Flavour::One(only) => match block_on::take_bound(shared) {
                // `enter` ends the core on its way out, as the executor is closing.
                Some(core) => core.enter(|context, driver| {
                    let mut root = block_on::UntilEmpty::new(context, deadline);
                    drop(worker::run(context, driver, &mut root));
                    cut_off(&mut report);
                }),
                None => {
                    cut_off(&mut report);
                    shared.abort_all();
                    // No thread has ever run them: they all wait in the queue,
                    // or are on their way into it.
                    while only.bound.get().is_none() && shared.task_count() > 0 {
                        let queued = shared.inject.take_all();
                        queued.for_each(|task| context::runnable(task).cancel());
                        thread::yield_now();
                    }
                }
            },
        }
        shared.pool.close();
        let left = deadline.map_or(Duration::MAX, |at| {
            at.saturating_duration_since(std::time::Instant::now())
        });
        let left = if wait_for_jobs && may_wait {
            left
        } else {
            Duration::ZERO
        };
        report.blocking_jobs_left = shared.pool.wait(left);
        report.finished = before.saturating_sub(report.cut_off.len());
        report.leaked_operations = shared.leaked_operations();
        report
    }

    /// The threads have left their loops; what is left are their destructors.
    fn join_threads(&self) {
        for thread in self
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            // A worker's panic has been told by the panic hook.
            drop(thread.join());
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        if !*self.ended.get_mut() {
            drop(self.end(Duration::ZERO, false));
        }
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("tasks", &self.shared.task_count())
            .finish_non_exhaustive()
    }
}

/// Choices to make before an [`Executor`] starts.
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    workers: Option<usize>,
    name: String,
    blocking_threads: usize,
    blocking_stack: Option<usize>,
    worker_driver: Factory<usize>,
    root_driver: Factory<()>,
}

impl Builder {
    /// As many workers as the process may use CPUs, and drivers that only park.
    pub fn new() -> Builder {
        Builder {
            workers: None,
            name: "wakeline".to_owned(),
            blocking_threads: 512,
            blocking_stack: None,
            worker_driver: Box::new(|_worker| Ok(Box::new(ParkDriver::new()))),
            root_driver: Box::new(|()| Ok(Box::new(ParkDriver::new()))),
        }
    }

    /// How many workers run tasks. One runs them on the thread of `block_on`.
    ///
    /// # Panics
    ///
    /// If `workers` is zero.
    #[track_caller]
    pub fn workers(mut self, workers: usize) -> Builder {
        assert!(workers > 0, "an executor needs at least one worker");
        self.workers = Some(workers);
        self
    }

    /// The name of the threads; worker 3 of "io" is "io-3".
    ///
    /// # Panics
    ///
    /// If the name contains a NUL, which no thread's name can.
    #[track_caller]
    pub fn thread_name(mut self, name: impl Into<String>) -> Builder {
        self.name = name.into();
        assert!(
            !self.name.contains('\0'),
            "a thread's name cannot contain a NUL"
        );
        self
    }

    /// How many threads may run blocking jobs at once (512 unless told); more
    /// jobs wait in a queue.
    ///
    /// # Panics
    ///
    /// If `threads` is zero.
    #[track_caller]
    pub fn blocking_threads(mut self, threads: usize) -> Builder {
        assert!(threads > 0, "blocking jobs need at least one thread");
        self.blocking_threads = threads;
        self
    }

    /// The stack of a thread for blocking jobs, in bytes; std's default unless told.
    pub fn blocking_stack_size(mut self, bytes: usize) -> Builder {
        self.blocking_stack = Some(bytes);
        self
    }

    /// What makes a worker's driver; called on the worker's thread with the
    /// worker's number.
    pub fn driver<M>(mut self, make: M) -> Builder
    where
        M: Fn(usize) -> io::Result<Box<dyn Driver>> + Send + Sync + 'static,
    {
        self.worker_driver = Box::new(make);
        self
    }

    /// What makes the driver of a thread that calls `block_on` and is no worker.
    pub fn root_driver<M>(mut self, make: M) -> Builder
    where
        M: Fn() -> io::Result<Box<dyn Driver>> + Send + Sync + 'static,
    {
        self.root_driver = Box::new(move |()| make());
        self
    }

    /// How many workers there will be.
    #[must_use]
    pub fn worker_count(&self) -> usize {
        self.workers
            .unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
    }

    /// Starts the executor.
    ///
    /// # Errors
    ///
    /// If a worker's thread or its driver cannot be had. A one-worker executor
    /// makes its driver in the first `block_on` instead.
    pub fn build(self) -> io::Result<Executor> {
        let workers = self.worker_count();
        let pool = Pool::new(self.blocking_threads, &self.name, self.blocking_stack);
        if workers == 1 {
            let flavour = Flavour::One(Only {
                bound: OnceLock::new(),
                counters: Arc::default(),
            });
            let shared = Arc::new(Shared::new(
                flavour,
                self.worker_driver,
                self.root_driver,
                pool,
            ));
            return Ok(Executor {
                shared,
                threads: Mutex::default(),
                ended: AtomicBool::new(false),
            });
        }
        let mut owners = Vec::new();
        let workers: Vec<WorkerShared> = (0..workers)
            .map(|_| {
                let (owner, stealer) = queue::deque::new(QUEUE_CAPACITY);
                owners.push(owner);
                WorkerShared {
                    stealer,
                    home: OnceLock::new(),
                    counters: Arc::default(),
                }
            })
            .collect();
        let flavour = Flavour::Many(Many {
            idle: Idle::new(workers.len()),
            workers,
        });
        let shared = Arc::new(Shared::new(
            flavour,
            self.worker_driver,
            self.root_driver,
            pool,
        ));
        let executor = Executor {
            shared,
            threads: Mutex::default(),
            ended: AtomicBool::new(false),
        };
        executor.start(owners, &self.name)?;
        Ok(executor)
    }
}

impl Executor {
    /// Starts the worker threads and waits until each has its driver. On an
    /// error the drop of the executor ends those that have started.
    fn start(&self, owners: Vec<Owner<Header>>, name: &str) -> io::Result<()> {
        let (ready, answers) = mpsc::channel();
        let expected = owners.len();
        for (index, queue) in owners.into_iter().enumerate() {
            let (shared, ready) = (Arc::clone(&self.shared), ready.clone());
            let builder = thread::Builder::new().name(format!("{name}-{index}"));
            shared.worker_started();
            let spawned = builder.spawn(move || run_worker(&shared, index, queue, ready));
            match spawned {
                Ok(thread) => self
                    .threads
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(thread),
                Err(error) => {
                    self.shared.worker_ended();
                    return Err(io::Error::new(
                        error.kind(),
                        format!("start worker {index}: {error}"),
                    ));
                }
            }
        }
        drop(ready);
        for _ in 0..expected {
            // A worker that dies before it answers has panicked in the factory.
            answers
                .recv()
                .unwrap_or_else(|_| Err(io::Error::other("a worker panicked while it started")))?;
        }
        Ok(())
    }
}

/// A worker thread's life.
fn run_worker(
    shared: &Arc<Shared>,
    index: usize,
    queue: Owner<Header>,
    ready: mpsc::Sender<io::Result<()>>,
) {
    /// Counted also if the driver's factory or the loop panics.
    struct Ended<'a>(&'a Shared);
    impl Drop for Ended<'_> {
        fn drop(&mut self) {
            if thread::panicking() {
                // One worker less is a broken executor; the others finish.
                self.0.close();
            }
            self.0.worker_ended();
        }
    }
    let _ended = Ended(shared);
    let Flavour::Many(many) = &shared.flavour else {
        unreachable!("only these have worker threads")
    };
    let driver = match (shared.worker_driver)(index) {
        Ok(driver) => driver,
        Err(error) => {
            let error = io::Error::new(
                error.kind(),
                format!("set up the driver of worker {index}: {error}"),
            );
            // Nobody listens if another worker has failed before.
            drop(ready.send(Err(error)));
            return;
        }
    };
    let home = Arc::new(Home::new(driver.interrupt()));
    let counters: Arc<WorkerCounters> = Arc::clone(&many.workers[index].counters);
    assert!(
        many.workers[index].home.set(Arc::clone(&home)).is_ok(),
        "a worker has one thread"
    );
    drop(ready.send(Ok(())));
    // The sender must go now: `start` learns from the last one's end that a
    // worker died without an answer.
    drop(ready);
    let context = Context::new(
        Arc::clone(shared),
        home,
        counters,
        Kind::Worker(Worker::new(index, queue)),
    );
    let core = Core::new(context, driver);
    if let Err(error) =
        core.enter(|context, driver| worker::run(context, driver, &mut UntilClosed(shared)))
    {
        shared.close();
        panic!("the driver of worker {index} failed, its executor ends: {error}");
    }
}

/// Runs tasks until the executor is closing and none is left anywhere.
struct UntilClosed<'a>(&'a Shared);

impl Root for UntilClosed<'_> {
    type Output = ();

    fn poll(&mut self) -> Progress<()> {
        if self.0.is_closing() && self.0.task_count() == 0 {
            Progress::Done(())
        } else {
            Progress::Nothing
        }
    }
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("workers", &self.worker_count())
            .field("name", &self.name)
            .field("blocking_threads", &self.blocking_threads)
            .finish_non_exhaustive()
    }
}
