//! Blocking jobs that are tasks: how they are scheduled, which is once.

use std::sync::Arc;

use wakeline_context::install_token;

use super::{Job, Pool};
use crate::shared::Shared;
use crate::task::{Runnable, Schedule, Task};

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

impl Pool {
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
}
