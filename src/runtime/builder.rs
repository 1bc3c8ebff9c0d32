//! What can be chosen before a runtime starts.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use wakeline_executor::debug::DebugMode;
use wakeline_executor::{self as executor, Unobserved};
use wakeline_reactor::{Clock, Config, DriverKind};

use super::Runtime;
use crate::driver::{BlockingPool, Guest, Worker};

/// Choices to make before a runtime starts.
///
/// # Example
///
/// ```
/// use wakeline::{Driver, Runtime};
///
/// let runtime = Runtime::builder().workers(2).driver(Driver::Epoll).thread_name("io").build()?;
/// assert_eq!(runtime.backend().name(), "epoll");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    pub(super) executor: executor::Builder,
    config: Config,
    start_paused: bool,
    /// `workers` was called.
    workers_chosen: bool,
}

impl Builder {
    /// As many workers as the process may use CPUs, the best driver there is.
    pub fn new() -> Builder {
        Builder {
            executor: executor::Builder::new(),
            config: Config::default(),
            start_paused: false,
            workers_chosen: false,
        }
    }

    /// How many workers run tasks. One runs them on the thread that first calls
    /// `block_on` and is none of its own blocking pool; that thread is then its own: from
    /// another, tasks run only while that one is in a `block_on`, and they end with it. A
    /// runtime for several threads, as in a `static`, needs two.
    ///
    /// Of several workers one that is idle looks after the sockets of another that runs
    /// one task for long: who waits for them is woken, and runs there. Not so after
    /// its timers, its listeners, and tasks that belong to its thread; and the first
    /// time nobody may notice before it is over.
    ///
    /// # Panics
    ///
    /// If `workers` is zero, or more than 65,535.
    #[track_caller]
    pub fn workers(mut self, workers: usize) -> Builder {
        self.executor = self.executor.workers(workers);
        self.workers_chosen = true;
        self
    }

