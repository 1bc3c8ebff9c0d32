//! Where the wakes of tasks go that any worker may run, and how far forward.

use std::sync::Arc;

use wakeline_context::install_token;

use super::Shared;
use crate::task::{Runnable, Schedule, Task};

/// Where a task comes from, which decides how far forward it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// It was woken: it may run next, its data is warm.
    Woken,
    /// It was just spawned: behind those who wait already.
    Spawned,
    /// It was woken while it ran: behind everybody.
    Yielded,
}

/// Ends a task that was never queued: its future is dropped unpolled.
pub(crate) fn cancel(task: &Task, runnable: Runnable) {
    // The token in force is the spawner's.
    let _none = install_token(None);
    task.abort();
    runnable.end();
}

/// The scheduler of tasks that any worker may run.
pub(super) struct Stealable(pub(super) Arc<Shared>);

impl Schedule for Stealable {
    fn schedule(&self, runnable: Runnable) {
        self.0.enqueue(runnable, Order::Woken);
    }

    fn disown(&self, key: usize) -> Option<Task> {
        let task = self.0.owned.remove(key);
        self.0.task_ended();
        task
    }

    fn runtime(&self) -> &Shared {
        &self.0
    }
}

/// The scheduler of the cleanup lane: as of tasks that any worker may run, but
/// the end of the runtime comes later for them.
pub(super) struct Cleanup(pub(super) Arc<Shared>);

impl Schedule for Cleanup {
    const SHIELDED: bool = true;

    fn schedule(&self, runnable: Runnable) {
        self.0.enqueue(runnable, Order::Woken);
    }

    fn disown(&self, key: usize) -> Option<Task> {
        let task = self.0.cleanups.remove(key);
        self.0.cleanup_ended();
        task
    }

    fn runtime(&self) -> &Shared {
        &self.0
    }
}
