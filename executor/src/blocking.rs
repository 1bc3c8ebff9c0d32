//! Threads that may block: the pool under `spawn_blocking`.
//!
//! A queue, a lock and a condition: enough, as a job that blocks costs far
//! more. The pool starts [`CORE`] threads as they are needed. Beyond that it
//! grows only when jobs have waited for [`PATIENCE`], since a burst of short
//! jobs is done sooner by few threads than by hundreds of new ones:
//!
//! ```text
//!   a job finds nobody idle, CORE threads at work
//!     └─▶ one thread is started in *standby*: it waits for PATIENCE
//!           queue empty by then?  it becomes an idle thread, as any other
//!           else                  as many threads again are started,
//!                                 but not more than jobs wait, nor than `max`
//! ```
//!
//! So jobs that wait for each other all get a thread in the end, after a few
//! milliseconds, up to the limit.
//!
//! Who waits for a job often has the next one: what was written is to be synced.
//! So a thread first says that it is *coming*, and then wakes him. A job that is
//! queued meanwhile is left to it, and nobody else is woken for that:
//!
//! ```text
//!   a job is over, and somebody is to be woken
//!     ├─ others wait    one of them is taken along ─▶ wake ─▶ run it
//!     └─ none does      coming + 1 ─▶ wake ─▶ coming - 1 ─▶ look for one
//! ```
//!
//! A wake is short; where it is not, every event loop would wait as well. It is
//! so for plain jobs, which leave the wake to the thread.
//!
//! Idle threads are woken one after the other: who queues wakes one, and no more
//! until that has looked; it takes a job, and wakes the next if others wait. So
//! as many come as there are jobs, unless the jobs are over sooner than a thread
//! wakes up; and then most are not needed. While jobs wait and threads are idle,
//! one is on its way, or coming:
//!
//! ```text
//!   Asleep ──1──▶ waking ──2──▶ takes a job ──3──▶ wakes the next
//! ```
//! 1 `State::wakes_one`, under the lock; the notification follows
//! 2 the end of its wait, also by chance or after `KEEP_ALIVE`: `waking` is over
//! 3 if the queue is not empty and somebody sleeps

mod task;
mod thread;

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wakeline_context::LateWake;

use crate::shared::Shared;
use crate::task::{OwnedByMany, Runnable, quietly};

pub(crate) use task::Blocking;

/// Threads that are started without hesitation.
const CORE: usize = 4;
/// How long jobs may wait before the pool grows beyond [`CORE`].
const PATIENCE: Duration = Duration::from_millis(1);
/// How long a thread stays without a job.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The pool of one executor.
pub(crate) struct Pool {
    state: Mutex<State>,
    /// A job was queued, or the pool was closed: for idle threads only, so that
    /// each notification reaches one of those that `State::idle` counts.
    work: Condvar,
    /// The pool was closed: for the thread in standby.
    patience: Condvar,
    /// A thread ended, or a job did; for a shutdown that waits.
    ended: Condvar,
    /// Jobs that are not complete, of `spawn_blocking`.
    pub(crate) owned: OwnedByMany,
    max: usize,
    name: String,
    stack: Option<usize>,
    /// Called on each thread at its start; what it returns goes with the thread.
    surround: Option<Surround>,
}

/// Makes what a pool thread keeps while it lives.
pub(crate) type Surround = Box<dyn Fn() -> Box<dyn Any> + Send + Sync>;

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    /// Jobs that were taken out of the queue and have not ended.
    running: usize,
    /// The worker was told of jobs, and waits for the end of the last one.
    watched: bool,
    threads: usize,
    idle: usize,
    /// Threads that only wake somebody before they look for a job: as many of
    /// those that wait are theirs.
    coming: usize,
    /// An idle thread was woken, and has not looked yet. Meanwhile nobody else is:
    /// it takes a job, and if more wait it wakes the next.
    waking: bool,
    /// A thread waits for `PATIENCE` to see whether the pool must grow.
    standby: bool,
    closed: bool,
}

/// What a pool thread runs.
pub(crate) enum Job {
    Task(Runnable),
    /// And whom to wake when it is over.
    Plain(Box<dyn FnOnce() -> LateWake + Send>),
}

