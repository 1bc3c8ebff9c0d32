//! The receiving half.

use super::chan::{self, Chan, Found};
use super::error::TryRecvError;
use crate::blocking;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, budget, waiting_on};

/// Receives the values in the order in which they were sent.
///
/// Dropped, it closes the channel and drops what is in it.
#[must_use = "dropping the receiver closes the channel"]
pub struct Receiver<T> {
    chan: Arc<Chan<T>>,
}

impl<T> Receiver<T> {
    pub(super) fn new(chan: Arc<Chan<T>>) -> Receiver<T> {
        Receiver { chan }
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
        Recv {
            receiver: self,
            waits: false,
            location: Location::caller(),
        }
    }

    /// Waits for values and moves up to `limit` of them to the end of `buffer`;
    /// gives their number. Zero means that nothing will come any more, or that
    /// `limit` is zero.
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
        RecvMany {
            receiver: self,
            buffer,
            limit,
            waits: false,
            location: Location::caller(),
        }
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
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let mut held = self.chan.lock();
        match chan::take(&mut held, self.chan.capacity) {
            Found::Value(value) => Ok(value),
            Found::End => Err(TryRecvError::Disconnected),
            Found::Nothing => {
                if self.chan.capacity == 0 {
                    chan::invite(&mut held);
                }
                Err(TryRecvError::Empty)
            }
        }
    }

    /// Receives the next value, blocking this thread until it comes: for
    /// threads outside of the runtime.
    ///
    /// # Panics
    ///
    /// Inside of a task, which must await [`recv`](Receiver::recv) instead.
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Option<T> {
        blocking::block_on("recv", self.recv())
    }

    /// [`recv`](Receiver::recv) for use inside of a `poll` function; the task of
    /// the last call is the one that is woken.
    #[inline]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let unit = ready!(budget::poll_proceed(cx));
        let capacity = self.chan.capacity;
        match chan::take(&mut self.chan.lock(), capacity) {
            Found::Value(value) => {
                unit.spend();
                return Poll::Ready(Some(value));
            }
            Found::End => {
                unit.spend();
                return Poll::Ready(None);
            }
            Found::Nothing => {}
        }
        let waker = cx.waker().clone(); // foreign code: not under the lock
        let mut held = self.chan.lock();
        // Again: who sent since then has found nobody to wake.
        let found = match chan::take(&mut held, capacity) {
            Found::Value(value) => Some(value),
            Found::End => None,
            Found::Nothing => {
                let old = chan::wait(&mut held, capacity, waker);
                drop(held);
                drop(old);
                unit.refund();
                return Poll::Pending;
            }
        };
        drop(held); // before the waker
        unit.spend();
        Poll::Ready(found)
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
        let before = buffer.len();
        // Room first: under the lock nothing may be allocated for the caller.
        buffer.reserve(limit.min(self.len().max(1)));
        let Some(first) = ready!(self.poll_recv(cx)) else {
            return Poll::Ready(0);
        };
        buffer.push(first);
        let mut held = self.chan.lock();
        while buffer.len() - before < limit
            && buffer.len() < buffer.capacity()
            && let Found::Value(value) = chan::take(&mut held, self.chan.capacity)
        {
            buffer.push(value);
        }
        Poll::Ready(buffer.len() - before)
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
        self.chan.lock().state().buffer.len()
    }

    /// Whether no value is there to be received.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values could be sent now without waiting.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.chan.lock().state().room()
    }

    /// The capacity that the channel was made with; `usize::MAX` if it has no limit.
    #[must_use]
    pub fn max_capacity(&self) -> usize {
        self.chan.capacity
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        drop(self.chan.close(true)); // the values: without the lock
    }
}

/// The future of [`Receiver::recv`].
#[must_use = "a value is only received when this is awaited"]
pub struct Recv<'a, T> {
    receiver: &'a mut Receiver<T>,
    /// Whether its waker is in the channel.
    waits: bool,
    location: &'static Location<'static>,
}

impl<T> Future for Recv<'_, T> {
    type Output = Option<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let outcome = self.receiver.poll_recv(cx);
        self.waits = outcome.is_pending();
        if self.waits {
            waiting_on(Kind::Channel, self.receiver.chan.id(), self.location);
        }
        outcome
    }
}

impl<T> Drop for Recv<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.waits {
            self.receiver.chan.stop_waiting();
        }
    }
}

/// The future of [`Receiver::recv_many`].
#[must_use = "values are only received when this is awaited"]
pub struct RecvMany<'a, T> {
    receiver: &'a mut Receiver<T>,
    buffer: &'a mut Vec<T>,
    limit: usize,
    waits: bool,
    location: &'static Location<'static>,
}

impl<T> Future for RecvMany<'_, T> {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let this = &mut *self;
        let outcome = this.receiver.poll_recv_many(cx, this.buffer, this.limit);
        this.waits = outcome.is_pending();
        if this.waits {
            waiting_on(Kind::Channel, this.receiver.chan.id(), this.location);
        }
        outcome
    }
}

impl<T> Drop for RecvMany<'_, T> {
    fn drop(&mut self) {
        if self.waits {
            self.receiver.chan.stop_waiting();
        }
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

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv")
            .field("waits", &self.waits)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for RecvMany<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvMany")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
