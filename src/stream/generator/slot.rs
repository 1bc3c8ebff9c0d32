//! The one place between a generator's body and its consumer.
//!
//! ```text
//!              ┌────────4────────┐
//!              ▼                 │
//!   emit ──▶ Offers ──1──▶ Placed ──2──▶ Taken: `emit` is ready
//!              │             │
//!              └──3──────────┴──3──▶ given up: the item is dropped
//! ```
//! 1 the slot is empty     the item is put there
//! 2 `Slot::poll_take`     the body has suspended: the consumer takes the item
//! 3 the `emit` is dropped an item that nobody has taken is taken back
//! 4 another item was in the slot: this one waits until it is taken
//!
//! Most of the time body and consumer are one task, and nobody needs to be woken:
//! the next `poll_next` polls the body. But an `emit` may be polled with a waker
//! of its own (inside of `join_all`), outside of the body, or in another task, so
//! wakers are kept (`line.rs`), and all are called but those of the first sort.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use super::line::{Line, Ticket};

#[derive(Debug)]
pub(super) struct Slot<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    item: Option<Placed<T>>,
    placed: u64,
    /// Of `emit`s that wait until the slot is empty.
    line: Line,
    /// Where the body is being polled.
    runs_on: Option<ThreadId>,
    /// Of a consumer that found nothing.
    consumer: Option<Waker>,
    /// The body is done, or the stream was dropped.
    closed: bool,
}

#[derive(Debug)]
struct Placed<T> {
    nth: u64,
    item: T,
}

impl<T> Slot<T> {
    pub(super) fn new() -> Slot<T> {
        Slot(Mutex::new(State {
            item: None,
            placed: 0,
            line: Line::default(),
            runs_on: None,
            consumer: None,
            closed: false,
        }))
    }

    /// No user code runs while it is held.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The consumer polls the body: until it finds nothing, it need not be woken.
    pub(super) fn begin(&self) {
        let mut state = self.lock();
        state.runs_on = Some(thread::current().id());
        let consumer = state.consumer.take();
        drop(state);
        drop(consumer);
    }

    /// The body has suspended. The item, if there is one; else the consumer is woken by the next.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<T> {
        let consumer = cx.waker().clone(); // foreign code: before the lock
        let mut state = self.lock();
        state.runs_on = None;
        let Some(placed) = state.item.take() else {
            state.consumer = Some(consumer); // `begin` has emptied it
            return Poll::Pending;
        };
        let emitters = state.line.take();
        drop(state);
        emitters.wake_for(&consumer);
        Poll::Ready(placed.item)
    }

    /// There will be no consumer; what is left in the slot.
    pub(super) fn close(&self) -> Option<T> {
        let mut state = self.lock();
        state.closed = true;
        let item = state.item.take();
        let emitters = state.line.take();
        drop(state);
        emitters.wake();
        item.map(|placed| placed.item)
    }

    /// Edge 1 or 4: the number of the item once it is placed, or the item.
    fn place(
        &self,
        item: T,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
    ) -> Result<u64, Refused<T>> {
        let waker = waker.clone();
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed(item));
        }
        let unused = state.wait(ticket, waker);
        if state.item.is_some() {
            drop(state);
            drop(unused);
            return Err(Refused::Full(item));
        }
        state.placed += 1;
        let nth = state.placed;
        state.item = Some(Placed { nth, item });
        let consumer = state.consumer.take();
        drop(state);
        drop(unused);
        if let Some(consumer) = consumer {
            consumer.wake();
        }
        Ok(nth)
    }

    fn poll_taken(&self, nth: u64, ticket: &mut Option<Ticket>, waker: &Waker) -> Poll<()> {
        let waker = waker.clone();
        let mut state = self.lock();
        if !state.has(nth) {
            return Poll::Ready(());
        }
        let unused = state.wait(ticket, waker);
        drop(state);
        drop(unused);
        Poll::Pending
    }

    /// Edge 3: what was placed is taken back.
    fn give_up(&self, nth: Option<u64>, ticket: Ticket) {
        let mut state = self.lock();
        let unused = state.line.leave(ticket);
        let mine = nth.is_some_and(|nth| state.has(nth));
        let item = mine.then(|| state.item.take());
        // There is room for the others.
        let emitters = mine.then(|| state.line.take());
        drop(state);
        if let Some(emitters) = emitters {
            emitters.wake();
        }
        drop((unused, item));
    }
}

impl<T> State<T> {
    fn has(&self, nth: u64) -> bool {
        self.item.as_ref().is_some_and(|placed| placed.nth == nth)
    }

    fn wait(&mut self, ticket: &mut Option<Ticket>, waker: Waker) -> Option<Waker> {
        let inside = self.runs_on == Some(thread::current().id());
        self.line.wait(ticket, waker, inside)
    }
}

enum Refused<T> {
    Full(T),
    Closed(T),
}

/// What the body of a [`gen_stream`](super::gen_stream) emits through.
pub struct Emitter<T> {
    slot: Arc<Slot<T>>,
}

impl<T> Emitter<T> {
    pub(super) fn new(slot: Arc<Slot<T>>) -> Emitter<T> {
        Emitter { slot }
    }

    /// Gives `item` to the consumer and waits until it asks for the next one.
    ///
    /// An emitter can be carried out of the body, also into another task. Once the
    /// body has ended or the stream was dropped, there is no consumer any more: the
    /// item is dropped, and the future is ready.
    ///
    /// # Cancellation
    ///
    /// Dropping the future takes the item back, unless the consumer has it.
    pub fn emit(&self, item: T) -> Emit<'_, T> {
        Emit {
            slot: &self.slot,
            state: EmitState::Offers(item),
            ticket: None,
        }
    }
}

impl<T> fmt::Debug for Emitter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emitter")
    }
}

/// The future of [`Emitter::emit`].
#[must_use = "an item is only emitted when this is awaited"]
pub struct Emit<'a, T> {
    slot: &'a Slot<T>,
    state: EmitState<T>,
    ticket: Option<Ticket>,
}

enum EmitState<T> {
    Offers(T),
    Placed(u64),
    Done,
}

impl<T> Unpin for Emit<'_, T> {}

impl<T> Future for Emit<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        match std::mem::replace(&mut this.state, EmitState::Done) {
            EmitState::Offers(item) => match this.slot.place(item, &mut this.ticket, cx.waker()) {
                Ok(nth) => this.state = EmitState::Placed(nth),
                Err(Refused::Full(item)) => this.state = EmitState::Offers(item),
                Err(Refused::Closed(item)) => {
                    drop(item);
                    return Poll::Ready(());
                }
            },
            EmitState::Placed(nth) => {
                let ticket = &mut this.ticket;
                if this.slot.poll_taken(nth, ticket, cx.waker()).is_ready() {
                    return Poll::Ready(());
                }
                this.state = EmitState::Placed(nth);
            }
            EmitState::Done => panic!("an `emit` was polled after it was ready"),
        }
        Poll::Pending
    }
}

impl<T> Drop for Emit<'_, T> {
    fn drop(&mut self) {
        let nth = match self.state {
            EmitState::Offers(_) => None,
            EmitState::Placed(nth) => Some(nth),
            EmitState::Done => return,
        };
        if let Some(ticket) = self.ticket {
            self.slot.give_up(nth, ticket);
        }
    }
}

impl<T> fmt::Debug for Emit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emit").finish_non_exhaustive()
    }
}
