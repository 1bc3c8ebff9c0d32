//! A slot that is kept: sending with it never waits.

use super::chan::Chan;
use super::sender::Sender;
use std::fmt;

/// A slot of the channel; dropped unused, it goes to the next in the queue.
///
/// While it is there the receiver waits for it, also after a close.
#[must_use = "a permit that is dropped gives its slot back"]
pub struct Permit<'a, T> {
    chan: &'a Chan<T>,
}

impl<'a, T> Permit<'a, T> {
    pub(super) fn new(chan: &'a Chan<T>) -> Permit<'a, T> {
        Permit { chan }
    }

    /// Sends `value`; never waits. If the receiver is gone, the value is dropped.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::mpsc;
    ///
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// let permit = sender.try_reserve()?;
    /// assert!(sender.try_send(0).is_err());
    /// permit.send(7);
    /// assert_eq!(receiver.try_recv(), Ok(7));
    /// # Ok::<(), mpsc::TrySendError<()>>(())
    /// ```
    pub fn send(self, value: T) {
        let chan = self.chan;
        std::mem::forget(self); // it owns nothing but the slot, used here
        drop(chan.redeem(Some(value)));
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.chan.redeem(None);
    }
}

/// A [`Permit`] that has its [`Sender`] with it and can be given to another task.
#[must_use = "a permit that is dropped gives its slot back"]
pub struct OwnedPermit<T> {
    /// `None` once it was used.
    sender: Option<Sender<T>>,
}

impl<T> OwnedPermit<T> {
    pub(super) fn new(sender: Sender<T>) -> OwnedPermit<T> {
        OwnedPermit {
            sender: Some(sender),
        }
    }

    /// Sends `value` and gives the sender back; never waits. If the receiver is
    /// gone, the value is dropped.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::mpsc;
    ///
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// let permit = sender.try_reserve_owned().expect("there is room");
    /// let sender = permit.send(7);
    /// assert_eq!(receiver.try_recv(), Ok(7));
    /// assert_eq!(sender.capacity(), 1);
    /// ```
    pub fn send(mut self, value: T) -> Sender<T> {
        let sender = self.take();
        drop(sender.chan().redeem(Some(value)));
        sender
    }

    /// Gives the slot up and the sender back.
    #[must_use = "the sender would be dropped"]
    pub fn release(mut self) -> Sender<T> {
        let sender = self.take();
        sender.chan().redeem(None);
        sender
    }

    fn take(&mut self) -> Sender<T> {
        match self.sender.take() {
            Some(sender) => sender,
            None => unreachable!("a permit is used once"),
        }
    }
}

impl<T> Drop for OwnedPermit<T> {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.chan().redeem(None);
        }
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for OwnedPermit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit").finish_non_exhaustive()
    }
}
