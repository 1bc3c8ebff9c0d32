//! Blocking jobs that are tasks: how they are scheduled, which is once.

use std::sync::Arc;

use super::Job;
use crate::shared::Shared;
use crate::task::{Header, Runnable, Schedule, Task};

/// The scheduler of blocking jobs: they run once, so nothing wakes them.
pub(crate) struct Blocking(pub(crate) Arc<Shared>);

impl Schedule for Blocking {
    const MAY_BLOCK: bool = true;

    fn schedule(&self, runnable: Runnable) {
        // A job is queued from its birth and complete after its only poll, so
        // no wake and no abort finds it idle.
        unreachable!("a blocking job was woken: {:?}", runnable.into_raw());
    }

    fn disown(&self, task: &Header) -> Option<Task> {
        self.0.pool.owned.remove(task)
    }

    fn runtime(&self) -> &Shared {
        &self.0
    }

    fn aborted(&self, task: &Task) {
        let desk = &self.0.pool.desk;
        let is_it = |job: &Job| matches!(job, Job::Task(queued) if queued.is(task));
        // If no thread has it yet.
        if let Some(Job::Task(runnable)) = desk.withdraw(is_it) {
            // Dropped on this thread, but not under what surrounds the abort.
            runnable.end();
            desk.ended(1, || self.0.interrupt_only());
        }
    }
}