/// What a submit must do once the lock is released.
enum Grow {
    /// Nothing: a thread that is coming, or one that runs a job yet.
    No,
    /// An idle thread is woken.
    Wake,
    Thread,
    Standby,
}

impl Pool {
    pub(crate) fn new(
        max: usize,
        name: &str,
        stack: Option<usize>,
        surround: Option<Surround>,
    ) -> Pool {
        Pool {
            state: Mutex::default(),
            work: Condvar::new(),
            patience: Condvar::new(),
            ended: Condvar::new(),
            owned: OwnedByMany::new(),
            max,
            name: format!("{name}-blocking"),
            stack,
            surround,
        }
    }

    /// Queues a job, and sees that a thread comes for it.
    ///
    /// # Errors
    ///
    /// Gives the job back if the pool is closed, or if it has no thread and
    /// none can be started.
    pub(crate) fn submit(&self, job: Job, shared: &Arc<Shared>) -> Result<(), (Job, io::Error)> {
        let mut state = self.lock();
        if state.closed {
            return Err((job, io::Error::other("the runtime has been shut down")));
        }
        let grow = state.admit(self.max);
        if matches!(grow, Grow::Thread) && state.threads == 1 {
            // The first thread: if it cannot be had, nobody would run the job,
            // so the job is queued only once it is there.
            if let Err(error) = self.start(shared, false) {
                state.threads -= 1;
                return Err((job, error));
            }
            state.queue.push_back(job);
            return Ok(());
        }
        state.queue.push_back(job);
        drop(state);
        match grow {
            Grow::No => {}
            Grow::Wake => self.work.notify_one(),
            // The job is queued and will be run by those that are there, so
            // one thread less is no error.
            Grow::Thread => drop(self.start(shared, false).map_err(|_| self.lost(false))),
            Grow::Standby => drop(self.start(shared, true).map_err(|_| self.lost(true))),
        }
        Ok(())
    }

    /// Whether jobs are queued or run. If so, the only worker is interrupted
    /// when the last of them has ended.
    pub(crate) fn watch(&self) -> bool {
        let mut state = self.lock();
        let any = !state.is_quiet();
        state.watched |= any;
        any
    }

    /// A job that was taken out of the queue has ended.
    fn job_ended<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        shared: &Shared,
    ) -> MutexGuard<'a, State> {
        state.running -= 1;
        if !state.watched || !state.is_quiet() {
            return state;
        }
        state.watched = false;
        drop(state);
        shared.interrupt_only();
        self.lock()
    }

    /// Ends the pool: queued jobs are cancelled, idle threads end.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let queue = std::mem::take(&mut state.queue);
        drop(state);
        self.owned.close();
        self.work.notify_all();
        self.patience.notify_all();
        for job in queue {
            match job {
                Job::Task(runnable) => {
                    // Queued and closed: nobody else can have it any more.
                    runnable.cancel();
                }
                Job::Plain(job) => quietly(|| drop(job)),
            }
        }
    }

    /// Waits until every thread has ended, at most for `limit`; how many have not.
    pub(crate) fn wait(&self, limit: Duration) -> usize {
        let deadline = Instant::now().checked_add(limit);
        let mut state = self.lock();
        while state.threads > 0 {
            let left = deadline.map_or(Duration::MAX, |at| {
                at.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                break;
            }
            state = self
                .ended
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state.threads
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Jobs and their destructors run outside of it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_quiet(&self) -> bool {
        self.running == 0 && self.queue.is_empty()
    }

    /// Whether an idle thread is to be woken now; then it is on its way.
    fn wakes_one(&mut self) -> bool {
        let one = self.idle > 0 && !self.waking;
        self.waking |= one;
        one
    }

    /// Who will run one more job: a thread that is coming, an idle one, or one
    /// to be started.
    fn admit(&mut self, max: usize) -> Grow {
        let waiting = self.queue.len();
        if self.coming > waiting {
            return Grow::No;
        }
        if self.coming + self.idle > waiting {
            return if self.wakes_one() {
                Grow::Wake
            } else {
                Grow::No
            };
        }
        if self.threads >= max {
            return Grow::No;
        }
        if self.threads < CORE {
            self.threads += 1;
            return Grow::Thread;
        }
        if self.standby {
            return Grow::No;
        }
        self.threads += 1;
        self.standby = true;
        Grow::Standby
    }
}
