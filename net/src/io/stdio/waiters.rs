//! Who waits for a thread: one waker a handle, that of its last poll.
//!
//! A future that is dropped says nothing here. So a waker stays until its
//! handle lists another one or is dropped, or until all are woken: there are
//! never more than there are handles.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

/// The number of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(u64);

impl Id {
    pub(super) fn new() -> Id {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Id(NEXT.fetch_add(1, Ordering::Relaxed)) // only to be unique
    }
}

/// In the order in which they came.
#[derive(Debug)]
pub(super) struct Waiters(Vec<(Id, Waker)>);

impl Waiters {
    pub(super) const fn new() -> Waiters {
        Waiters(Vec::new())
    }

    /// Lists `waker`, and gives the one that it replaces, to be dropped when
    /// the lock is gone.
    #[must_use = "foreign code: not under the lock"]
    pub(super) fn list(&mut self, id: Id, waker: Waker) -> Option<Waker> {
        if let Some((_, listed)) = self.0.iter_mut().find(|(listed, _)| *listed == id) {
            return Some(std::mem::replace(listed, waker));
        }
        self.0.push((id, waker));
        None
    }

    #[must_use = "foreign code: not under the lock"]
    pub(super) fn remove(&mut self, id: Id) -> Option<Waker> {
        let index = self.0.iter().position(|(listed, _)| *listed == id)?;
        Some(self.0.remove(index).1)
    }

    #[must_use = "foreign code: not under the lock"]
    pub(super) fn take(&mut self) -> Vec<Waker> {
        self.0.drain(..).map(|(_, waker)| waker).collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
