//! The end of an executor, in five steps.
//!
//! ```text
//!   1 signal    the runtime's node is cancelled: who listens can stop; no new
//!               tasks from here on, but cleanups
//!   2 grace     tasks go on until the last has ended, or the grace is over
//!   3 drop      the tasks that are left are aborted, their futures dropped
//!   4 cleanup   the cleanup lane goes on, with what the destructors put there:
//!               for what is left of the grace, but at least for `cleanup_grace`
//!   5 leave     the lane is closed, what is left in it dropped; threads end,
//!               drivers shut down, blocking jobs get the rest of the grace
//! ```
//!
//! Inside a task no step waits for another thread: 2 and 4 are skipped. A bound
//! one-worker executor is ended by its own thread only (`Core::end`): an end
//! elsewhere does 1 and 3 and leaves the rest to it.

use std::panic::Location;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use wakeline_context::{Cause, Reason, install_token, runs_tasks};

use crate::block_on;
use crate::context;
use crate::executor::Executor;
use crate::report::ShutdownReport;
use crate::shared::Flavour;
use crate::worker;

/// How long an end waits for worker threads to leave the poll they are in.
const DROP_LIMIT: Duration = Duration::from_secs(1);

/// A worker that has not taken its turn for so long by then is in a poll: the others sleep.
const STUCK: Duration = Duration::from_millis(250);

impl Executor {
    /// Ends the executor: tasks may finish within `grace`, the rest are dropped.
    ///
    /// New tasks are refused from the start, and the nodes of all tasks in the
    /// cancel tree are cancelled with [`Cause::Shutdown`], so that those who
    /// listen can stop by themselves. After the rest were dropped, cleanups have
    /// what is left of the grace, and at least
    /// [`cleanup_grace`](crate::Builder::cleanup_grace), so that it can take that
    /// much longer than `grace` if there are any.
    ///
    /// A one-worker executor must be shut down by the thread that it is bound to
    /// for its tasks to go on in the meantime. Inside a task nothing is waited
    /// for, and in a blocking job of its own all but that job.
    #[must_use = "the report tells who did not finish; drop the executor if nobody asks"]
    #[track_caller]
    pub fn shutdown(self, grace: Duration) -> ShutdownReport {
        self.end(grace, true, Location::caller())
    }

    pub(crate) fn end(
        &self,
        grace: Duration,
        wait_for_jobs: bool,
        at: &'static Location<'static>,
    ) -> ShutdownReport {
        let shared = &self.shared;
        // Who is woken by the cancel of the root is not under the caller's token.
        let _none = install_token(None);
        self.ended.store(true, Relaxed);
        let before = shared.task_count();
        let may_wait = !runs_tasks();
        let grace = if may_wait { grace } else { Duration::ZERO };
        let deadline = Instant::now().checked_add(grace);
        shared.set_grace(deadline);
        shared.begin_end(Reason::at(Cause::Shutdown, at));
        let mut report = match &shared.flavour {
            Flavour::Many(_) => self.end_threads(grace, may_wait),
            Flavour::One(_) => self.end_here(deadline),
        };
        shared.pool.close(shared);
        let left = deadline.map_or(Duration::MAX, |at| {
            at.saturating_duration_since(Instant::now())
        });
        let waits = wait_for_jobs && may_wait;
        let limit = if waits { left } else { Duration::ZERO };
        report.blocking_jobs_left = shared.pool.wait(shared, limit);
        report.finished = before.saturating_sub(report.cut_off.len());
        shared.add_leftovers_to(&mut report);
        report
    }

    /// Steps 2 to 5 with worker threads.
    fn end_threads(&self, grace: Duration, may_wait: bool) -> ShutdownReport {
        let shared = &self.shared;
        let mut report = ShutdownReport::default();
        if may_wait {
            shared.wait_until(grace, |_alive| shared.task_count() == 0);
        }
        report.cut_off = shared.tasks();
        shared.abort_all();
        if may_wait {
            // Their destructors may still have cleanups to spawn.
            shared.wait_until(DROP_LIMIT, |alive| alive == 0 || shared.task_count() == 0);
            let lane = shared.lane_deadline();
            let left = lane.map_or(Duration::MAX, |at| {
                at.saturating_duration_since(Instant::now())
            });
            shared.wait_until(left, |alive| alive == 0 || shared.cleanups.len() == 0);
        }
        shared.close_lane();
        if may_wait {
            report.stuck_workers = self.leave();
        }
        report
    }

    /// The end of the threads; or how many are stuck.
    fn leave(&self) -> usize {
        let shared = &self.shared;
        let Flavour::Many(many) = &shared.flavour else {
            return 0;
        };
        // A poll that has lasted for so long already is not waited for again.
        let limit = match many.vigil.away_for(DROP_LIMIT) {
            0 => DROP_LIMIT,
            _ => Duration::ZERO,
        };
        if shared.wait_until(limit, |alive| alive == 0) {
            shared.cancel_left();
            self.join_threads();
            return 0;
        }
        // Who is not in a poll and does not leave is kept by what its driver calls.
        many.vigil.away_for(STUCK).max(1)
    }

    /// Steps 2 and 3 on this thread, if the executor is bound to it; the rest is
    /// done by the end of the thread's core.
    fn end_here(&self, deadline: Option<Instant>) -> ShutdownReport {
        let shared = &self.shared;
        let mut report = ShutdownReport::default();
        // Found also inside another executor's task, where its tasks are
        // dropped in the midst of that one: the grace is over then.
        match block_on::take_bound(shared) {
            // `enter` ends the core on its way out, as the executor is closing.
            Some(core) => core.enter(|context, driver| {
                let mut root = block_on::UntilEmpty::tasks(context, deadline);
                drop(worker::run(context, driver, &mut root));
                report.cut_off = shared.tasks();
            }),
            None => {
                report.cut_off = shared.tasks();
                shared.abort_all();
                if !shared.is_bound() {
                    shared.close_lane();
                }
                // No thread has ever run them: they all wait in the queue,
                // or are on their way into it.
                while !shared.is_bound() && shared.has_tasks() {
                    let queued = shared.inject.take_all();
                    queued.for_each(|task| context::runnable(task).cancel());
                    thread::yield_now();
                }
            }
        }
        report
    }

    /// The threads have left their loops; what is left are their destructors.
    fn join_threads(&self) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A worker's panic has been told by the panic hook.
            drop(thread.join());
        }
    }
}
