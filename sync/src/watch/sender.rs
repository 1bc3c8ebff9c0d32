//! The sending half, and the wait until nobody looks any more.

use super::receiver::{Receiver, Ref};
use super::{SendError, Shared};
use crate::sync::atomic::Ordering;
use crate::wait_list::Ticket;
use std::fmt;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, budget, waiting_on};

/// Changes the value; can be cloned. When the last one is dropped, receivers can
/// still read the last value.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// For the one sender that [`channel`](super::channel) has counted.
    pub(super) fn new(shared: Arc<Shared<T>>) -> Sender<T> {
        Sender { shared }
    }

    /// Replaces the value and wakes every receiver that waits.
    ///
    /// # Errors
    ///
    /// Gives the value back, and changes nothing, if there is no receiver;
    /// [`send_replace`](Sender::send_replace) does not mind.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.receiver_count() == 0 {
            return Err(SendError(value));
        }
        drop(self.send_replace(value));
        Ok(())
    }

    /// Replaces the value, whether there is a receiver or not, and gives the old
    /// one.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::watch;
    ///
    /// let (sender, _) = watch::channel(1);
    /// assert!(sender.send(2).is_err());
    /// assert_eq!(sender.send_replace(3), 1);
    /// assert_eq!(*sender.subscribe().borrow(), 3);
    /// ```
    pub fn send_replace(&self, value: T) -> T {
        self.shared
            .store(|current| (true, mem::replace(current, value)))
            .1
    }

    /// Changes the value in place. If `modify` panics, nobody is told of a change.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(vec![1]);
    /// sender.send_modify(|list| list.push(2));
    /// assert_eq!(*receiver.borrow(), [1, 2]);
    /// ```
    pub fn send_modify(&self, modify: impl FnOnce(&mut T)) {
        self.shared.store(|value| (true, modify(value)));
    }

    /// Changes the value in place; receivers learn of it if `modify` returns
    /// true. Gives what `modify` returned.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(3);
    /// let raise_to = |higher: i32| {
    ///     sender.send_if_modified(|value| {
    ///         let changed = higher > *value;
    ///         *value = higher.max(*value);
    ///         changed
    ///     })
    /// };
    /// assert!(!raise_to(2));
    /// assert_eq!(receiver.has_changed(), Ok(false));
    /// assert!(raise_to(4));
    /// assert_eq!(receiver.has_changed(), Ok(true));
    /// ```
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        self.shared.store(|value| (modify(value), ())).0
    }

    /// The value, under a readers' lock while it is looked at: see the module's
    /// documentation.
    ///
    /// One guard at a time on a thread: a second one may wait for ever, see
    /// [there](super#the-values-lock-is-yours).
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref::new(self.shared.value.read(), false)
    }

    /// Another receiver, which has seen the current value.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::watch;
    ///
    /// let (sender, first) = watch::channel(1);
    /// sender.send(2)?;
    /// let second = sender.subscribe();
    /// assert_eq!(first.has_changed(), Ok(true));
    /// assert_eq!(second.has_changed(), Ok(false));
    /// # Ok::<(), watch::SendError<i32>>(())
    /// ```
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(Arc::clone(&self.shared), self.shared.look().version)
    }

    /// How many receivers there are.
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.shared.receivers()
    }

    /// How many senders there are.
    #[must_use]
    pub fn sender_count(&self) -> usize {
        // Relaxed: the answer may be out of date at once anyway.
        self.shared.senders.load(Ordering::Relaxed)
    }

    /// Whether there is no receiver now.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Whether both change the same value.
    #[must_use]
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Waits until there is no receiver. It is also ready if there was a moment without one
    /// while it waited, though another may have [subscribed](Sender::subscribe) since.
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
    /// use wakeline_sync::watch;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let (sender, receiver) = watch::channel(1);
    /// let mut closed = pin!(sender.closed());
    /// assert!(closed.as_mut().poll(&mut cx).is_pending());
    /// drop(receiver);
    /// assert!(closed.poll(&mut cx).is_ready());
    /// ```
    #[track_caller]
    pub fn closed(&self) -> Closing<'_, T> {
        Closing {
            shared: &self.shared,
            ticket: None,
            location: Location::caller(),
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        // Relaxed: there is one already, and it is not lost meanwhile.
        self.shared.senders.fetch_add(1, Ordering::Relaxed);
        Sender {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // AcqRel: the last one sees, and passes on, what the others did.
        if self.shared.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.close();
        }
    }
}

/// The future of [`Sender::closed`].
#[must_use = "the close is only waited for when this is awaited"]
pub struct Closing<'a, T> {
    shared: &'a Shared<T>,
    ticket: Option<Ticket>,
    location: &'static Location<'static>,
}

impl<T> Closing<'_, T> {
    /// Whether the receivers are gone, or were when the ticket was granted.
    fn is_over(&mut self, cx: &Context<'_>) -> bool {
        let list = &self.shared.leaving;
        if self.ticket.is_some_and(|ticket| list.is_granted(ticket)) {
            return true;
        }
        let waker = cx.waker().clone(); // foreign code: before the lock
        let mut locked = list.lock();
        if let Some(ticket) = self.ticket {
            return !locked.update(ticket, waker);
        }
        if self.shared.receivers() == 0 {
            drop(locked); // before the waker
            return true;
        }
        self.ticket = Some(locked.push(waker, ()));
        false
    }
}

impl<T> Future for Closing<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let unit = ready!(budget::poll_proceed(cx));
        if self.is_over(cx) {
            unit.spend();
            return Poll::Ready(());
        }
        unit.refund();
        waiting_on(Kind::Channel, self.shared.id(), self.location);
        Poll::Pending
    }
}

impl<T> Drop for Closing<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            // A grant that was not seen is nobody else's: all had one.
            let _ = self.shared.leaving.lock().cancel(ticket);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("receivers", &self.receiver_count())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Closing<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing").finish_non_exhaustive()
    }
}
