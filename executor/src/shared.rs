//! What the threads of one executor share: queues, tasks, who sleeps, the pool.

mod ending;
mod schedule;

use std::future::Future;
use std::io;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize, fence};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use wakeline_sync::cancel::Node;

use crate::blocking::Pool;
use crate::context;
use crate::debug::{Dump, Reporter};
use crate::driver::{Deputy, Driver};
use crate::handle::Handle;
use crate::home::{Count, Home, Local};
use crate::idle::Idle;
use crate::metrics::{Metrics, WorkerCounters};
use crate::queue::{Inject, Owner, Stealer};
use crate::task::{self, Header, JoinHandle, Origin, OwnedByMany, Runnable, TaskInfo};
use crate::trace::Tracer;
use crate::unobserved::{Hook, Told};
use crate::vigil::Vigil;

use schedule::{Cleanup, Stealable};
pub(crate) use schedule::{Order, cancel};

/// One executor, seen by all of its threads, handles and tasks.
pub(crate) struct Shared {
    pub(crate) flavour: Flavour,
    /// Makes the driver of worker 0, 1, ...; called on the worker's thread.
    pub(crate) worker_driver: Factory<usize>,
    /// Makes the driver of a thread that is no worker and calls `block_on`.
    pub(crate) root_driver: Factory<()>,
    /// Tasks queued by threads that are no worker of this executor.
    pub(crate) inject: Inject<Header>,
    /// Every task that is not complete and may be run by more than one thread.
    pub(crate) owned: OwnedByMany,
    /// Those of the cleanup lane, also queued where any worker finds them.
    pub(crate) cleanups: OwnedByMany,
    /// How many of them have ended since the end of the executor began.
    cleanups_ended: AtomicUsize,
    /// What the lane has at least, when the executor ends.
    pub(crate) cleanup_grace: Duration,
    /// Is told of failures that nobody waits for.
    on_unobserved: Option<Hook>,
    /// Debug mode, if it is on.
    pub(crate) debug: Option<Arc<Reporter>>,
    /// Writes down what happens, if it is to be written down.
    pub(crate) trace: Option<Arc<Tracer>>,
    pub(crate) pool: Pool,
    /// Above the nodes of all tasks; cancelled when the end begins.
    pub(crate) node: Node,
    /// Set once, by a shutdown or a drop: no task is taken any more.
    closing: AtomicBool,
    /// The line that built it: of an end that nobody asked for by a call.
    pub(crate) made_at: &'static Location<'static>,
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

/// Who looks on while tasks run.
pub(crate) struct Observers {
    pub(crate) on_unobserved: Option<Hook>,
    pub(crate) debug: Option<Arc<Reporter>>,
    pub(crate) trace: Option<Arc<Tracer>>,
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
    pub(crate) vigil: Vigil,
}

/// A worker as the others see it.
pub(crate) struct WorkerShared {
    pub(crate) stealer: Stealer<Header>,
    /// Set by the worker's thread before it runs anything.
    pub(crate) home: OnceLock<Arc<Home>>,
    /// Set with it, if its driver has one.
    pub(crate) deputy: OnceLock<Arc<dyn Deputy>>,
    pub(crate) counters: Arc<WorkerCounters>,
}

impl Shared {
    pub(crate) fn new(
        flavour: Flavour,
        worker_driver: Factory<usize>,
        root_driver: Factory<()>,
        pool: Pool,
        cleanup_grace: Duration,
        observers: Observers,
        made_at: &'static Location<'static>,
    ) -> Shared {
        let Observers {
            on_unobserved,
            debug,
            trace,
        } = observers;
        Shared {
            flavour,
            worker_driver,
            root_driver,
            inject: Inject::new(),
            owned: OwnedByMany::new(),
            cleanups: OwnedByMany::new(),
            cleanups_ended: AtomicUsize::new(0),
            cleanup_grace,
            on_unobserved,
            debug,
            trace,
            pool,
            node: Node::root(),
            closing: AtomicBool::new(false),
            made_at,
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
        if let Some(local) = context::only(|shared| std::ptr::eq(shared, &raw const **self)) {
            return Shared::spawn_by_only(future, local, || origin);
        }
        if let Some(place) = context::worker(|shared| std::ptr::eq(shared, &raw const **self)) {
            return Shared::spawn_by_worker(future, place, origin);
        }
        let stealable = Stealable::Elsewhere(Arc::clone(self));
        let (owned, handle, runnable) = task::new(future, stealable, || origin);
        match self.owned.insert(owned) {
            Ok(()) => self.enqueue(runnable, Order::Spawned),
            Err(task) => cancel(&task, runnable),
        }
        // SAFETY: `handle` is the handle's reference of a task with this output.
        unsafe { JoinHandle::new(handle) }
    }

    /// Of the only worker, which this thread is: `context::only` gave `local`.
    #[inline(always)]
    pub(crate) fn spawn_by_only<F>(
        future: F,
        local: Local,
        origin: impl FnOnce() -> Origin,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (owned, handle, runnable) = task::new(future, Stealable::Only(local), origin);
        context::queue_new(owned, runnable);
        // SAFETY: `handle` is the handle's reference of a task with this output.
        unsafe { JoinHandle::new(handle) }
    }

    /// On the executor that this thread is in.
    #[track_caller]
    pub(crate) fn spawn_here<F>(future: F, origin: Origin) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match context::worker(|_| true) {
            Some(place) => Shared::spawn_by_worker(future, place, origin),
            None => Handle::current().spawn_with(future, origin),
        }
    }

