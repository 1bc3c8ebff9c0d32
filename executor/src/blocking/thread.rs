//! The pool's threads: how they start, what they do, when there are more.

use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::Waker;

use super::{Job, KEEP_ALIVE, PATIENCE, Pool, State};
use crate::context;
use crate::shared::Shared;
use crate::task::quietly;

impl Pool {
    pub(super) fn start(&self, shared: &Arc<Shared>, standby: bool) -> io::Result<()> {
        let shared = Arc::clone(shared);
        let mut builder = std::thread::Builder::new().name(self.name.clone());
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
    pub(super) fn lost(&self, standby: bool) {
        let mut state = self.lock();
        state.threads -= 1;
        state.standby &= !standby;
        drop(state);
        self.ended.notify_all();
    }

    /// A new thread's first job, or `None` if it has none and is to end.
    fn first(&self, shared: &Arc<Shared>, standby: bool) -> Option<Job> {
        let mut state = self.lock();
        if standby {
            state = self.stand_by(state, shared);
        }
        self.take(state)
    }

    /// A job has ended: the next one, or `None`.
    fn next(&self, shared: &Shared) -> Option<Job> {
        self.take(self.job_ended(self.lock(), shared))
    }

    /// The same after a wake; as drawn in the module above.
    fn wake_and_next(&self, shared: &Shared, waker: Waker) -> Option<Job> {
        let mut state = self.lock();
        // For both, as the one before counts until its wake is over.
        let along = state.queue.pop_front();
        state.coming += usize::from(along.is_none());
        drop(state);
        quietly(|| waker.wake());
        if along.is_some() {
            return along;
        }
        let mut state = self.lock();
        state.coming -= 1;
        self.take(self.job_ended(state, shared))
    }

    /// Waits for a job. `None` when the thread is to end: then it is counted
    /// out already, in the same step, lest a job be queued for it meanwhile.
    fn take(&self, mut state: MutexGuard<'_, State>) -> Option<Job> {
        loop {
            if let Some(job) = state.queue.pop_front() {
                state.running += 1;
                if !state.queue.is_empty() && state.wakes_one() {
                    drop(state);
                    self.work.notify_one();
                }
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
            state.waking = false;
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
        let taken = 1 + state.idle + state.coming;
        let waiting = state.queue.len().saturating_sub(taken);
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

/// A pool thread's life.
///
/// It keeps the executor's shared part alive; the executor's drop closes the
/// pool, which ends the thread.
fn serve(shared: &Arc<Shared>, standby: bool) {
    let _entered = context::enter_shared(Arc::clone(shared));
    context::set_passing();
    let _surround = shared.pool.surround.as_ref().map(|surround| surround());
    let mut next = shared.pool.first(shared, standby);
    while let Some(job) = next {
        next = match job {
            Job::Task(runnable) => {
                runnable.end();
                shared.pool.next(shared)
            }
            Job::Plain(job) => {
                let mut waker = None;
                // The panic hook has told of it; the job had nobody to tell.
                quietly(|| waker = job().take());
                match waker {
                    Some(waker) => shared.pool.wake_and_next(shared, waker),
                    None => shared.pool.next(shared),
                }
            }
        };
    }
}
