//! The receiving half: the value, and which one was seen.

use super::changed::{Changed, WaitFor};
use super::{Look, RecvError, Shared, Version};
use crate::sync::ReadGuard;
use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::sync::Arc;

/// Looks at the value and waits for changes; can be cloned, and each clone has
/// its own mark of what it has seen.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: Version,
}

impl<T> Receiver<T> {
    pub(super) fn new(shared: Arc<Shared<T>>, seen: Version) -> Receiver<T> {
        shared.add_receiver();
        Receiver { shared, seen }
    }

    /// The value, under a readers' lock while it is looked at: see the module's
    /// documentation. A change stays unseen.
    ///
    /// One guard at a time on a thread: a second one may wait for ever, see
    /// [there](super#the-values-lock-is-yours).
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(1);
    /// sender.send(2)?;
    /// let value = receiver.borrow();
    /// assert!(value.has_changed());
    /// assert_eq!(*value, 2);
    /// # drop(value);
    /// assert_eq!(receiver.has_changed(), Ok(true));
    /// # Ok::<(), watch::SendError<i32>>(())
    /// ```
    pub fn borrow(&self) -> Ref<'_, T> {
        let value = self.shared.value.read();
        // Under the lock: this version is the value's.
        let changed = self.shared.look().version != self.seen;
        Ref::new(value, changed)
    }

    /// [`borrow`](Receiver::borrow), and the value counts as seen.
    ///
    /// One guard at a time on a thread: a second one may wait for ever, see
    /// [there](super#the-values-lock-is-yours).
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::watch;
    ///
    /// let (sender, mut receiver) = watch::channel(1);
    /// sender.send(2)?;
    /// assert_eq!(*receiver.borrow_and_update(), 2);
    /// assert_eq!(receiver.has_changed(), Ok(false));
    /// # Ok::<(), watch::SendError<i32>>(())
    /// ```
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let value = self.shared.value.read();
        let version = self.shared.look().version;
        let changed = version != self.seen;
        self.seen = version;
        Ref::new(value, changed)
    }

    /// Whether there is a value that was not seen.
    ///
    /// # Errors
    ///
    /// If there is none, and all senders are gone.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        let Look { version, closed } = self.shared.look();
        match (version != self.seen, closed) {
            (false, true) => Err(RecvError(())),
            (changed, _) => Ok(changed),
        }
    }

    /// Makes the current value count as not seen.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::watch;
    ///
    /// let (_sender, mut receiver) = watch::channel(1);
    /// receiver.mark_changed(); // so that the first value is handled like the others
    /// assert_eq!(receiver.has_changed(), Ok(true));
    /// ```
    pub fn mark_changed(&mut self) {
        // No version is odd: that bit says something else.
        self.seen = Version(u64::MAX);
    }

    /// Makes the current value count as seen, without a look at it.
    pub fn mark_unchanged(&mut self) {
        self.seen = self.shared.look().version;
    }

    /// Waits until there is a value that was not seen, and marks it as seen.
    ///
    /// # Errors
    ///
    /// The output is `Err(RecvError)` once all senders are gone and the last
    /// value was seen.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: a change is marked as seen only by the
    /// poll that is ready.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::watch;
    ///
    /// async fn follow(mut level: watch::Receiver<u32>) {
    ///     while level.changed().await.is_ok() {
    ///         println!("now {}", *level.borrow());
    ///     }
    /// }
    /// # let _ = follow;
    /// ```
    #[track_caller]
    pub fn changed(&mut self) -> Changed<'_, T> {
        Changed::new(&self.shared, &mut self.seen, Location::caller())
    }

    /// Waits until `predicate` holds for the value, the current one or a later,
    /// and gives that; what it looked at counts as seen.
    ///
    /// Values that come and go between two looks are not seen. The predicate runs
    /// under the readers' lock: on a thread that has a guard of this channel, or in a
    /// predicate that takes one, this may wait for ever, see
    /// [there](super#the-values-lock-is-yours).
    ///
    /// # Errors
    ///
    /// The output is `Err(RecvError)` once all senders are gone and the predicate
    /// does not hold for the last value.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing but the marks of what it looked at.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Waker};
    /// use wakeline_sync::watch;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let (sender, mut receiver) = watch::channel(1);
    /// let mut large = pin!(receiver.wait_for(|n| *n > 10));
    /// assert!(large.as_mut().poll(&mut cx).is_pending());
    /// sender.send(11)?;
    /// assert!(large.poll(&mut cx).is_ready());
    /// # Ok::<(), watch::SendError<i32>>(())
    /// ```
    #[track_caller]
    pub fn wait_for<F>(&mut self, predicate: F) -> WaitFor<'_, T, F>
    where
        F: FnMut(&T) -> bool,
    {
        WaitFor::new(&self.shared, &mut self.seen, predicate, Location::caller())
    }

    /// Whether both look at the same value.
    #[must_use]
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        Receiver::new(Arc::clone(&self.shared), self.seen)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.remove_receiver();
    }
}

/// The value of a channel, which does not change while this is there.
///
/// Senders block their threads meanwhile: let go of it soon, and never across an
/// `await`. One at a time on a thread, see [there](super#the-values-lock-is-yours).
#[must_use = "the value is looked at through this"]
pub struct Ref<'a, T> {
    value: ReadGuard<'a, T>,
    changed: bool,
}

impl<'a, T> Ref<'a, T> {
    pub(super) fn new(value: ReadGuard<'a, T>, changed: bool) -> Ref<'a, T> {
        Ref { value, changed }
    }

    /// Whether the receiver had not seen this value before.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.changed
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Look { version, closed } = self.shared.look();
        f.debug_struct("Receiver")
            .field("changed", &(version != self.seen))
            .field("closed", &closed)
            .finish_non_exhaustive()
    }
}
