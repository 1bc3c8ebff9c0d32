//! The putting end: `send`, `try_send`, and `reserve` for a slot ahead.

use super::core::Phase;
use super::handle::{Join, Shutdown, common_methods};
use super::line::Place;
use super::shared::{Shared, Side};
use super::{SendError, TrySendError};
use crate::error::Closed;
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Puts values into a queue; when the last one is dropped, what is there is
/// still received, and then the queue is closed.
pub struct Producer<T> {
    shared: Arc<Shared<T>>,
}

common_methods!(Producer);

impl<T> Producer<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Producer<T> {
        Producer { shared }
    }

    /// Puts `value` into the queue, once there is room.
    ///
    /// Those who wait are served in the order in which they came. In a queue
    /// of capacity 0 there is room when a receiver waits.
    ///
    /// # Errors
    ///
    /// [`SendError`] gives the value back if the queue was shut down or all
    /// consumers are gone.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped before it was ready has put nothing; the value
    /// is dropped with it. [`Send::into_inner`] gives it back instead, and
    /// [`reserve`](Producer::reserve) waits without a value.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::Pin;
    /// use std::task::{Context, Poll, Waker};
    /// use wakeline_sync::queue;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let (producer, _consumer) = queue::fifo(1);
    /// producer.try_send("first").expect("there is room");
    /// let mut send = producer.send("second");
    /// assert!(Pin::new(&mut send).poll(&mut cx).is_pending());
    /// assert_eq!(send.into_inner(), Some("second")); // not sent, not lost
    /// ```
    #[track_caller]
    pub fn send(&self, value: T) -> Send<'_, T> {
        Send {
            rank: self.shared.rank(&value),
            shared: &self.shared,
            value: Some(value),
            place: Place::New,
            location: Location::caller(),
        }
    }

    /// Puts `value` into the queue if there is room now and nobody came first.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] tells why not, and gives the value back.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let rank = self.shared.rank(&value);
        let mut locked = self.shared.lock();
        let slot = locked.core.slot(Place::New);
        if let Some(Ok(())) = slot {
            locked.core.put(value, rank);
            locked.settle();
            return Ok(());
        }
        drop(locked); // before the value goes anywhere
        Err(match slot {
            Some(_) => TrySendError::Closed(value),
            None => TrySendError::Full(value),
        })
    }

    /// Waits for a slot, to be filled later and without waiting.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the queue was shut down or all consumers are gone.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives up the place; a slot that it had been granted
    /// goes to the next.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::queue::{Producer, SendError};
    ///
    /// async fn forward(line: &mut Option<String>, to: &Producer<String>) {
    ///     // The value is not given away before there is a place for it.
    ///     if let Ok(permit) = to.reserve().await {
    ///         if let Some(line) = line.take() {
    ///             let _sent: Result<(), SendError<String>> = permit.send(line);
    ///         }
    ///     }
    /// }
    /// # let _ = forward;
    /// ```
    #[track_caller]
    pub fn reserve(&self) -> Reserve<'_, T> {
        Reserve {
            shared: &self.shared,
            place: Place::New,
            location: Location::caller(),
        }
    }

    /// A slot, if there is one now and nobody came first.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] tells why not.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::queue::{self, TrySendError};
    ///
    /// let (producer, consumer) = queue::fifo(1);
    /// let permit = producer.try_reserve()?;
    /// assert_eq!(producer.try_reserve().unwrap_err(), TrySendError::Full(()));
    /// permit.send("in the slot").expect("somebody receives");
    /// assert_eq!(*consumer.try_recv().expect("it is there"), "in the slot");
    /// # Ok::<(), TrySendError<()>>(())
    /// ```
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        let mut locked = self.shared.lock();
        match locked.core.slot(Place::New) {
            Some(Ok(())) => locked.core.permits += 1,
            Some(Err(_)) => return Err(TrySendError::Closed(())),
            None => return Err(TrySendError::Full(())),
        }
        Ok(Permit {
            shared: &self.shared,
        })
    }
}

