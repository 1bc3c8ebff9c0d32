//! What the threads of one executor share: queues, tasks, who sleeps, the pool.

use std::future::Future;
use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicUsize, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use wakeline_context::{Cause, Reason, install_token};
use wakeline_sync::cancel::Node;

use crate::blocking::Pool;
use crate::context;
use crate::driver::Driver;
use crate::home::Home;
use crate::idle::Idle;
use crate::metrics::{Metrics, WorkerCounters};
use crate::queue::{Inject, Stealer};
use crate::report::ShutdownReport;
use crate::task::{self, Header, JoinHandle, Origin, Owned, Runnable, Schedule, Task, TaskInfo};

/// One executor, seen by all of its threads, handles and tasks.
pub(crate) struct Shared {
    pub(crate) flavour: Flavour,
    /// Makes the driver of worker 0, 1, ...; called on the worker's thread.
    pub(crate) worker_driver: Factory<usize>,
    /// Makes the driver of a thread that is no worker and calls `block_on`.
    pub(crate) root_driver: Factory<()>,
    /// Tasks queued by threads that are no worker of this executor.
    pub(crate) inject: Inject<Header>,
    /// Every stealable task that is not complete.
    pub(crate) owned: Owned,
    /// Those of the cleanup lane, also queued where any worker finds them.
    pub(crate) cleanups: Owned,
    /// How many of them have ended since the end of the executor began.
    cleanups_ended: AtomicUsize,
    /// What the lane has at least, when the executor ends.
    pub(crate) cleanup_grace: Duration,
    pub(crate) pool: Pool,
    /// Above the nodes of all tasks; cancelled when the end begins.
    pub(crate) node: Node,
    /// Set once, by a shutdown or a drop: no task is taken any more.
    closing: AtomicBool,
    /// Set once, later: the cleanup lane takes none either.
    closed: AtomicBool,
    /// Notified when a thread ends and when the last task does, while closing.
    changed: Condvar,
    /// Worker threads that have not ended; guards `changed`.
    alive: Mutex<usize>,
    /// Until when a shutdown gives its tasks time; `None` is for ever.
    grace: OnceLock<Option<Instant>>,
    leftovers: Mutex<Leftovers>,
}

/// What its threads leave behind, for the report.
#[derive(Default)]
struct Leftovers {
    /// Operations that the kernel still held.
    operations: usize,
    /// Once the lane is closed: how many had ended, and who had not.
    cleanups: Option<(usize, Vec<TaskInfo>)>,
}

/// Makes drivers.
pub(crate) type Factory<A> = Box<dyn Fn(A) -> io::Result<Box<dyn Driver>> + Send + Sync>;

/// Who runs the stealable tasks.
pub(crate) enum Flavour {
    /// The thread that called `block_on` first, while it does.
    One(Only),
    /// Threads of the executor's own.
    Many(Many),
}

pub(crate) struct Only {
    /// The thread's home; set by its first `block_on`.
    pub(crate) bound: OnceLock<Arc<Home>>,
    pub(crate) counters: Arc<WorkerCounters>,
}

pub(crate) struct Many {
    pub(crate) workers: Vec<WorkerShared>,
    pub(crate) idle: Idle,
}

/// A worker as the others see it.
pub(crate) struct WorkerShared {
    pub(crate) stealer: Stealer<Header>,
    /// Set by the worker's thread before it runs anything.
    pub(crate) home: OnceLock<Arc<Home>>,
    pub(crate) counters: Arc<WorkerCounters>,
}

impl Shared {
    pub(crate) fn new(
        flavour: Flavour,
        worker_driver: Factory<usize>,
        root_driver: Factory<()>,
        pool: Pool,
        cleanup_grace: Duration,
    ) -> Shared {
        Shared {
            flavour,
            worker_driver,
            root_driver,
            inject: Inject::new(),
            owned: Owned::new(),
            cleanups: Owned::new(),
            cleanups_ended: AtomicUsize::new(0),
            cleanup_grace,
            pool,
            node: Node::root(),
            closing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            changed: Condvar::new(),
            alive: Mutex::new(0),
            grace: OnceLock::new(),
            leftovers: Mutex::default(),
        }
    }

