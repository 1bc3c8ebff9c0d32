//! The sending half.

use super::error::SendError;
use super::receiver::Receiver;
use super::{Shared, State};
use std::fmt;
use std::sync::Arc;

/// Sends values to every [`Receiver`] there is; can be cloned.
///
/// When the last one is dropped, receivers get what is left and then the end.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// For the one sender that [`channel`](super::channel) has counted.
    pub(super) fn new(shared: Arc<Shared<T>>) -> Sender<T> {
        Sender { shared }
    }

    /// Sends `value` to all receivers and gives their number; never waits. If
    /// there is no room, the oldest value goes.
    ///
    /// # Errors
    ///
    /// Gives the value back if there is no receiver.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::broadcast;
    ///
    /// let (sender, one) = broadcast::channel(8);
    /// let two = sender.subscribe();
    /// assert_eq!(sender.send("all"), Ok(2));
    /// drop((one, two));
    /// assert_eq!(sender.send("none"), Err(broadcast::SendError("none")));
    /// ```
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        let value = Arc::new(value);
        let mut locked = self.shared.list.lock();
        let receivers = locked.state().receivers;
        if receivers == 0 {
            drop(locked);
            return match Arc::into_inner(value) {
                Some(value) => Err(SendError(value)),
                None => unreachable!("nobody else has it"),
            };
        }
        let gone = locked.state().put(value, self.shared.capacity);
        locked.grant_all();
        drop(locked);
        drop(gone); // foreign code: after the lock
        Ok(receivers)
    }

    /// Another receiver, which gets what is sent from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(Arc::clone(&self.shared))
    }

    /// How many receivers there are.
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.shared.list.lock().state().receivers
    }

    /// How many values are kept for receivers that are behind.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.list.lock().state().ring.len()
    }

    /// Whether no receiver is behind.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether both send to the same receivers.
    #[must_use]
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.shared.list.lock().state().senders += 1;
        Sender {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut locked = self.shared.list.lock();
        let State { senders, .. } = locked.state();
        *senders -= 1;
        if *senders == 0 {
            locked.grant_all();
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("receivers", &self.receiver_count())
            .field("len", &self.len())
            .finish()
    }
}
