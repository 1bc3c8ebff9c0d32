//! A worker's own queue, and the task that goes before it.

use std::cell::Cell;

use super::runnable;
use crate::queue::Owner;
use crate::task::{Header, Runnable};

/// Woken tasks that may run before the queue's head, one after the other.
const LIFO_CAP: u8 = 3;

/// What one of several workers has of its own.
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) queue: Owner<Header>,
    /// The task woken last, which runs next while its data is warm.
    pub(super) next: Cell<Option<Runnable>>,
    /// How many have run from `next` without a look at the queue.
    streak: Cell<u8>,
}

impl Worker {
    pub(crate) fn new(index: usize, queue: Owner<Header>) -> Worker {
        Worker {
            index,
            queue,
            next: Cell::new(None),
            streak: Cell::new(0),
        }
    }

    pub(super) fn has_next(&self) -> bool {
        let next = self.next.take();
        let has = next.is_some();
        self.next.set(next);
        has
    }

    pub(super) fn pop(&self) -> Option<Runnable> {
        if let Some(next) = self.next.take() {
            if self.streak.get() < LIFO_CAP {
                self.streak.set(self.streak.get() + 1);
                return Some(next);
            }
            // It had its share: behind the others, who have waited longer.
            self.queue.push(next.into_raw());
        }
        self.streak.set(0);
        self.queue.pop().map(runnable)
    }
}
