//! Choices to make before an executor starts.

use std::any::Any;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::blocking::{Pool, Surround};
use crate::debug::{DebugMode, Reporter};
use crate::driver::{Driver, ParkDriver};
use crate::executor::Executor;
use crate::idle::{Idle, MOST_WORKERS};
use crate::queue;
use crate::shared::{Factory, Flavour, Many, Observers, Only, Shared, WorkerShared};
use crate::trace::{ClockFn, Recorder, Tracer};
use crate::unobserved::{Hook, Unobserved};
use crate::vigil::Vigil;

/// Slots of a worker's queue before it first grows.
const QUEUE_CAPACITY: usize = 256;

/// Choices to make before an [`Executor`] starts.
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    workers: Option<usize>,
    name: String,
    blocking_threads: usize,
    blocking_stack: Option<usize>,
    blocking_surround: Option<Surround>,
    cleanup_grace: Duration,
    unobserved: Option<Hook>,
    debug: DebugMode,
    recorder: Option<Recorder>,
    clock: ClockFn,
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
            blocking_surround: None,
            cleanup_grace: Duration::from_secs(1),
            unobserved: None,
            debug: DebugMode::default(),
            recorder: None,
            clock: Arc::new(Instant::now),
            worker_driver: Box::new(|_worker| Ok(Box::new(ParkDriver::new()))),
            root_driver: Box::new(|()| Ok(Box::new(ParkDriver::new()))),
        }
    }

    /// How many workers run tasks. One runs them on the thread of `block_on`.
    ///
    /// # Panics
    ///
    /// If `workers` is zero, or more than 65,535.
    #[track_caller]
    pub fn workers(mut self, workers: usize) -> Builder {
        assert!(workers > 0, "an executor needs at least one worker");
        assert!(
            workers <= MOST_WORKERS,
            "{workers} workers are more than 65,535"
        );
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

    /// Called on each thread for blocking jobs when it starts; what it returns
    /// is dropped when the thread ends. For what a thread's code finds there,
    /// such as a clock.
    pub fn blocking_surround<M>(mut self, make: M) -> Builder
    where
        M: Fn() -> Box<dyn Any> + Send + Sync + 'static,
    {
        self.blocking_surround = Some(Box::new(make));
        self
    }

    /// What cleanups have at least when the executor ends, after its tasks were
    /// dropped (a second unless told): also if the shutdown's grace is over, and
    /// in a plain drop. Without any cleanups nothing is waited for, nor in a drop
    /// inside of a task.
    pub fn cleanup_grace(mut self, grace: Duration) -> Builder {
        self.cleanup_grace = grace;
        self
    }

    /// What is told of failures that nobody waits for any more: the panic of a
    /// task whose handle is gone or was dropped unread; one in a scope or a set of tasks
    /// that was dropped before it could report it, or reports another; the error of a
    /// [`try_shield`](crate::try_shield) whose waiter has left.
    ///
    /// It is called where the output is dropped, in the midst of a worker's
    /// work: it must not block. Its own panic is caught.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use wakeline_executor::{Executor, spawn, yield_now};
    ///
    /// let (failures, told) = mpsc::channel();
    /// let executor = Executor::builder()
    ///     .workers(1)
    ///     .on_unobserved(move |failure| failures.send(failure.to_string()).unwrap())
    ///     .build()?;
    /// executor.block_on(async {
    ///     drop(spawn(async { panic!("nobody sees this") }));
    ///     yield_now().await;
    /// });
    /// assert!(told.try_recv().unwrap().contains("nobody sees this"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_unobserved(
        mut self,
        hook: impl Fn(&Unobserved<'_>) + Send + Sync + 'static,
    ) -> Builder {
        self.unobserved = Some(Arc::new(hook));
        self
    }

    /// Debug mode: `true`, `false`, or a [`DebugConfig`](crate::debug::DebugConfig)
    /// for on with other than the default choices.
    ///
    /// It reports polls that take too long, failures of tasks that nobody has
    /// looked at, and tasks that end without ever having run. If this is not
    /// called, `WAKELINE_DEBUG=1` in the environment turns it on; `0` or nothing
    /// leaves it off, and anything else is an error of [`build`](Builder::build).
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::Executor;
    ///
    /// let executor = Executor::builder().workers(1).debug(true).build()?;
    /// executor.block_on(async {}); // nothing to report
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn debug(mut self, debug: impl Into<DebugMode>) -> Builder {
        self.debug = debug.into();
        self
    }

    /// Has what the tasks do written down, from their spawn to their end; see
    /// [`trace`](crate::trace). One recorder may be given to several executors.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::Executor;
    /// use wakeline_executor::trace::Recorder;
    ///
    /// let recorder = Recorder::new(1_000);
    /// let executor = Executor::builder().workers(1).recorder(&recorder).build()?;
    /// executor.block_on(async {});
    /// assert_eq!(recorder.timeline().tasks.len(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn recorder(mut self, recorder: &Recorder) -> Builder {
        self.recorder = Some(recorder.clone());
        self
    }

    /// What a recorder's events are timed by; [`Instant::now`] unless told. It is
    /// called from any thread, in the midst of its work, and must not block.
    pub fn clock(mut self, clock: impl Fn() -> Instant + Send + Sync + 'static) -> Builder {
        self.clock = Arc::new(clock);
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
    /// makes its driver in the first `block_on` instead. If `WAKELINE_DEBUG` is
    /// read and is neither `1` nor `0`
    /// ([`InvalidInput`](io::ErrorKind::InvalidInput)).
    #[track_caller]
    pub fn build(self) -> io::Result<Executor> {
        let made_at = Location::caller();
        let workers = self.worker_count();
        let debug = self.debug.config()?.map(|it| Arc::new(Reporter::new(it)));
        let clock = self.clock;
        let tracer = |recorder| Arc::new(Tracer::new(recorder, clock));
        let observers = Observers {
            on_unobserved: self.unobserved,
            debug,
            trace: self.recorder.map(tracer),
        };
        let pool = Pool::new(
            self.blocking_threads,
            &self.name,
            self.blocking_stack,
            self.blocking_surround,
        );
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
                self.cleanup_grace,
                observers,
                made_at,
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
                    deputy: OnceLock::new(),
                    counters: Arc::default(),
                }
            })
            .collect();
        let flavour = Flavour::Many(Many {
            idle: Idle::new(workers.len()),
            vigil: Vigil::new(workers.len()),
            workers,
        });
        let shared = Arc::new(Shared::new(
            flavour,
            self.worker_driver,
            self.root_driver,
            pool,
            self.cleanup_grace,
            observers,
            made_at,
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
