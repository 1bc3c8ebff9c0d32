//! The thread that runs tasks: its own queues, and the way to it from a wake.
//!
//! A thread is *entered* while it is in `block_on` or is a worker. Then this
//! context is its thread-local, and what is woken on the thread goes straight
//! into the thread's own queues: no lock, no interrupt, no other thread.
//!
//! `context/entered.rs` has the way in and out of it, `context/spawn.rs` the tasks
//! that a thread makes for itself, `context/worker.rs` the queue that others steal from.
//!
//! Every borrow here is released before foreign code runs; a push or a pop
//! runs none.

mod deferred;
mod entered;
mod spawn;
mod worker;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::sync::Arc;

use crate::home::{Home, Place};
use crate::metrics::WorkerCounters;
use crate::queue::{Fifo, Inject, Push};
use crate::shared::{Flavour, Order, Shared};
use crate::task::{self, Header, Received, Runnable, Task};

use deferred::Deferred;
pub(crate) use deferred::defer;
pub(crate) use entered::{
    Entered, EnteredShared, enter, enter_shared, has_debug, is_entered, is_passing, set_passing,
    shared, with,
};
pub(crate) use spawn::{only, queue_new, queue_stealable, spawn_eager, spawn_local, worker};
pub(crate) use worker::Worker;

/// Polls of tasks between two turns of the driver, at most.
pub(crate) const TURN_EVERY: u64 = 61;

/// The queues of a thread that runs tasks.
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    pub(crate) home: Arc<Home>,
    /// The two above, for its local tasks.
    pub(crate) place: Arc<Place>,
    pub(crate) counters: Arc<WorkerCounters>,
    /// Tasks that stay on this thread, in the order of their wakes.
    local: Fifo<Header>,
    pub(crate) kind: Kind,
    /// Those who yielded: woken after the next turn.
    deferred: RefCell<Vec<Deferred>>,
    /// Of the polls that are counted, those of tasks that came out of no queue.
    eager: Cell<u64>,
    /// At this count of polls the driver's next turn is due: also from one `block_on`
    /// to the next.
    turn_at: Cell<u64>,
    /// A task runs, so what is queued has to wait or be stolen.
    busy: Cell<bool>,
    /// Which of a worker's two queues is looked at first; changes each time.
    local_first: Cell<bool>,
}

/// Which stealable tasks a thread runs.
pub(crate) enum Kind {
    /// All: it is the only worker.
    Only,
    /// Those in its queue, which others may steal.
    Worker(Worker),
    /// None: it polls the future of a `block_on`, and local tasks.
    Root,
}

/// Queues a local task that was woken at home, where this thread is; false if
/// that is to be written down. That it is not complete keeps it.
#[inline]
pub(crate) fn push_at_home(task: &Task) -> bool {
    with(|current| {
        let current = current.expect("who is at home is in its context");
        let unseen = current.shared.trace.is_none();
        if unseen {
            // SAFETY: the wake made the caller the one who queues it.
            current.push_local(unsafe { Runnable::from_raw(task.as_raw()) });
        }
        unseen
    })
}

impl Context {
    pub(crate) fn new(
        shared: Arc<Shared>,
        home: Arc<Home>,
        counters: Arc<WorkerCounters>,
        kind: Kind,
    ) -> Context {
        let place = Place::new(Arc::clone(&home), Arc::clone(&shared));
        let polls = counters.polls.get();
        Context {
            place,
            shared,
            home,
            counters,
            local: Fifo::new(),
            kind,
            deferred: RefCell::default(),
            eager: Cell::new(0),
            turn_at: Cell::new(polls + TURN_EVERY),
            busy: Cell::new(false),
            local_first: Cell::new(false),
        }
    }

    #[inline]
    pub(crate) fn worker(&self) -> Option<&Worker> {
        match &self.kind {
            Kind::Worker(worker) => Some(worker),
            Kind::Only | Kind::Root => None,
        }
    }

    /// Whether this thread is a worker of this executor.
    pub(crate) fn is_worker_of(&self, shared: &Shared) -> bool {
        !matches!(self.kind, Kind::Root) && std::ptr::eq(&raw const *self.shared, shared)
    }

