//! `Executor`: starts the workers and spawns; `end.rs` has its end.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, fence};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::block_on::{self, Core};
use crate::builder::Builder;
use crate::context::{Context, Kind, Worker};
use crate::handle::Handle;
use crate::home::Home;
use crate::metrics::WorkerCounters;
use crate::queue::Owner;
use crate::shared::{Flavour, Shared};
use crate::task::{Header, JoinHandle, Origin};
use crate::worker::{self, Progress, Root};

/// Runs tasks on one thread or several.
///
/// Dropping it drops its tasks and then gives cleanups their time
/// ([`Builder::cleanup_grace`]): those of worker threads are gone when the drop
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
    pub(crate) shared: Arc<Shared>,
    pub(crate) threads: Mutex<Vec<thread::JoinHandle<()>>>,
    /// `end` has run.
    pub(crate) ended: AtomicBool,
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
}

impl Drop for Executor {
    fn drop(&mut self) {
        if !*self.ended.get_mut() {
            drop(self.end(Duration::ZERO, false, self.shared.made_at));
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

impl Executor {
    /// Starts the worker threads and waits until each has its driver. On an
    /// error the drop of the executor ends those that have started.
    pub(crate) fn start(&self, owners: Vec<Owner<Header>>, name: &str) -> io::Result<()> {
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
    struct Ended<'a>(&'a Shared, usize);
    impl Drop for Ended<'_> {
        fn drop(&mut self) {
            if let Flavour::Many(many) = &self.0.flavour {
                // There is nobody to be looked after.
                many.vigil.sleeps(self.1, many.vigil.now());
            }
            if thread::panicking() {
                // One worker less is a broken executor; the others finish.
                self.0.close();
            }
            self.0.worker_ended();
        }
    }
    let _ended = Ended(shared, index);
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
    let home = Home::new(driver.interrupt());
    let counters: Arc<WorkerCounters> = Arc::clone(&many.workers[index].counters);
    assert!(
        many.workers[index].home.set(Arc::clone(&home)).is_ok(),
        "a worker has one thread"
    );
    if let Some(deputy) = driver.deputy() {
        let _only = many.workers[index].deputy.set(deputy);
    }
    // It may find a task before its first turn.
    let _watchful = many.vigil.runs(index, many.vigil.now());
    // Pairs with the fence in `Shared::close`.
    fence(SeqCst);
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
        core.enter(|context, driver| worker::run(context, driver, &mut UntilClosed::new(shared)))
    {
        shared.close();
        panic!("the driver of worker {index} failed, its executor ends: {error}");
    }
}

/// Runs tasks until the executor is closing and none is left anywhere.
struct UntilClosed<'a> {
    shared: &'a Shared,
    /// This thread has ended its own tasks.
    own_ended: bool,
}

impl UntilClosed<'_> {
    fn new(shared: &Shared) -> UntilClosed<'_> {
        UntilClosed {
            shared,
            own_ended: false,
        }
    }
}

impl Root for UntilClosed<'_> {
    type Output = ();

    #[inline]
    fn poll(&mut self) -> Progress<()> {
        if !self.shared.is_closed() {
            return Progress::Nothing;
        }
        if !self.shared.has_tasks() {
            return Progress::Done(());
        }
        if !std::mem::replace(&mut self.own_ended, true) {
            self.shared.end_own();
        }
        Progress::Nothing
    }
}
