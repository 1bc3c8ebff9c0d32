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
        let poll = Pin::new(op).poll(&mut Context::from_waker(&both));
        if poll.is_ready() {
            // Nobody waits any more: no task is kept for that, and the other side goes on.
            drop(self.change(|wakers| wakers[side as usize].take()));
            self.wake_by_ref();
        }
        poll
    }

    fn change<R>(&self, change: impl FnOnce(&mut [Option<Waker>; 2]) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Wake for Waits {
    fn wake(self: Arc<Waits>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Waits>) {
        let wakers = self.change(mem::take);
        for waker in wakers.into_iter().flatten() {
            // One that panics costs the other nothing.
            quietly(|| waker.wake());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Count>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn both_sides_are_woken_and_nobody_is_kept_after_the_end() {
        let counts: [Arc<Count>; 2] = Default::default();
        let [writer, behind] = counts
            .each_ref()
            .map(|count| Waker::from(Arc::clone(count)));
        let woken = || {
            counts
                .each_ref()
                .map(|count| count.0.load(Ordering::Relaxed))
        };
        let (waits, mut wakes) = (Arc::<Waits>::default(), None);
        let mut polls = 0;
        let mut op = poll_fn(|cx| {
            polls += 1;
            wakes = Some(cx.waker().clone());
            if polls == 4 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        let mut poll = |side, waker| waits.poll(&Context::from_waker(waker), side, &mut op);
        assert!(poll(Side::Writer, &writer).is_pending());
        assert!(poll(Side::Behind, &behind).is_pending());
        // Who came last does not take the operation's wake from the other.
        waits.wake_by_ref();
        assert_eq!(woken(), [1, 1]);
        assert!(poll(Side::Writer, &writer).is_pending());
        // The end is found by one side, and the other hears of it.
        assert!(poll(Side::Behind, &behind).is_ready());
        assert_eq!(woken(), [2, 1]);
        drop((writer, behind, wakes));
        assert_eq!(counts.each_ref().map(Arc::strong_count), [1, 1]);
    }
}
