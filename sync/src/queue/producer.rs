//! The putting end: `send`, `try_send`, and `reserve` for a slot ahead.
//!
//! `send.rs` and `reserve.rs` have the futures.

use super::core::Phase;
use super::handle::{Join, Shutdown, common_methods};
use super::line::Place;
use super::shared::{Shared, Side};
use super::{Permit, Reserve, Send, SendFrom, TrySendError};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

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
    /// [`SendError`](super::SendError) gives the value back if the queue was shut down or all
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
        Send::new(&self.shared, value, Location::caller())
    }

    /// Puts what is in `value` into the queue, once there is room, and takes it
    /// out of there only then; if nothing is in it, does nothing.
    ///
    /// # Errors
    ///
    /// [`SendError`](super::SendError) if the queue was shut down or all consumers are gone; the
    /// value stays where it is.
    ///
    /// # Cancellation
    ///
    /// A value that was not put is still in `value`: call again to resume.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Waker};
    /// use wakeline_sync::queue;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let (producer, consumer) = queue::fifo(1);
    /// producer.try_send(1).expect("there is room");
    /// let mut next = Some(2);
    /// assert!(pin!(producer.send_from(&mut next)).poll(&mut cx).is_pending());
    /// assert_eq!(next, Some(2)); // given up, and nothing is lost
    /// assert_eq!(*consumer.try_recv().expect("it was put"), 1);
    /// assert!(pin!(producer.send_from(&mut next)).poll(&mut cx).is_ready());
    /// assert_eq!(next, None);
    /// ```
    #[track_caller]
    pub fn send_from<'a>(&'a self, value: &'a mut Option<T>) -> SendFrom<'a, T> {
        SendFrom::new(&self.shared, value, Location::caller())
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
    /// [`Closed`](crate::Closed) if the queue was shut down or all consumers are gone.
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
        Reserve::new(&self.shared, Location::caller())
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
        Ok(Permit::new(&self.shared))
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
