//! The receiver's side of the channel: the batch, the wait and the close.

use super::{Access, Chan, Held, State, UNBOUNDED};
use crate::event::Event;
use crate::home::Home;
use crate::sync::atomic::Ordering;
use std::collections::VecDeque;
use std::mem;
use std::task::Waker;
use wakeline_context::quietly;

/// A spare buffer larger than this is given back when little is in use.
const SPARE_MAX: usize = 1_024;

/// What the receiver took along; see `chan.rs`.
pub(in crate::mpsc) struct Batch<T> {
    pub(in crate::mpsc) values: VecDeque<T>,
    pub(in crate::mpsc) home: Home,
}

/// What the receiver finds.
pub(in crate::mpsc) enum Found<T> {
    Value(T),
    Nothing,
    End,
}

impl<T> Batch<T> {
    pub(in crate::mpsc) fn new() -> Batch<T> {
        Batch {
            values: VecDeque::new(),
            home: Home::NOWHERE,
        }
    }
}

impl<T> Chan<T> {
    /// The receiver took `count` values from its batch, which frees their slots.
    #[inline]
    pub(in crate::mpsc) fn served(&self, count: usize, batch: &Batch<T>) {
        if self.capacity == UNBOUNDED {
            return; // nobody counts, and nobody waits
        }
        if self.served.add(count, batch.home) {
            self.hand_on();
        }
    }

    /// What got free is the front's.
    #[inline(never)]
    fn hand_on(&self) {
        let mut held = self.lock();
        self.settle(&mut held);
        quietly(|| drop(held)); // the receiver has its value
    }

    /// Whether the lock is worth a look for a value.
    #[inline]
    pub(in crate::mpsc) fn seems_filled(&self) -> bool {
        self.filled.load(Ordering::Relaxed)
    }

    /// The receiver, whose `batch` is empty, takes the front value, and what is
    /// behind it as its next batch.
    #[inline]
    pub(in crate::mpsc) fn take(&self, batch: &mut Batch<T>) -> Found<T> {
        let mut guard = self.list.state();
        let found = self.take_front(guard.get(), batch);
        self.release(guard);
        found
    }

    /// As `take`; if there is nothing, the receiver leaves its waker and, with
    /// capacity 0, lends a slot.
    #[inline]
    pub(in crate::mpsc) fn take_or_wait(&self, batch: &mut Batch<T>, waker: Waker) -> Found<T> {
        let mut guard = self.list.state();
        let state = guard.get();
        // Who sent since the last look has found nobody to wake.
        let found = self.take_front(state, batch);
        let needless = match found {
            Found::Nothing => state.receiver.replace(waker),
            Found::Value(_) | Found::End => Some(waker),
        };
        if self.capacity == 0 && matches!(found, Found::Nothing) {
            state.slots = 1;
        }
        self.release(guard);
        // Foreign code: without the lock.
        match found {
            Found::Value(_) => quietly(|| drop(needless)), // as in `hand_on`
            Found::Nothing | Found::End => drop(needless),
        }
        found
    }

    /// Gives what got free to those who wait, and the lock back.
    #[inline]
    fn release(&self, mut guard: Access<'_, T>) {
        if guard.get().waiting {
            self.settle_all(guard);
        }
    }

    #[inline(never)]
    fn settle_all(&self, guard: Access<'_, T>) {
        let mut held = self.list.with_waiters(guard);
        self.settle(&mut held);
        quietly(|| drop(held)); // as in `hand_on`
    }

    #[inline]
    fn take_front(&self, state: &mut State<T>, batch: &mut Batch<T>) -> Found<T> {
        debug_assert!(batch.values.is_empty());
        let value = if state.buffer.len() < 2 && state.lent == 0 {
            state.buffer.pop() // it is the front as well, and no batch comes or goes
        } else {
            self.take_batch(state, batch)
        };
        let Some(value) = value else {
            return if state.is_finished() {
                Found::End
            } else {
                Found::Nothing
            };
        };
        self.filled.store(false, Ordering::Relaxed); // nothing is left behind
        if self.capacity == 0 {
            state.slots = 0;
            state.limit = 0;
        }
        Found::Value(value)
    }

    /// Everything of the last batch was served; here is the next, if any, and
    /// its front.
    #[inline(never)]
    fn take_batch(&self, state: &mut State<T>, batch: &mut Batch<T>) -> Option<T> {
        exchange(&mut state.buffer, &mut batch.values);
        let front = batch.values.pop_front();
        state.lent = batch.values.len();
        state.home = if state.roams {
            Home::NOWHERE
        } else {
            Home::here()
        };
        batch.home = state.home;
        self.served.begin(state.waiting);
        self.measure(state);
        front
    }

    /// With capacity 0: one who comes by and does not wait lets the front have a
    /// slot, so that its value is here the next time.
    pub(in crate::mpsc) fn invite(&self, held: &mut Held<'_, T>) {
        if self.capacity == 0 && held.state().promised == 0 && held.grant().is_some() {
            held.state().promise();
            self.settle(held);
        }
    }

    /// No slots from now on: whoever waits for one fails.
    ///
    /// Gives what is in the buffer if the receiver is `gone`, to be dropped by
    /// the caller without the lock.
    pub(in crate::mpsc) fn close(&self, gone: bool) -> Vec<T> {
        let mut held = self.lock();
        let state = held.state();
        state.closed = true;
        state.limit = 0;
        state.receiver_gone |= gone;
        let (values, waker) = if gone {
            (std::mem::take(&mut state.buffer), state.receiver.take())
        } else {
            (Vec::new(), None)
        };
        while held.evict().is_some() {}
        self.settle(&mut held);
        let _last = Tell(&self.closing);
        drop(held);
        drop(waker);
        values
    }

    /// The receiver does not wait any more.
    pub(in crate::mpsc) fn stop_waiting(&self) {
        let mut held = self.lock();
        let state = held.state();
        if self.capacity == 0 {
            state.slots = 0; // what was promised stays promised
            state.limit = 0;
        }
        let waker = state.receiver.take();
        drop(held);
        drop(waker);
    }
}

/// Sets the event on its way out, also if a waker before it panics.
struct Tell<'a>(&'a Event);

impl Drop for Tell<'_> {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Takes all of `buffer` along as a batch, and leaves it the memory of the last one.
fn exchange<T>(buffer: &mut Vec<T>, batch: &mut VecDeque<T>) {
    if buffer.is_empty() {
        // What a burst has left is not kept for the next one.
        if batch.capacity() > SPARE_MAX && mem::size_of::<T>() != 0 {
            *batch = VecDeque::new();
        }
        return;
    }
    // Both ways only the pointers change hands: the last batch is empty.
    let full = VecDeque::from(mem::take(buffer));
    let spare = mem::replace(batch, full);
    if spare.capacity() <= SPARE_MAX.max(4 * batch.len()) {
        *buffer = Vec::from(spare);
    }
}
