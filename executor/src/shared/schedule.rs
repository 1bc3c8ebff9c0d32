//! Where the wakes of tasks go that any worker may run, and how far forward.

use std::sync::Arc;

use super::Shared;
use crate::home::Local;
use crate::task::{Header, Runnable, Schedule, Task};

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
    task.abort();
    runnable.end();
}

/// The scheduler of tasks that may be run by any worker.
pub(super) enum Stealable {
    /// And are.
    ByAny(Arc<Shared>),
    /// Spawned by the only worker: at home there, they cost one atomic operation, at
    /// their end.
    ByOnly(Local),
}

impl Schedule for Stealable {
    #[inline]
    fn schedule(&self, runnable: Runnable) {
        match self {
            Stealable::ByAny(shared) => shared.enqueue(runnable, Order::Woken),
            Stealable::ByOnly(local) => local.schedule(runnable),
        }
    }

    #[inline(always)]
    fn disown(&self, task: &Header) -> Option<Task> {
        match self {
            Stealable::ByAny(shared) => {
                let task = shared.owned.remove(task);
                shared.task_ended();
                task
            }
            Stealable::ByOnly(local) => local.disown(task),
        }
    }

    #[inline]
    fn runtime(&self) -> &Shared {
        match self {
            Stealable::ByAny(shared) => shared,
            Stealable::ByOnly(local) => local.runtime(),
        }
    }

    #[inline]
    fn home(&self) -> Option<usize> {
        match self {
            Stealable::ByAny(_) => None,
            Stealable::ByOnly(local) => local.home(),
        }
    }

    fn keep(&self, task: Task) {
        match self {
            Stealable::ByAny(_) => drop(task),
            Stealable::ByOnly(local) => local.keep(task),
        }
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

    fn disown(&self, task: &Header) -> Option<Task> {
        let task = self.0.cleanups.remove(task);
        self.0.cleanup_ended();
        task
    }

    fn runtime(&self) -> &Shared {
        &self.0
    }
}