    /// Whether the runtime begins with its [time paused](crate::time::pause), so
    /// that it passes only when all is blocked. One worker then, unless told.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline::{Runtime, time};
    ///
    /// let runtime = Runtime::builder().start_paused(true).build()?;
    /// let waited = runtime.block_on(async {
    ///     let start = time::now();
    ///     time::sleep(Duration::from_secs(3_600)).await; // at once
    ///     time::now() - start
    /// });
    /// assert_eq!(waited, Duration::from_secs(3_600));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start_paused(mut self, paused: bool) -> Builder {
        self.start_paused = paused;
        self
    }

    /// How large the rings of io_uring are, in entries: submissions and
    /// completions, each rounded up to a power of two; 256 and 1,024 unless told.
    ///
    /// Small ones cost less locked memory and, under load, more calls; what has
    /// no room is kept by the kernel and is not lost. At least 8 each.
    ///
    /// # Example
    ///
    /// ```
    /// let runtime = wakeline::Runtime::builder().ring_entries(64, 256).build()?;
    /// runtime.block_on(async {});
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn ring_entries(mut self, submissions: u32, completions: u32) -> Builder {
        let config = self.config.ring_entries(submissions);
        self.config = config.ring_completions(completions);
        self
    }

    /// How long a worker that has nothing to do looks again before it sleeps;
    /// zero unless told, which is not at all.
    ///
    /// A sleep and its end cost some microseconds, so with few connections, each
    /// answered at once, looking for 50 µs can double the throughput. It costs
    /// all of a processor meanwhile: give it one to spare for each worker. Where
    /// it finds nothing several times in a row it is done more rarely.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = wakeline::Runtime::builder().workers(1).spin(Duration::from_micros(50)).build()?;
    /// runtime.block_on(async {});
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn spin(mut self, limit: Duration) -> Builder {
        self.config = self.config.spin(limit);
        self
    }

    /// Which driver to use: [`Auto`](DriverKind::Auto) probes for io_uring and
    /// falls back to epoll. `WAKELINE_DRIVER=uring|epoll|auto` in the
    /// environment replaces `Auto`, never an explicit choice.
    pub fn driver(mut self, driver: DriverKind) -> Builder {
        self.config = self.config.driver(driver);
        self
    }

    /// The workers' thread name; worker 3 of "io" is "io-3".
    ///
    /// # Panics
    ///
    /// If the name contains a NUL.
    #[track_caller]
    pub fn thread_name(mut self, name: impl Into<String>) -> Builder {
        self.executor = self.executor.thread_name(name);
        self
    }

    /// How many threads may run blocking jobs at once; more jobs queue.
    ///
    /// # Panics
    ///
    /// If `threads` is zero.
    #[track_caller]
    pub fn blocking_threads(mut self, threads: usize) -> Builder {
        self.executor = self.executor.blocking_threads(threads);
        self
    }

    /// What is told of failures that nobody waits for any more: the panic of a
    /// task whose handle is gone or was dropped unread; one in a scope or a set of tasks
    /// that was dropped before it could report it, or reports another; the error of a
    /// [`try_shield`](crate::try_shield) whose waiter has left; of a server without a
    /// hook of its own, panics of handlers and errors of `accept`. Errors that tasks and
    /// handlers return are none of it: debug mode tells of those.
    ///
    /// It may be told after the runtime is gone, by what outlived it.
    ///
    /// It is called in the midst of a worker's work and must not block.
    pub fn on_unobserved(
        mut self,
        hook: impl Fn(&Unobserved<'_>) + Send + Sync + 'static,
    ) -> Builder {
        self.executor = self.executor.on_unobserved(hook);
        self
    }

    /// What cleanups have at least when the runtime ends, after its tasks were
    /// dropped (a second unless told): also in a plain drop, except for one
    /// inside of a task. Without any cleanups nothing is waited for.
    pub fn cleanup_grace(mut self, grace: Duration) -> Builder {
        self.executor = self.executor.cleanup_grace(grace);
        self
    }

    /// Debug mode: `true`, `false`, or a [`DebugConfig`](crate::debug::DebugConfig)
    /// for on with other than the default choices.
    ///
    /// It reports polls that take too long, failures of tasks that nobody has
    /// looked at, and tasks that end without ever having run: see
    /// [`debug`](crate::debug). If this is not called, `WAKELINE_DEBUG=1` in the
    /// environment turns it on; `0` or nothing leaves it off, and anything else
    /// is an error of [`build`](Builder::build).
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use wakeline::Runtime;
    /// use wakeline::debug::{DebugConfig, Finding};
    ///
    /// let (reports, told) = mpsc::channel();
    /// let debug = DebugConfig::new().on_report(move |report| drop(reports.send(report.clone())));
    /// let runtime = Runtime::builder().workers(1).debug(debug).build()?;
    /// runtime.block_on(async {
    ///     drop(wakeline::spawn(async { Err::<(), _>("disk full") })); // nobody will see it
    ///     wakeline::yield_now().await;
    /// });
    /// let report = told.try_recv().unwrap();
    /// assert!(matches!(report.finding, Finding::Unobserved { .. }));
    /// assert!(report.to_string().ends_with(": disk full"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn debug(mut self, debug: impl Into<DebugMode>) -> Builder {
        self.executor = self.executor.debug(debug);
        self
    }

    /// Starts the runtime.
    ///
    /// # Errors
    ///
    /// If no driver can be set up or a thread cannot be started. The error
    /// names the likely cause: the limit of descriptors, of locked memory, a
    /// sandbox, an old kernel. If `WAKELINE_DEBUG` is read and is neither `1` nor
    /// `0`, with [`InvalidInput`](io::ErrorKind::InvalidInput).
    ///
    /// # Panics
    ///
    /// If time is to start paused and several workers were asked for.
    #[track_caller]
    pub fn build(mut self) -> io::Result<Runtime> {
        if self.start_paused && !self.workers_chosen {
            self.executor = self.executor.workers(1);
        }
        let workers = self.executor.worker_count();
        assert!(
            !self.start_paused || workers == 1,
            "time starts paused only with one worker, not with {workers}: time must not jump while another worker \
             is at work"
        );
        let backend = wakeline_reactor::probe(&self.config)?;
        let mut of_worker = self.config.offload(Arc::new(BlockingPool));
        // A thread that only visits sleeps as it would without us.
        let guests = Arc::new(of_worker.clone().spin(Duration::ZERO));
        if workers == 1 {
            let clock = if self.start_paused {
                Clock::stopped()
            } else {
                Clock::new()
            };
            of_worker = of_worker.clock(clock.clone());
            let traced = clock.clone();
            self.executor = self.executor.clock(move || traced.now());
            self.executor = self
                .executor
                .blocking_surround(move || Box::new(clock.enter()));
        }
        let executor = self
            .executor
            .driver(move |_worker| Ok(Box::new(Worker::new(&of_worker)?)))
            .root_driver(move || Ok(Box::new(Guest::new(Arc::clone(&guests)))))
            .build()?;
        Ok(Runtime {
            executor,
            backend,
            start_paused: self.start_paused,
        })
    }
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}
