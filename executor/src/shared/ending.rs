//! What the threads of an executor share about its end: see `end.rs` for the
//! steps. Here is who is refused from when on, who waits for whom, what is left.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::fence;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wakeline_context::{Cause, Reason, quietly, runs_tasks, set_runs_tasks};

use super::{Flavour, Leftovers, Shared};
use crate::context;
use crate::report::ShutdownReport;

impl Shared {
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        // Acquire pairs with the Release in `close`.
        self.closing.load(Acquire)
    }

    /// Whether nothing is taken any more, and the threads may leave once nothing is left.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        // Acquire pairs with the Release in `close`.
        self.closed.load(Acquire)
    }

    /// Whether a task is left, or a cleanup.
    pub(crate) fn has_tasks(&self) -> bool {
        !self.is_empty() || self.cleanups.len() > 0
    }

    /// Whether every task has ended. This thread's own are looked at first: with
    /// those of others it takes a barrier.
    fn is_empty(&self) -> bool {
        let here = context::with(|current| match current {
            // Those of a `block_on` beside the workers are not the executor's.
            Some(current) if current.is_worker_of(self) => current.home.owned.len(),
            _ => 0,
        });
        here == 0 && self.owned.len() == 0 && self.homes().iter().all(|home| home.owned.len() == 0)
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
        quietly(|| {
            self.node.cancel(reason);
        });
        // The lists first: who sees `closing` and all lists empty leaves, and
        // must not leave behind a task that was taken in between.
        self.owned.close();
        self.close_homes();
        self.closing.store(true, Release);
        // Pairs with the fence in `make_core`: either the thread that binds itself
        // just now sees `closing`, or its list is among the homes.
        fence(SeqCst);
        self.close_homes();
        self.interrupt_all();
    }

    fn close_homes(&self) {
        for home in self.homes() {
            home.owned.close();
        }
    }

    /// Ends the tasks of this thread, where others were refused the look at its list:
    /// see [`crate::favour`].
    pub(crate) fn end_own(&self) {
        let own = |current: Option<&context::Context>| Some(Arc::clone(&current?.home));
        if let Some(home) = context::with(own) {
            home.owned.close();
            home.owned.abort_all(None);
        }
    }

    /// Takes no cleanups either: once nothing is left the threads leave.
    pub(crate) fn close(&self) {
        self.begin_end(Reason::of(Cause::Shutdown));
        self.cleanups.close();
        self.closed.store(true, Release);
        // Pairs with the fence in `run_worker`: a worker that comes just now is
        // interrupted here, or sees `closed`.
        fence(SeqCst);
        self.interrupt_all();
    }

    /// Aborts every task that is left.
    pub(crate) fn abort_all(&self) {
        self.owned.abort_all(None);
        for home in self.homes() {
            home.owned.abort_all(None);
        }
    }

    /// A task has ended; while closing, the last one ends the waiting.
    #[inline]
    pub(crate) fn task_ended(&self) {
        // The task was taken out under a lock of its list. Whoever looked at the
        // list before and still saw the task had seen `closing`, so it is seen
        // here; whoever looks later sees that the task is gone.
        if self.is_closing() && self.is_empty() {
            self.tell_all();
        }
    }

    /// A task of the cleanup lane has ended.
    pub(super) fn cleanup_ended(&self) {
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
        // Their destructors are on a thread that runs tasks: an end in there does not wait.
        let before = runs_tasks();
        set_runs_tasks(true);
        self.owned.abort_all(None);
        self.cleanups.abort_all(None);
        while left() {
            let queued = self.inject.take_all();
            queued.for_each(|task| context::runnable(task).cancel());
            // Another thread may just be queueing one.
            std::thread::yield_now();
        }
        set_runs_tasks(before);
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