    /// Which worker this thread is; nothing for one that only passes by.
    pub(crate) fn worker_index(&self) -> Option<usize> {
        match &self.kind {
            Kind::Only => Some(0),
            Kind::Worker(worker) => Some(worker.index),
            Kind::Root => None,
        }
    }

    /// Queues a stealable task here; refused by a thread that runs none.
    pub(crate) fn push(&self, runnable: Runnable, order: Order) -> Result<(), Runnable> {
        match &self.kind {
            Kind::Root => return Err(runnable),
            Kind::Only => self.push_local(runnable),
            Kind::Worker(worker) => {
                let pushed = match order {
                    Order::Woken if self.busy.get() => worker.next.replace(Some(runnable)),
                    _ => Some(runnable),
                };
                let Some(runnable) = pushed else {
                    return Ok(());
                };
                let entry = runnable.into_raw();
                // This thread is busy with a task: another may have to help. During a
                // turn it is not, and looks for itself.
                match &self.shared.flavour {
                    Flavour::Many(many) if self.busy.get() => many.offer(&worker.queue, entry),
                    _ => worker.queue.push(entry),
                }
            }
        }
        Ok(())
    }

    /// Takes in a new task of this thread, or gives it back at the end.
    #[inline(always)]
    fn adopt(&self, owned: Task, runnable: Runnable) -> Option<(Task, Runnable)> {
        match self.home.owned.insert_at_once(owned) {
            Ok(()) => {
                self.push_local(runnable);
                None
            }
            Err(owned) => self.adopt_late(owned, runnable),
        }
    }

    /// The same where the list is full, closed, looked at by others, or favours nobody.
    #[cold]
    #[inline(never)]
    fn adopt_late(&self, owned: Task, runnable: Runnable) -> Option<(Task, Runnable)> {
        match self.home.owned.insert(owned) {
            Ok(()) => {
                self.push_local(runnable);
                None
            }
            Err(task) => Some((task, runnable)),
        }
    }

    #[inline]
    pub(crate) fn push_local(&self, runnable: Runnable) {
        // SAFETY: a `Runnable` is the right to be in one queue of a thread, and the task
        // lives until it has been run, which who pops it does.
        unsafe { self.local.push(runnable.into_raw()) }
    }

    #[inline]
    fn pop_local(&self) -> Option<Runnable> {
        self.local.pop().map(runnable)
    }

    /// The next task to run, from this thread's queues.
    #[inline]
    pub(crate) fn next(&self) -> Option<Runnable> {
        match &self.kind {
            Kind::Worker(worker) => self.next_of(worker),
            Kind::Only | Kind::Root => self.pop_local(),
        }
    }

    fn next_of(&self, worker: &Worker) -> Option<Runnable> {
        // In turn, so that neither kind of task can starve the other.
        let local_first = !self.local_first.replace(!self.local_first.get());
        if local_first && let Some(local) = self.pop_local() {
            return Some(local);
        }
        worker.pop().or_else(|| self.pop_local())
    }

    /// Takes in what other threads have queued; true if there was any.
    pub(crate) fn take_in(&self) -> bool {
        let mut any = false;
        if !self.home.mailbox.is_empty() {
            for letter in self.home.mailbox.take_all() {
                self.receive(letter);
                any = true;
            }
        }
        if matches!(self.kind, Kind::Root) || self.shared.inject.is_empty() {
            return any;
        }
        for task in self.shared.inject.take_all() {
            any = true;
            match &self.kind {
                Kind::Worker(worker) => worker.queue.push(task),
                Kind::Only | Kind::Root => self.push_local(runnable(task)),
            }
        }
        // On their way from there to here nobody could see them: a worker that
        // looked meanwhile has gone to sleep.
        if self.has_surplus() {
            self.notify_one();
        }
        any
    }

    /// A local task that another thread has woken.
    fn receive(&self, letter: NonNull<Header>) {
        // SAFETY: what is in the mailbox is a task of this home, which its list
        // keeps; the chain gives each out once.
        match unsafe { task::receive(letter) } {
            Received::Queue(runnable) => self.push_local(runnable),
            Received::Nothing => {}
            Received::Over(task) => {
                // Its last reference, perhaps: out of the list first.
                drop(self.home.owned.remove(task.header()));
                self.shared.task_ended();
            }
        }
    }

    /// Tasks that are queued for this thread alone: all, if it is the only one.
    pub(crate) fn queued(&self) -> usize {
        self.local.len()
    }

