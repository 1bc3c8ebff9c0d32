//! Who yielded, and is woken after the driver's next turn.

use std::task::Waker;

use wakeline_context::quietly;

use super::{Context, with};
use crate::task;

/// Someone who yielded.
pub(super) struct Deferred {
    waker: Waker,
    /// When this many tasks have run here. A task that is woken is queued behind
    /// those who are ready; the future of a `block_on` is in no queue and would be
    /// before them, if there are more than run between two turns.
    after: u64,
}

/// Wakes `waker` after every task that is ready now and the driver had a turn.
pub(crate) fn defer(waker: &Waker) {
    let waker = waker.clone();
    let away = with(|current| match current {
        Some(current) => {
            let ahead = if task::is_root() { current.queued() } else { 0 };
            let after = current.ran() + ahead as u64;
            let deferred = Deferred { waker, after };
            current.deferred.borrow_mut().push(deferred);
            None
        }
        None => Some(waker),
    });
    if let Some(waker) = away {
        waker.wake();
    }
}

impl Context {
    pub(crate) fn has_deferred(&self) -> bool {
        !self.deferred.borrow().is_empty()
    }

    /// Wakes those who yielded.
    pub(crate) fn wake_deferred(&self) {
        if self.has_deferred() {
            let (ran, all) = (self.ran(), self.queued() == 0);
            let due: Vec<Deferred> = self
                .deferred
                .borrow_mut()
                .extract_if(.., |deferred| all || deferred.after <= ran)
                .collect();
            wake(due);
        }
    }

    /// Wakes those who yielded although there was no turn: there will be none.
    #[cold]
    pub(crate) fn wake_all_deferred(&self) {
        wake(self.deferred.take());
    }
}

/// Each for itself: the panic of one must not cost the others' wakes.
fn wake(due: Vec<Deferred>) {
    due.into_iter().for_each(|due| quietly(|| due.waker.wake()));
}
