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

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use wakeline_context::install_token;

use crate::context;
use crate::shared::Shared;
use crate::task::{OwnedByMany, Runnable, Schedule, Task, quietly};

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
    /// A thread waits for `PATIENCE` to see whether the pool must grow.
    standby: bool,
    closed: bool,
}

/// What a pool thread runs.
pub(crate) enum Job {
    Task(Runnable),
    Plain(Box<dyn FnOnce() + Send>),
}

/// What a submit must do once the lock is released.
enum Grow {
    No,
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
            Grow::No => self.work.notify_one(),
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

    /// Takes an aborted job out of the queue, if no thread has it yet.
    fn withdraw(&self, task: &Task) -> Option<Runnable> {
        let mut state = self.lock();
        let place = state
            .queue
            .iter()
            .position(|job| matches!(job, Job::Task(queued) if queued.is(task)))?;
        let Some(Job::Task(runnable)) = state.queue.remove(place) else {
            unreachable!("the job at this place is the task's")
        };
        // It counts until its future is dropped: that may wake someone.
        state.running += 1;
        Some(runnable)
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

    fn start(&self, shared: &Arc<Shared>, standby: bool) -> io::Result<()> {
        let shared = Arc::clone(shared);
        let mut builder = thread::Builder::new().name(self.name.clone());
        if let Some(stack) = self.stack {
            builder = builder.stack_size(stack);
        }
        builder.spawn(move || serve(&shared, standby)).map(drop).map_err(|error| {
            let what = format!(
                "start a thread for blocking jobs: {error}; raise the limit of threads (ulimit -u, the container's pids) \
                 or of memory"
            );
            io::Error::new(error.kind(), what)
        })
    }

    /// A thread that was counted could not be started.
    fn lost(&self, standby: bool) {
        let mut state = self.lock();
        state.threads -= 1;
        state.standby &= !standby;
        drop(state);
        self.ended.notify_all();
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

    /// The next job, or `None` when the thread is to end: then it is counted
    /// out already, in the same step, lest a job be queued for it meanwhile.
    /// `ran`: the one before has ended.
    fn next(&self, shared: &Arc<Shared>, ran: bool, standby: bool) -> Option<Job> {
        let mut state = self.lock();
        if ran {
            state = self.job_ended(state, shared);
        }
        if standby {
            state = self.stand_by(state, shared);
        }
        loop {
            if let Some(job) = state.queue.pop_front() {
                state.running += 1;
                return Some(job);
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let (woken, timeout) = self
                .work
                .wait_timeout(state, KEEP_ALIVE)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
        drop(state);
        self.ended.notify_all();
        None
    }

    /// Waits for `PATIENCE`; then starts threads if jobs still wait.
    fn stand_by<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        shared: &Arc<Shared>,
    ) -> MutexGuard<'a, State> {
        let waits = |state: &mut State| !state.queue.is_empty() && !state.closed;
        let waited = self
            .patience
            .wait_timeout_while(state, PATIENCE, waits)
            .unwrap_or_else(PoisonError::into_inner);
        let mut state = waited.0;
        state.standby = false;
        // One job is for this thread itself.
        let waiting = state.queue.len().saturating_sub(1 + state.idle);
        let more = waiting.min(state.threads).min(self.max - state.threads);
        if more == 0 || state.closed {
            return state;
        }
        state.threads += more;
        // The last of them watches on.
        state.standby = true;
        drop(state);
        for nth in 1..=more {
            if self.start(shared, nth == more).is_err() {
                (nth..=more).for_each(|lost| self.lost(lost == more));
                break;
            }
        }
        self.lock()
    }
}

impl State {
    fn is_quiet(&self) -> bool {
        self.running == 0 && self.queue.is_empty()
    }

    /// Who will run one more job: an idle thread, or one to be started.
    fn admit(&mut self, max: usize) -> Grow {
        if self.idle > self.queue.len() || self.threads >= max {
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

/// A pool thread's life.
///
/// It keeps the executor's shared part alive; the executor's drop closes the
/// pool, which ends the thread.
fn serve(shared: &Arc<Shared>, standby: bool) {
    let _entered = context::enter_shared(Arc::clone(shared));
    context::set_passing();
    let _surround = shared.pool.surround.as_ref().map(|surround| surround());
    let mut standby = standby;
    let mut ran = false;
    while let Some(job) = shared.pool.next(shared, ran, std::mem::take(&mut standby)) {
        ran = true;
        match job {
            Job::Task(runnable) => runnable.end(),
            // The panic hook has told of it; the job had nobody to tell.
            Job::Plain(job) => quietly(job),
        }
    }
}

/// The scheduler of blocking jobs: they run once, so nothing wakes them.
pub(crate) struct Blocking(pub(crate) Arc<Shared>);

impl Schedule for Blocking {
    const MAY_BLOCK: bool = true;

    fn schedule(&self, runnable: Runnable) {
        // A job is queued from its birth and complete after its only poll, so
        // no wake and no abort finds it idle.
        unreachable!("a blocking job was woken: {:?}", runnable.into_raw());
    }

    fn disown(&self, key: usize) -> Option<Task> {
        self.0.pool.owned.remove(key)
    }

    fn runtime(&self) -> &Shared {
        &self.0
    }

    fn aborted(&self, task: &Task) {
        let pool = &self.0.pool;
        if let Some(runnable) = pool.withdraw(task) {
            // Dropped on this thread, but not under what surrounds the abort.
            let _none = install_token(None);
            runnable.end();
            drop(pool.job_ended(pool.lock(), &self.0));
        }
    }
}
