//! The sending half of a bounded channel.

use super::chan::{Chan, MAX_CAPACITY, Slot, Use};
use super::error::{SendError, TrySendError};
use super::permit::{OwnedPermit, Permit};
use super::reserve::{Reserve, ReserveOwned};
use super::send::{Closing, Send, SendFrom};
use crate::blocking;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// Sends values to the [`Receiver`](super::Receiver); can be cloned.
///
/// When the last one is dropped, the receiver gets what is left and then `None`.
pub struct Sender<T> {
    chan: Arc<Chan<T>>,
}

impl<T> Sender<T> {
    /// The largest capacity a channel can have.
    pub const MAX_CAPACITY: usize = MAX_CAPACITY;

    /// For the one sender that [`Chan::new`] has counted.
    pub(super) fn new(chan: Arc<Chan<T>>) -> Sender<T> {
        Sender { chan }
    }

    pub(super) fn chan(&self) -> &Chan<T> {
        &self.chan
    }

    /// Sends `value` when there is a slot for it.
    ///
    /// # Errors
    ///
    /// The output is `Err(SendError(value))` if the receiver is or gets closed.
    ///
    /// # Cancellation
    ///
    /// A send that is dropped has not happened: its value is dropped with it, and
    /// a slot that was promised to it goes to the next in the queue. To keep the
    /// value, use [`send_from`](Sender::send_from), or keep the future, which is
    /// `Unpin`, and call [`Send::into_inner`] or poll it again.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::mpsc;
    ///
    /// async fn count(to: mpsc::Sender<u32>) -> Result<(), mpsc::SendError<u32>> {
    ///     for n in 0..100 {
    ///         to.send(n).await?;
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = count;
    /// ```
    #[inline]
    #[track_caller]
    pub fn send(&self, value: T) -> Send<'_, T> {
        Send::new(&self.chan, value, Location::caller())
    }

    /// Sends what is in `value` and leaves `None` there; ready at once if
    /// nothing is in it.
    ///
    /// # Errors
    ///
    /// The output is `Err(SendError(()))` if the receiver is or gets closed; the
    /// value stays.
    ///
    /// # Cancellation
    ///
    /// A value that was not sent is still in `value`: call again to resume.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Waker};
    /// use wakeline_sync::mpsc;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// let mut next = Some(1);
    /// assert!(pin!(sender.send_from(&mut next)).poll(&mut cx).is_ready());
    /// next = Some(2);
    /// assert!(pin!(sender.send_from(&mut next)).poll(&mut cx).is_pending());
    /// assert_eq!(next, Some(2)); // given up, and nothing is lost
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert!(pin!(sender.send_from(&mut next)).poll(&mut cx).is_ready());
    /// assert_eq!(next, None);
    /// ```
    #[track_caller]
    pub fn send_from<'a>(&'a self, value: &'a mut Option<T>) -> SendFrom<'a, T> {
        SendFrom::new(&self.chan, value, Location::caller())
    }

    /// Sends `value` if there is a slot and nobody waits for one.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] tells why not, and has the value.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::mpsc::{self, TrySendError};
    ///
    /// let (sender, receiver) = mpsc::channel(1);
    /// assert_eq!(sender.try_send('a'), Ok(()));
    /// assert_eq!(sender.try_send('b'), Err(TrySendError::Full('b')));
    /// drop(receiver);
    /// assert_eq!(sender.try_send('c'), Err(TrySendError::Closed('c')));
    /// ```
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let mut value = Some(value);
        let slot = self.chan.try_slot(&mut Use::Fill(&mut value));
        match (slot, value) {
            (None, Some(value)) => Err(TrySendError::Full(value)),
            (Some(_), Some(value)) => Err(TrySendError::Closed(value)),
            (_, None) => Ok(()),
        }
    }

    /// Sends `value`, blocking this thread until there is a slot: for threads
    /// outside of the runtime.
    ///
    /// # Errors
    ///
    /// Gives the value back if the receiver is or gets closed.
    ///
    /// # Panics
    ///
    /// On a thread that runs tasks, which it would stop: inside of a task, which must
    /// await [`send`](Sender::send) instead, and in a destructor there. A blocking job may.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::mpsc;
    ///
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// let thread = std::thread::spawn(move || {
    ///     (0..3).try_for_each(|n| sender.blocking_send(n))
    /// });
    /// assert_eq!(receiver.blocking_recv(), Some(0));
    /// assert_eq!(receiver.blocking_recv(), Some(1));
    /// assert_eq!(receiver.blocking_recv(), Some(2));
    /// assert_eq!(receiver.blocking_recv(), None);
    /// thread.join().expect("no panic").expect("all were received");
    /// ```
    #[track_caller]
    pub fn blocking_send(&self, value: T) -> Result<(), SendError<T>> {
        blocking::block_on("send", self.send(value))
    }

    /// Waits for a slot and keeps it: sending with the [`Permit`] never waits.
    ///
    /// # Errors
    ///
    /// The output is `Err(SendError(()))` if the receiver is or gets closed.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives its place in the queue up; a slot that was
    /// promised to it goes to the next.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::mpsc;
    ///
    /// async fn produce(to: &mpsc::Sender<String>) -> Result<(), mpsc::SendError<()>> {
    ///     let permit = to.reserve().await?;
    ///     permit.send(format!("made when there was room for it"));
    ///     Ok(())
    /// }
    /// # let _ = produce;
    /// ```
    #[track_caller]
    pub fn reserve(&self) -> Reserve<'_, T> {
        Reserve::new(&self.chan, Location::caller())
    }

    /// [`reserve`](Sender::reserve) with a permit that has the sender with it.
    ///
    /// # Errors
    ///
    /// The output is `Err(SendError(()))` if the receiver is or gets closed.
    ///
    /// # Cancellation
    ///
    /// As for [`reserve`](Sender::reserve); the sender is dropped with the future.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::mpsc;
    ///
    /// async fn start(to: mpsc::Sender<u64>) -> Result<std::thread::JoinHandle<()>, mpsc::SendError<()>> {
    ///     let permit = to.reserve_owned().await?;
    ///     // The thread never waits: its result has a place.
    ///     Ok(std::thread::spawn(move || drop(permit.send((1..=20).product()))))
    /// }
    /// # let _ = start;
    /// ```
    #[track_caller]
    pub fn reserve_owned(self) -> ReserveOwned<T> {
        ReserveOwned::new(self, Location::caller())
    }

    /// A slot, if there is one and nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] tells why not.
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        match self.chan.try_slot(&mut Use::Keep) {
            Some(Slot::Used) => Ok(Permit::new(&self.chan)),
            Some(_) => Err(TrySendError::Closed(())),
            None => Err(TrySendError::Full(())),
        }
    }

    /// [`try_reserve`](Sender::try_reserve) with a permit that has the sender
    /// with it.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] tells why not, and has the sender.
    pub fn try_reserve_owned(self) -> Result<OwnedPermit<T>, TrySendError<Sender<T>>> {
        match self.chan.try_slot(&mut Use::Keep) {
            Some(Slot::Used) => Ok(OwnedPermit::new(self)),
            Some(_) => Err(TrySendError::Closed(self)),
            None => Err(TrySendError::Full(self)),
        }
    }

    /// Waits until the receiver is closed or dropped.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Waker};
    /// use wakeline_sync::mpsc;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let (sender, receiver) = mpsc::channel::<u32>(1);
    /// assert!(pin!(sender.closed()).poll(&mut cx).is_pending());
    /// drop(receiver);
    /// assert!(pin!(sender.closed()).poll(&mut cx).is_ready());
    /// ```
    #[track_caller]
    pub fn closed(&self) -> Closing<'_> {
        Closing::new(&self.chan, Location::caller())
    }

    /// Whether the receiver was closed or dropped.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.chan.lock().state().closed
    }

    /// How many values could be sent now without waiting.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::mpsc;
    ///
    /// let (sender, receiver) = mpsc::channel(2);
    /// sender.try_send(1)?;
    /// assert_eq!((sender.capacity(), sender.max_capacity()), (1, 2));
    /// # drop(receiver);
    /// # Ok::<(), mpsc::TrySendError<i32>>(())
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.chan.room(self.chan.lock().state())
    }

    /// The capacity that the channel was made with.
    #[must_use]
    pub fn max_capacity(&self) -> usize {
        self.chan.capacity
    }

    /// Whether both send to the same receiver.
    #[must_use]
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Arc::ptr_eq(&self.chan, &other.chan)
    }

    /// How many senders there are, those in owned permits included.
    #[must_use]
    pub fn strong_count(&self) -> usize {
        self.chan.lock().state().senders
    }

    /// A sender that does not keep the channel open.
    #[must_use]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            chan: Arc::clone(&self.chan),
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.chan.add_sender();
        Sender {
            chan: Arc::clone(&self.chan),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.chan.remove_sender();
    }
}

/// A [`Sender`] that does not keep the channel open, and cannot send.
pub struct WeakSender<T> {
    chan: Arc<Chan<T>>,
}

impl<T> WeakSender<T> {
    /// A sender, unless all are gone.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::mpsc;
    ///
    /// let (sender, receiver) = mpsc::channel::<u32>(1);
    /// let weak = sender.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// drop(sender);
    /// assert!(weak.upgrade().is_none());
    /// # drop(receiver);
    /// ```
    #[must_use]
    pub fn upgrade(&self) -> Option<Sender<T>> {
        self.chan.revive_sender().then(|| Sender {
            chan: Arc::clone(&self.chan),
        })
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> WeakSender<T> {
        WeakSender {
            chan: Arc::clone(&self.chan),
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("capacity", &self.capacity())
            .field("max_capacity", &self.max_capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}