impl<T> Clone for Producer<T> {
    fn clone(&self) -> Producer<T> {
        self.shared.lock().core.producers += 1;
        Producer {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.shared.leave(Side::Putters);
    }
}

/// The future of [`Producer::send`].
#[must_use = "nothing is sent until this is awaited"]
pub struct Send<'a, T> {
    shared: &'a Shared<T>,
    /// Until it is in the queue.
    value: Option<T>,
    rank: i64,
    place: Place,
    location: &'static Location<'static>,
}

// The value is not pinned: it is moved into the queue.
impl<T> Unpin for Send<'_, T> {}

impl<T> Send<'_, T> {
    /// Gives up, and gives the value back if it was not put into the queue.
    #[must_use = "the value may not have been sent"]
    pub fn into_inner(mut self) -> Option<T> {
        self.value.take()
    }
}

impl<T> Future for Send<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Send {
            shared,
            value,
            rank,
            place,
            location,
        } = &mut *self;
        let sent = ready!(
            shared.poll(Side::Putters, place, location, cx, |core, place| {
                let slot = core.slot(place)?;
                if slot.is_ok() {
                    let value = value.take().unwrap_or_else(|| unreachable!("sent twice"));
                    core.put(value, *rank);
                }
                Some(slot)
            })
        );
        Poll::Ready(match (sent, value.take()) {
            (Err(Closed(())), Some(value)) => Err(SendError(value)),
            _ => Ok(()),
        })
    }
}

impl<T> Drop for Send<'_, T> {
    fn drop(&mut self) {
        self.shared.give_up(Side::Putters, &mut self.place);
    }
}

impl<T> fmt::Debug for Send<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send")
            .field("place", &self.place)
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

/// The future of [`Producer::reserve`].
#[derive(Debug)]
#[must_use = "a slot is only waited for when this is awaited"]
pub struct Reserve<'a, T> {
    shared: &'a Shared<T>,
    place: Place,
    location: &'static Location<'static>,
}

impl<'a, T> Future for Reserve<'a, T> {
    type Output = Result<Permit<'a, T>, Closed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let shared = this.shared;
        let slot = ready!(shared.poll(
            Side::Putters,
            &mut this.place,
            this.location,
            cx,
            |core, place| {
                let slot = core.slot(place)?;
                core.permits += usize::from(slot.is_ok());
                Some(slot)
            },
        ));
        Poll::Ready(slot.map(|()| Permit { shared }))
    }
}

impl<T> Drop for Reserve<'_, T> {
    fn drop(&mut self) {
        self.shared.give_up(Side::Putters, &mut self.place);
    }
}

/// A slot in the queue, to be filled without waiting; given back when dropped.
///
/// It is good also after a graceful shutdown: receivers wait for it.
#[derive(Debug)]
#[must_use = "a slot that is dropped goes to the next"]
pub struct Permit<'a, T> {
    shared: &'a Shared<T>,
}

impl<T> Permit<'_, T> {
    /// Puts `value` into the slot.
    ///
    /// # Errors
    ///
    /// [`SendError`] gives the value back if nobody can receive it any more:
    /// the queue was shut down at once, or all consumers are gone.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Poll, Waker};
    /// use wakeline_sync::queue::{self, Shutdown};
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let (producer, consumer) = queue::fifo(1);
    /// let Poll::Ready(Ok(permit)) = pin!(producer.reserve()).poll(&mut cx) else {
    ///     panic!("there is room")
    /// };
    /// producer.shutdown(Shutdown::Graceful);
    /// permit.send(7)?; // it was promised
    /// assert_eq!(*consumer.try_recv().expect("it is there"), 7);
    /// # Ok::<(), queue::SendError<i32>>(())
    /// ```
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        let shared = self.shared;
        let rank = shared.rank(&value); // the user's: it may panic
        mem::forget(self); // the slot is not given back but used
        shared.put_by_permit(value, rank)
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.shared.return_permit();
    }
}
