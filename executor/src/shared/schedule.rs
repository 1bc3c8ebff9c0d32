//! Where the wakes of tasks go that any worker may run, and how far forward.

use std::sync::Arc;

use super::Shared;
use crate::home::{Count, Local};
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

/// The scheduler of tasks that any worker may run, by where they were spawned.
pub(super) enum Stealable {
    /// By a thread that is none of the workers.
    Elsewhere(Arc<Shared>),
    /// By one of several workers: at the one count of the executor these would meet,
    /// twice for each task.
    Worker(Count),
    /// By the only worker: at home there, they cost one atomic operation, at their end.
    Only(Local),
}

impl Stealable {
    #[inline(always)]
    fn shared(&self) -> &Arc<Shared> {
        let place = match self {
            Stealable::Elsewhere(shared) => return shared,
            Stealable::Worker(place) => place,
            Stealable::Only(local) => local.place(),
        };
        &place.shared
    }
}

impl Schedule for Stealable {
    #[inline]
    fn schedule(&self, runnable: Runnable) {
        match self {
            Stealable::Only(local) => local.schedule(runnable),
            _ => self.shared().enqueue(runnable, Order::Woken),
        }
    }

    #[inline(always)]
    fn disown(&self, task: &Header) -> Option<Task> {
        match self {
            Stealable::Only(local) => local.disown(task),
            _ => {
                let shared = self.shared();
                let task = shared.owned.remove(task);
                shared.task_ended();
                task
            }
        }
    }

    #[inline]
    fn runtime(&self) -> &Shared {
        self.shared()
    }

    #[inline]
    fn home(&self) -> Option<usize> {
        match self {
            Stealable::Only(local) => local.home(),
            _ => None,
        }
    }

    fn keep(&self, task: Task) {
        match self {
            Stealable::Only(local) => local.keep(task),
            _ => drop(task),
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
