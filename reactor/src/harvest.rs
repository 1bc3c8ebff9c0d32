//! What a turn has gathered and may only let go of when nothing is borrowed.
//!
//! Wakers and payloads are foreign code: a waker may poll a task on the spot,
//! a buffer's drop may run anything. So the drivers only collect (invariant 7),
//! and [`Harvest::finish`] lets go.

use crate::op::AnyOp;
use crate::source::Shared;
use std::sync::Arc;
use std::task::Waker;
use wakeline_context::quietly;

/// Something that is dropped when nothing is borrowed.
pub(crate) enum Garbage {
    /// Closes the descriptor, if this was the last holder.
    Source(#[expect(dead_code, reason = "held to be dropped")] Arc<Shared>),
    /// Frees the buffer, if nobody waits for it.
    Op(#[expect(dead_code, reason = "held to be dropped")] Arc<dyn AnyOp>),
    /// Of a timer that nobody waits for any more.
    Waker(#[expect(dead_code, reason = "held to be dropped")] Waker),
}

#[derive(Default)]
pub(crate) struct Harvest {
    pub(crate) wakers: Vec<Waker>,
    pub(crate) garbage: Vec<Garbage>,
}

impl Harvest {
    pub(crate) fn is_empty(&self) -> bool {
        self.wakers.is_empty() && self.garbage.is_empty()
    }

    /// Adds what another one has gathered.
    pub(crate) fn append(&mut self, mut other: Harvest) {
        self.wakers.append(&mut other.wakers);
        self.garbage.append(&mut other.garbage);
    }

    /// Drops the garbage and wakes in the order of arrival; returns how many.
    ///
    /// A panic is told by its hook and ends here: whose waker or payload it was is not
    /// on the stack, and who turns the driver has nothing to do with it.
    pub(crate) fn finish(&mut self) -> usize {
        let woken = self.wakers.len();
        self.wakers.reverse();
        // Caught around all of them, where each would pay; whose turn it was is gone.
        while !self.is_empty() {
            quietly(|| self.let_go());
        }
        woken
    }

    fn let_go(&mut self) {
        while let Some(garbage) = self.garbage.pop() {
            drop(garbage);
        }
        while let Some(waker) = self.wakers.pop() {
            waker.wake();
        }
    }
}
