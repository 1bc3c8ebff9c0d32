//! The sending half of an unbounded channel.

use super::chan::{Chan, Use};
use super::error::SendError;
use super::send::Closing;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// Sends values to the [`Receiver`](super::Receiver) without ever waiting; can
/// be cloned.
///
/// When the last one is dropped, the receiver gets what is left and then `None`.
pub struct UnboundedSender<T> {
    chan: Arc<Chan<T>>,
}

impl<T> UnboundedSender<T> {
    /// For the one sender that [`Chan::new`] has counted.
    pub(super) fn new(chan: Arc<Chan<T>>) -> UnboundedSender<T> {
        UnboundedSender { chan }
    }

    /// Sends `value`.
    ///
    /// # Errors
    ///
    /// Gives the value back if the receiver was closed or dropped.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::mpsc;
    ///
    /// let (sender, receiver) = mpsc::unbounded();
    /// sender.send(1)?;
    /// drop(receiver);
    /// assert_eq!(sender.send(2), Err(mpsc::SendError(2)));
    /// # Ok::<(), mpsc::SendError<i32>>(())
    /// ```
    #[inline]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        let mut value = Some(value);
        self.chan.try_slot(&mut Use::Fill(&mut value));
        match value {
            Some(value) => Err(SendError(value)),
            None => Ok(()),
        }
    }

    /// Waits until the receiver is closed or dropped.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn closed(&self) -> Closing<'_> {
        Closing::new(&self.chan, Location::caller())
    }

    /// Whether the receiver was closed or dropped.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.chan.lock().state().closed
    }

    /// Whether both send to the same receiver.
    #[must_use]
    pub fn same_channel(&self, other: &UnboundedSender<T>) -> bool {
        Arc::ptr_eq(&self.chan, &other.chan)
    }

    /// How many senders there are.
    #[must_use]
    pub fn strong_count(&self) -> usize {
        self.chan.lock().state().senders
    }

    /// A sender that does not keep the channel open.
    #[must_use]
    pub fn downgrade(&self) -> WeakUnboundedSender<T> {
        WeakUnboundedSender {
            chan: Arc::clone(&self.chan),
        }
    }
}

impl<T> Clone for UnboundedSender<T> {
    fn clone(&self) -> UnboundedSender<T> {
        self.chan.add_sender();
        UnboundedSender {
            chan: Arc::clone(&self.chan),
        }
    }
}

impl<T> Drop for UnboundedSender<T> {
    fn drop(&mut self) {
        self.chan.remove_sender();
    }
}

/// An [`UnboundedSender`] that does not keep the channel open, and cannot send.
pub struct WeakUnboundedSender<T> {
    chan: Arc<Chan<T>>,
}

impl<T> WeakUnboundedSender<T> {
    /// A sender, unless all are gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<UnboundedSender<T>> {
        self.chan.revive_sender().then(|| UnboundedSender {
            chan: Arc::clone(&self.chan),
        })
    }
}

impl<T> Clone for WeakUnboundedSender<T> {
    fn clone(&self) -> WeakUnboundedSender<T> {
        WeakUnboundedSender {
            chan: Arc::clone(&self.chan),
        }
    }
}

impl<T> fmt::Debug for UnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnboundedSender")
            .field("closed", &self.is_closed())
            .finish()
    }
}

impl<T> fmt::Debug for WeakUnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakUnboundedSender")
            .finish_non_exhaustive()
    }
}