    /// Of one of several workers, which this thread is: `context::worker` gave its `place`.
    fn spawn_by_worker<F>(future: F, place: Count, origin: Origin) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (owned, handle, runnable) = task::new(future, Stealable::Worker(place), || origin);
        context::queue_stealable(owned, runnable);
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
        let (owned, handle, runnable) = task::new(future, Cleanup(Arc::clone(self)), || origin);
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

    /// By their ids.
    pub(crate) fn tasks(&self) -> Vec<TaskInfo> {
        let mut tasks = self.owned.infos();
        for home in self.homes() {
            tasks.extend(home.owned.infos());
        }
        tasks.sort_by_key(|task| task.id);
        tasks
    }

    /// Whether polls are looked at: by debug mode, by a recorder.
    pub(crate) fn is_watched(&self) -> bool {
        self.debug.is_some() | self.trace.is_some()
    }

    /// Whom to tell of failures that nobody sees.
    pub(crate) fn told(&self) -> Told {
        Told {
            hook: self.on_unobserved.clone(),
            debug: self.debug.clone(),
        }
    }

    pub(crate) fn dump(&self) -> Dump {
        Dump {
            tasks: self.tasks(),
            cleanups: self.cleanups.infos(),
            blocking: self.pool.owned.infos(),
            roots: self
                .debug
                .as_ref()
                .map_or_else(Vec::new, |debug| debug.roots.infos()),
        }
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
}

impl Many {
    /// Watchful times begin: one of the sleepers shall sleep on for a while only.
    #[cold]
    pub(crate) fn watch(&self) {
        if let Some(worker) = self.idle.a_sleeper()
            && let Some(home) = self.workers[worker].home.get()
        {
            home.interrupt();
        }
    }

    /// Wakes a sleeping worker if work could otherwise lie unseen.
    pub(crate) fn notify_one(&self) {
        self.wake(self.idle.notify_one());
    }

    /// Queues what another worker may have to run.
    pub(crate) fn offer(&self, queue: &Owner<Header>, entry: NonNull<Header>) {
        self.wake(self.idle.offer(queue, entry));
    }

    #[inline]
    fn wake(&self, worker: Option<usize>) {
        if let Some(home) = worker.and_then(|worker| self.workers[worker].home.get()) {
            home.interrupt();
        }
    }
}