    pub(crate) fn spawn<F>(self: &Arc<Self>, future: F, origin: Origin) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (owned, handle, runnable) = task::new(future, Stealable(Arc::clone(self)), origin);
        match self.owned.insert(owned) {
            Ok(()) => self.enqueue(runnable, Order::Spawned),
            Err(task) => cancel(&task, runnable),
        }
        // SAFETY: `handle` is the handle's reference of a task with this output.
        unsafe { JoinHandle::new(handle) }
    }

    /// Spawns a task of the cleanup lane.
    pub(crate) fn spawn_cleanup<F>(
        self: &Arc<Self>,
        future: F,
        origin: Origin,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (owned, handle, runnable) = task::new(future, Cleanup(Arc::clone(self)), origin);
        match self.cleanups.insert(owned) {
            Ok(()) => self.enqueue(runnable, Order::Spawned),
            Err(task) => cancel(&task, runnable),
        }
        // SAFETY: `handle` is the handle's reference of a task with this output.
        unsafe { JoinHandle::new(handle) }
    }

    /// Queues a stealable task, on this thread if it is a worker of ours.
    pub(crate) fn enqueue(self: &Arc<Self>, runnable: Runnable, order: Order) {
        let refused = context::with(|current| match current {
            Some(current) if Arc::ptr_eq(&current.shared, self) => current.push(runnable, order),
            _ => Err(runnable),
        });
        if let Err(runnable) = refused {
            // Its own count: after the push the task may be run and freed, and
            // with it the count that `self` may stand in.
            let shared = Arc::clone(self);
            if context::push(&shared.inject, runnable) {
                shared.notify_injected();
            }
        }
    }

    /// Work has been pushed where any worker finds it: wake one, if all sleep.
    fn notify_injected(&self) {
        match &self.flavour {
            Flavour::One(only) => {
                // Before the first `block_on` there is nobody to wake; it binds,
                // fences in its turn, and then looks into the queue: one of the
                // two sees the other.
                fence(SeqCst);
                if let Some(home) = only.bound.get() {
                    home.interrupt();
                }
            }
            Flavour::Many(many) => many.notify_one(),
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        // Acquire pairs with the Release in `close`.
        self.closing.load(Acquire)
    }

    /// Whether the threads may leave: nothing is taken any more and nothing is left.
    pub(crate) fn is_over(&self) -> bool {
        // Acquire pairs with the Release in `close`.
        self.closed.load(Acquire) && !self.has_tasks()
    }

    /// Whether a task is left, or a cleanup.
    pub(crate) fn has_tasks(&self) -> bool {
        self.task_count() + self.cleanups.len() > 0
    }

    /// Whether a one-worker executor has its thread.
    pub(crate) fn is_bound(&self) -> bool {
        matches!(&self.flavour, Flavour::One(only) if only.bound.get().is_some())
    }

    /// Says until when a shutdown gives its tasks time; `None` is for ever.
    pub(crate) fn set_grace(&self, deadline: Option<Instant>) {
        // Fails in the end of an executor that has been shut down: the first counts.
        let _ = self.grace.set(deadline);
    }

    /// Until when the cleanup lane goes on, asked when its time has come.
    pub(crate) fn lane_deadline(&self) -> Option<Instant> {
        let least = Instant::now().checked_add(self.cleanup_grace);
        match self.grace.get() {
            Some(grace) => Some((*grace)?.max(least?)),
            None => least,
        }
    }

    /// The time of the cleanup lane is over: what is left in it is aborted.
    pub(crate) fn close_lane(&self) {
        {
            let mut left = self.leftovers();
            if left.cleanups.is_none() {
                left.cleanups = Some((self.cleanups_ended(), self.cleanups.infos()));
            }
        }
        self.close();
        self.cleanups.abort_all(None);
    }

    /// The end begins: tells all tasks, and takes no new ones but cleanups.
    pub(crate) fn begin_end(&self, reason: Reason) {
        // Wakes foreign wakers: no lock is held here.
        task::quietly(|| {
            self.node.cancel(reason);
        });
        // The lists first: who sees `closing` and all lists empty leaves, and
        // must not leave behind a task that was taken in between.
        self.owned.close();
        for home in self.homes() {
            home.owned.close();
        }
        self.closing.store(true, Release);
        self.interrupt_all();
    }

    /// Takes no cleanups either: once nothing is left the threads leave.
    pub(crate) fn close(&self) {
        self.begin_end(Reason::of(Cause::Shutdown));
        self.cleanups.close();
        self.closed.store(true, Release);
        self.interrupt_all();
    }

    /// Aborts every task that is left.
    pub(crate) fn abort_all(&self) {
        self.owned.abort_all(None);
        for home in self.homes() {
            home.owned.abort_all(None);
        }
    }

    pub(crate) fn interrupt_all(&self) {
        for home in self.homes() {
            home.interrupt();
        }
    }

    fn homes(&self) -> Vec<&Arc<Home>> {
        match &self.flavour {
            Flavour::One(only) => only.bound.get().into_iter().collect(),
            Flavour::Many(many) => many
                .workers
                .iter()
                .filter_map(|worker| worker.home.get())
                .collect(),
        }
    }

    /// Tasks that are not complete, on whatever thread.
    pub(crate) fn task_count(&self) -> usize {
        self.owned.len()
            + self
                .homes()
                .iter()
                .map(|home| home.owned.len())
                .sum::<usize>()
    }

    pub(crate) fn tasks(&self) -> Vec<TaskInfo> {
        let mut tasks = self.owned.infos();
        for home in self.homes() {
            tasks.extend(home.owned.infos());
        }
        tasks
    }

    pub(crate) fn metrics(&self) -> Metrics {
        match &self.flavour {
            Flavour::One(only) => Metrics::read([&only.counters]),
            Flavour::Many(many) => {
                Metrics::read(many.workers.iter().map(|worker| &worker.counters))
            }
        }
    }

    /// Ends a turn of the only worker, or makes the next one not sleep.
    pub(crate) fn interrupt_only(&self) {
        if let Flavour::One(only) = &self.flavour
            && let Some(home) = only.bound.get()
        {
            home.interrupt();
        }
    }

    /// A task has ended; while closing, the last one ends the waiting.
    pub(crate) fn task_ended(&self) {
        // The task was taken out under a lock of its list. Whoever looked at the
        // list before and still saw the task had seen `closing`, so it is seen
        // here; whoever looks later sees that the task is gone.
        if self.is_closing() && self.task_count() == 0 {
            self.tell_all();
        }
    }

    /// A task of the cleanup lane has ended.
    fn cleanup_ended(&self) {
        if self.is_closing() {
            // Relaxed: a number for the report, no more.
            self.cleanups_ended.fetch_add(1, Relaxed);
            if self.cleanups.len() == 0 {
                self.tell_all();
            }
        }
    }

    fn cleanups_ended(&self) -> usize {
        self.cleanups_ended.load(Relaxed)
    }

    fn tell_all(&self) {
        self.interrupt_all();
        drop(self.alive.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    pub(crate) fn add_leaked(&self, operations: usize) {
        self.leftovers().operations += operations;
    }

    pub(crate) fn add_leftovers_to(&self, report: &mut ShutdownReport) {
        let mut left = self.leftovers();
        report.leaked_operations = left.operations;
        if let Some((finished, cut_off)) = left.cleanups.take() {
            report.cleanups_finished = finished;
            report.cleanups_cut_off = cut_off;
        }
    }

    fn leftovers(&self) -> MutexGuard<'_, Leftovers> {
        self.leftovers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn alive(&self) -> usize {
        *self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn worker_started(&self) {
        *self.alive.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    pub(crate) fn worker_ended(&self) {
        let left = {
            let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
            *alive -= 1;
            *alive
        };
        self.changed.notify_all();
        if left == 0 && self.is_closing() {
            self.cancel_left();
        }
    }

    /// Cancels the tasks that no thread will run any more: all workers of a
    /// closing executor have ended, by a panic or a broken driver.
    pub(crate) fn cancel_left(&self) {
        let left = || self.owned.len() + self.cleanups.len() > 0;
        if !left() {
            return;
        }
        self.owned.abort_all(None);
        self.cleanups.abort_all(None);
        while left() {
            let queued = self.inject.take_all();
            queued.for_each(|task| context::runnable(task).cancel());
            // Another thread may just be queueing one.
            std::thread::yield_now();
        }
    }

    /// Blocks until `done`, looked at whenever something ended, or for `limit`.
    pub(crate) fn wait_until(&self, limit: Duration, done: impl Fn(usize) -> bool) -> bool {
        let deadline = Instant::now().checked_add(limit);
        let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if done(*alive) {
                return true;
            }
            let left = deadline.map_or(Duration::MAX, |at| {
                at.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return false;
            }
            alive = self
                .changed
                .wait_timeout(alive, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Many {
    /// Wakes a sleeping worker if work could otherwise lie unseen.
    pub(crate) fn notify_one(&self) {
        if let Some(worker) = self.idle.notify_one()
            && let Some(home) = self.workers[worker].home.get()
        {
            home.interrupt();
        }
    }
}

/// Where a task comes from, which decides how far forward it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// It was woken: it may run next, its data is warm.
    Woken,
    /// It was just spawned: behind those who wait already.
    Spawned,
    /// It woke itself: behind everybody.
    Yielded,
}

impl Order {
    /// Of a task that was woken, by itself while it ran or by someone else.
    pub(crate) fn of_wake(yielded: bool) -> Order {
        if yielded {
            Order::Yielded
        } else {
            Order::Woken
        }
    }
}

/// Ends a task that was never queued: its future is dropped unpolled.
pub(crate) fn cancel(task: &Task, runnable: Runnable) {
    // The token in force is the spawner's.
    let _none = install_token(None);
    task.abort();
    runnable.run();
}

/// The scheduler of tasks that any worker may run.
pub(crate) struct Stealable(Arc<Shared>);

impl Schedule for Stealable {
    fn schedule(&self, runnable: Runnable, yielded: bool) {
        self.0.enqueue(runnable, Order::of_wake(yielded));
    }

    fn disown(&self, key: usize) -> Option<Task> {
        let task = self.0.owned.remove(key);
        self.0.task_ended();
        task
    }

    fn runtime_node(&self) -> &Node {
        &self.0.node
    }
}

/// The scheduler of the cleanup lane: as of tasks that any worker may run, but
/// the end of the runtime comes later for them.
pub(crate) struct Cleanup(Arc<Shared>);

impl Schedule for Cleanup {
    const SHIELDED: bool = true;

    fn schedule(&self, runnable: Runnable, yielded: bool) {
        self.0.enqueue(runnable, Order::of_wake(yielded));
    }

    fn disown(&self, key: usize) -> Option<Task> {
        let task = self.0.cleanups.remove(key);
        self.0.cleanup_ended();
        task
    }

    fn runtime_node(&self) -> &Node {
        &self.0.node
    }
}
