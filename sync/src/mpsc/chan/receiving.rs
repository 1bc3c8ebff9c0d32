//! The receiver's side of the channel: the batch, the wait and the close.

use super::{Chan, Held, SERVED, State, UNBOUNDED, WAITING};
use crate::sync::atomic::Ordering;
use std::collections::VecDeque;
use std::task::Waker;

/// A spare buffer larger than this is given back when little is in use.
const SPARE_MAX: usize = 1_024;

/// What the receiver finds.
pub(in crate::mpsc) enum Found<T> {
    Value(T),
    Nothing,
    End,
}

impl<T> Chan<T> {
    /// The receiver took `count` values from its batch, which frees their slots.
    #[inline]
    pub(in crate::mpsc) fn served(&self, count: usize) {
        if self.capacity == UNBOUNDED {
            return; // nobody counts, and nobody waits
        }
        // Release: see `used`. Acquire: see `enqueue`.
        let before = self.word.fetch_add(count * SERVED, Ordering::AcqRel);
        if before & WAITING != 0 {
            self.settle(&mut self.lock());
        }
    }

    /// Whether the lock is worth a look for a value.
    #[inline]
    pub(in crate::mpsc) fn seems_filled(&self) -> bool {
        self.filled.load(Ordering::Relaxed)
    }

    /// The receiver, whose `batch` is empty, takes the front value, and what is
    /// behind it as its next batch.
    #[inline]
    pub(in crate::mpsc) fn take(
        &self,
        held: &mut Held<'_, T>,
        batch: &mut VecDeque<T>,
    ) -> Found<T> {
        let state = held.state();
        debug_assert!(batch.is_empty());
        let Some(value) = state.buffer.pop_front() else {
            if state.lent != 0 {
                self.lend(state, batch);
            }
            return if state.is_finished() {
                Found::End
            } else {
                Found::Nothing
            };
        };
        self.filled.store(false, Ordering::Relaxed); // nothing is left behind
        if self.capacity == 0 {
            state.slots = 0;
        }
        if !state.buffer.is_empty() || state.lent != 0 {
            self.lend(state, batch);
        }
        if state.waiting {
            self.settle(held);
        }
        Found::Value(value)
    }

    /// Everything of the last batch was served; here is the next.
    fn lend(&self, state: &mut State<T>, batch: &mut VecDeque<T>) {
        std::mem::swap(&mut state.buffer, batch);
        if state.buffer.capacity() > SPARE_MAX.max(4 * batch.len()) {
            state.buffer = VecDeque::new();
        }
        state.lent = batch.len();
        // Relaxed: the lock is held, and without it only the receiver looks.
        self.word
            .store(usize::from(state.waiting) * WAITING, Ordering::Relaxed);
    }

    /// The receiver is about to wait: it leaves its waker, of which this gives
    /// the one before, and, with capacity 0, lends a slot.
    pub(in crate::mpsc) fn wait(&self, held: &mut Held<'_, T>, waker: Waker) -> Option<Waker> {
        let old = held.state().receiver.replace(waker);
        if self.capacity == 0 {
            held.state().slots = 1;
            self.settle(held);
        }
        old
    }

    /// With capacity 0: one who comes by and does not wait lets the front have a
    /// slot, so that its value is here the next time.
    pub(in crate::mpsc) fn invite(&self, held: &mut Held<'_, T>) {
        if self.capacity == 0 && held.state().promised == 0 && held.grant().is_some() {
            held.state().promised += 1;
            self.settle(held);
        }
    }

    /// No slots from now on: whoever waits for one fails.
    ///
    /// Gives what is in the buffer if the receiver is `gone`, to be dropped by
    /// the caller without the lock.
    pub(in crate::mpsc) fn close(&self, gone: bool) -> VecDeque<T> {
        let mut held = self.lock();
        let state = held.state();
        state.closed = true;
        state.receiver_gone |= gone;
        let (values, waker) = if gone {
            (std::mem::take(&mut state.buffer), state.receiver.take())
        } else {
            (VecDeque::new(), None)
        };
        while held.evict().is_some() {}
        self.settle(&mut held);
        drop(held);
        drop(waker);
        self.closing.set();
        values
    }

    /// The receiver does not wait any more.
    pub(in crate::mpsc) fn stop_waiting(&self) {
        let mut held = self.lock();
        let state = held.state();
        if self.capacity == 0 {
            state.slots = 0; // what was promised stays promised
        }
        let waker = state.receiver.take();
        drop(held);
        drop(waker);
    }
}
