//! The receiving half.

use super::chan::{Batch, Chan, Found};
use super::error::TryRecvError;
use super::recv::{Recv, RecvMany};
use crate::blocking;
use futures_core::Stream;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, budget, waiting_on};

/// Receives the values in the order in which they were sent, by
/// [`recv`](Receiver::recv) or as a [`Stream`].
///
/// Dropped, it closes the channel and drops what is in it.
#[must_use = "dropping the receiver closes the channel"]
pub struct Receiver<T> {
    chan: Arc<Chan<T>>,
    /// What it took along when it last had the lock: see `chan.rs`.
    batch: Batch<T>,
}

// Nothing in it is ever pinned: the values only pass through.
impl<T> Unpin for Receiver<T> {}

impl<T> Receiver<T> {
    pub(super) fn new(chan: Arc<Chan<T>>) -> Receiver<T> {
        Receiver {
            chan,
            batch: Batch::new(),
        }
    }

    pub(super) fn chan(&self) -> &Chan<T> {
        &self.chan
    }

    /// Receives the next value; none if nothing will come any more: all senders
    /// are gone, or [`close`](Receiver::close) was called and no permit is left.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: a value is taken only by the poll that
    /// returns it.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::mpsc;
    ///
    /// async fn sum(mut from: mpsc::Receiver<u32>) -> u32 {
    ///     let mut sum = 0;
    ///     while let Some(n) = from.recv().await {
    ///         sum += n;
    ///     }
    ///     sum
    /// }
    /// # let _ = sum;
    /// ```
    #[inline]
    #[track_caller]
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv::new(self, Location::caller())
    }

    /// Waits for values and moves up to `limit` of them to the end of `buffer`;
    /// gives their number. Zero means that nothing will come any more, or that
    /// `limit` is zero. All of them count as one unit of the poll's budget.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: values are taken only by the poll that
    /// is ready.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Poll, Waker};
    /// use wakeline_sync::mpsc;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let (sender, mut receiver) = mpsc::channel(8);
    /// for n in 0..5 {
    ///     sender.try_send(n)?;
    /// }
    /// let mut some = Vec::new();
    /// assert_eq!(pin!(receiver.recv_many(&mut some, 3)).poll(&mut cx), Poll::Ready(3));
    /// assert_eq!(some, [0, 1, 2]);
    /// # Ok::<(), mpsc::TrySendError<i32>>(())
    /// ```
    #[track_caller]
    pub fn recv_many<'a>(&'a mut self, buffer: &'a mut Vec<T>, limit: usize) -> RecvMany<'a, T> {
        RecvMany::new(self, buffer, limit, Location::caller())
    }

    /// The next value, if it is there.
    ///
    /// With capacity 0 nothing is there until a sender and a receiver meet: a
    /// failed try lets the sender at the front of the queue go on, and finds its
    /// value once that has run.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`] tells whether one may still come.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::mpsc::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.try_send(7)?;
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Ok(7));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// # Ok::<(), mpsc::TrySendError<i32>>(())
    /// ```
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.next() {
            Found::Value(value) => Ok(value),
            Found::End => Err(TryRecvError::Disconnected),
            Found::Nothing => {
                self.chan.invite(&mut self.chan.lock());
                Err(TryRecvError::Empty)
            }
        }
    }

    /// The next value of the batch.
    #[inline]
    fn serve(&mut self) -> Option<T> {
        let value = self.batch.values.pop_front()?;
        self.chan.served(1, &self.batch);
        Some(value)
    }

    #[inline]
    fn next(&mut self) -> Found<T> {
        if let Some(value) = self.serve() {
            return Found::Value(value);
        }
        self.chan.take(&mut self.batch)
    }

    /// Receives the next value, blocking this thread until it comes: for
    /// threads outside of the runtime.
    ///
    /// # Panics
    ///
    /// On a thread that runs tasks, which it would stop: inside of a task, which must
    /// await [`recv`](Receiver::recv) instead, and in a destructor there. A blocking job may.
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Option<T> {
        blocking::block_on("recv", self.recv())
    }

    /// [`recv`](Receiver::recv) for use inside of a `poll` function; the task of
    /// the last call is the one that is woken.
    ///
    /// # Example
    ///
    /// ```
    /// use std::task::{Context, Poll, Waker};
    /// use wakeline_sync::mpsc;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// assert!(receiver.poll_recv(&mut cx).is_pending());
    /// sender.try_send(7)?;
    /// assert_eq!(receiver.poll_recv(&mut cx), Poll::Ready(Some(7)));
    /// # Ok::<(), mpsc::TrySendError<i32>>(())
    /// ```
    #[inline(always)] // as the poll of `Recv`
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let unit = ready!(budget::poll_proceed(cx));
        if let Some(value) = self.serve() {
            unit.spend();
            return Poll::Ready(Some(value));
        }
        match self.fetch(cx) {
            Found::Value(value) => {
                unit.spend();
                Poll::Ready(Some(value))
            }
            Found::End => {
                unit.spend();
                Poll::Ready(None)
            }
            Found::Nothing => {
                unit.refund();
                Poll::Pending
            }
        }
    }

    /// The next value with the lock, and a place to wait if there is none.
    #[inline(never)]
    fn fetch(&mut self, cx: &Context<'_>) -> Found<T> {
        if self.chan.seems_filled()
            && let Found::Value(value) = self.chan.take(&mut self.batch)
        {
            return Found::Value(value);
        }
        let waker = cx.waker().clone(); // foreign code: not under the lock
        self.chan.take_or_wait(&mut self.batch, waker)
    }

    /// [`recv_many`](Receiver::recv_many) for use inside of a `poll` function.
    pub fn poll_recv_many(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<T>,
        limit: usize,
    ) -> Poll<usize> {
        if limit == 0 {
            return Poll::Ready(0);
        }
        let Some(first) = ready!(self.poll_recv(cx)) else {
            return Poll::Ready(0);
        };
        buffer.push(first);
        let mut count = 1;
        while count < limit {
            let more = self.batch.values.len().min(limit - count);
            if more > 0 {
                buffer.reserve(more); // first: if that panics, nothing is lost
                buffer.extend(self.batch.values.drain(..more));
                self.chan.served(more, &self.batch);
                count += more;
            } else if let Found::Value(value) = self.next() {
                buffer.push(value);
                count += 1;
            } else {
                break;
            }
        }
        Poll::Ready(count)
    }

    /// Refuses values from now on; what was sent can still be received, and what
    /// permits are out can still be used.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::mpsc::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = mpsc::channel(2);
    /// sender.try_send(1)?;
    /// let permit = sender.try_reserve().expect("there is room");
    /// receiver.close();
    /// assert!(sender.try_send(2).is_err());
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty)); // the permit
    /// drop(permit);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// # Ok::<(), mpsc::TrySendError<i32>>(())
    /// ```
    pub fn close(&mut self) {
        self.chan.close(false);
    }

    /// Whether the channel was closed, or all senders are gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let mut held = self.chan.lock();
        let state = held.state();
        state.closed || state.senders == 0
    }

    /// How many values are there to be received.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.values.len() + self.chan.lock().state().buffer.len()
    }

    /// Whether no value is there to be received.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the batch that it took along last has a home.
    #[cfg(all(test, not(loom)))]
    pub(super) fn is_at_home(&self) -> bool {
        self.batch.home != crate::home::Home::NOWHERE
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn room_kept(&self) -> usize {
        self.batch.values.capacity() + self.chan.lock().state().buffer.capacity()
    }

    /// How many values could be sent now without waiting.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.chan.room(self.chan.lock().state())
    }

    /// The capacity that the channel was made with; `usize::MAX` if it has no limit.
    #[must_use]
    pub fn max_capacity(&self) -> usize {
        self.chan.capacity
    }
}

/// The same values in the same order, for combinators. A `next` that is given up
/// loses nothing; of a channel with capacity 0 it goes on lending its slot, so that
/// one send may be done before the next `next`, which has it.
impl<T> Stream for Receiver<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let outcome = self.poll_recv(cx);
        if outcome.is_pending() {
            waiting_on(Kind::Channel, self.chan.id(), Location::caller());
        }
        outcome
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let rest = self.chan.close(true);
        // The values go without the lock, the oldest first.
        drop(std::mem::take(&mut self.batch.values));
        drop(rest);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}