    /// Whether another worker could help with what is queued here.
    pub(crate) fn has_surplus(&self) -> bool {
        // What this thread may run before the queue's only task is work enough.
        let busy = || !self.local.is_empty();
        self.worker()
            .is_some_and(|worker| match worker.queue.len() {
                0 => false,
                1 => busy() || worker.has_next(),
                _ => true,
            })
    }

    pub(crate) fn notify_one(&self) {
        match &self.shared.flavour {
            Flavour::Many(many) => many.notify_one(),
            Flavour::One(_) => {}
        }
    }

    /// Runs a task that came out of a queue; a panic of its poll unwinds out of this,
    /// for `end_panicked`.
    #[inline]
    pub(crate) fn run(&self, runnable: Runnable) {
        self.busy.set(true);
        if let Some(again) = runnable.run() {
            self.requeue(again);
        }
        self.ran_one();
    }

    #[inline]
    fn ran_one(&self) {
        self.busy.set(false);
        self.counters.polls.add(1);
    }

    /// A panic came out of `run`: the end of the task that it ran, or it goes on.
    #[cold]
    pub(crate) fn end_panicked(&self, payload: Box<dyn Any + Send>) {
        task::end_panicked(payload);
        self.ran_one();
    }

    /// Counts a poll of the future of a `block_on`, which is no task's, for the turns.
    pub(crate) fn count_root(&self) {
        // A `block_on` that ends takes no turn, however due.
        self.turn_at.set(self.turn_at.get().saturating_sub(1));
    }

    /// Counts a poll of a task that came out of no queue, and not for the turns.
    fn count_eager(&self) {
        self.counters.polls.add(1);
        self.eager.set(self.eager.get() + 1);
        self.turn_at.set(self.turn_at.get() + 1);
    }

    /// Tasks that came out of the queues and were run.
    fn ran(&self) -> u64 {
        self.counters.polls.get() - self.eager.get()
    }

    /// Queues a task that ran here and was woken meanwhile.
    #[inline]
    fn requeue(&self, runnable: Runnable) {
        if self.worker().is_none() || runnable.is_local() {
            self.push_local(runnable);
        } else {
            self.push_stealable(runnable, Order::Yielded);
        }
    }

    /// Queues a stealable task on a worker.
    fn push_stealable(&self, runnable: Runnable, order: Order) {
        let pushed = self.push(runnable, order);
        debug_assert!(pushed.is_ok(), "a worker takes every stealable task");
    }

    /// Leaves a worker's stealable tasks to the others: it ends before them. Who has
    /// yielded is one of these.
    pub(crate) fn give_back(&self) {
        let Kind::Worker(worker) = &self.kind else {
            return;
        };
        self.wake_all_deferred();
        let queued = std::iter::from_fn(|| worker.queue.pop().map(runnable));
        for runnable in worker.next.take().into_iter().chain(queued) {
            let _ = push(&self.shared.inject, runnable);
        }
        if !self.shared.inject.is_empty() {
            self.notify_one();
        }
    }

    /// Whether there were [`TURN_EVERY`] polls since the last turn of the driver.
    #[inline]
    pub(crate) fn is_turn_due(&self) -> bool {
        self.counters.polls.get() >= self.turn_at.get()
    }

    /// The driver has its turn.
    pub(crate) fn forget_polls(&self) {
        self.turn_at.set(self.counters.polls.get() + TURN_EVERY);
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // Whoever was in it has left: `Entered` keeps it until then.
        self.place.clear();
    }
}

/// Queues a task for another thread; true if that thread has to be told.
/// Whoever takes the task may free it at once.
#[must_use = "a thread that is not told may sleep on"]
pub(crate) fn push(queue: &Inject<Header>, runnable: Runnable) -> bool {
    // SAFETY: a `Runnable` is the right to the task's link, and the task lives
    // until it has been run, which the queue's taker does.
    unsafe { queue.push(runnable.into_raw()) == Push::First }
}

/// The entry that `into_raw` put into a queue.
pub(crate) fn runnable(task: NonNull<Header>) -> Runnable {
    // SAFETY: the executor's queues hold what `Runnable::into_raw` gave, and
    // give each pointer out once.
    unsafe { Runnable::from_raw(task) }
}
