//! Who waits for the write under way: its writer, and a read or a seek that comes behind it.
//!
//! The halves of a file may be in two tasks, and an operation wakes one waker. So it is
//! given this one, which wakes both; whoever was not meant finds nothing new.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use wakeline_context::quietly;

/// Who waits.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Writer,
    /// It needs the position that the write leaves.
    Behind,
}

/// The wakers of both sides.
#[derive(Default)]
pub(super) struct Waits(Mutex<[Option<Waker>; 2]>);

impl Waits {
    /// Polls `op` for one side; what it wakes is both.
    pub(super) fn poll<F>(
        self: &Arc<Waits>,
        cx: &Context<'_>,
        side: Side,
        op: &mut F,
    ) -> Poll<F::Output>
    where
        F: Future + Unpin,
    {
        let mine = cx.waker().clone();
        let before = self.change(|wakers| wakers[side as usize].replace(mine));
        // A waker's drop is foreign code: not under the lock.
        drop(before);
        let both = Waker::from(Arc::clone(self));
        Pin::new(op).poll(&mut Context::from_waker(&both))
    }

    fn change<R>(&self, change: impl FnOnce(&mut [Option<Waker>; 2]) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Wake for Waits {
    fn wake(self: Arc<Waits>) {
        let wakers = self.change(mem::take);
        for waker in wakers.into_iter().flatten() {
            // One that panics costs the other nothing.
            quietly(|| waker.wake());
        }
    }
}
