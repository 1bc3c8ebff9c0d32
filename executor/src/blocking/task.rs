//! Blocking jobs that are tasks: how they are scheduled, which is once.

use std::sync::Arc;

use wakeline_sync::cancel::Node;

use super::{Job, Ticket};
use crate::shared::Shared;
use crate::task::{Header, Runnable, Schedule, Task};

/// The scheduler of blocking jobs: they run once, so nothing wakes them.
pub(crate) struct Blocking {
    pub(crate) shared: Arc<Shared>,
    pub(crate) ticket: Ticket,
    /// That of the spawner, for whom a job works: the job's hangs below it.
    pub(crate) spawner: Option<Node>,
}

impl Schedule for Blocking {
    const MAY_BLOCK: bool = true;

    fn schedule(&self, runnable: Runnable) {
        // A job is queued from its birth and complete after its only poll, so
        // no wake and no abort finds it idle.
        unreachable!("a blocking job was woken: {:?}", runnable.into_raw());
    }

    fn disown(&self, task: &Header) -> Option<Task> {
        self.shared.pool.owned.remove(task)
    }

    fn runtime(&self) -> &Shared {
        &self.shared
    }

    fn above(&self) -> &Node {
        self.spawner.as_ref().unwrap_or(&self.shared.node)
    }

    fn aborted(&self) {
        let desk = &self.shared.pool.desk;
        // If no thread has it yet.
        if let Some(Job::Task(runnable)) = desk.withdraw(self.ticket) {
            // Dropped on this thread, but not under what surrounds the abort.
            runnable.end();
            desk.ended(1, || self.shared.interrupt_only());
        }
    }
}
