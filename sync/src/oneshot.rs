//! A channel for one value.
//!
//! ```text
//!           ┌──1──▶ Sent ────2──▶ Empty
//!   Open ───┤
//!           ├──3──▶ NoSender
//!           └──4──▶ NoReceiver
//! ```
//! 1 `Sender::send`      the receiver's waker is woken
//! 2 `Receiver`          the value is taken, also after `close`
//! 3 drop of `Sender`    the receiver is woken, and sees that nothing will come
//! 4 `Receiver::close`   or its drop: the sender is woken, and `send` fails with the value
//!
//! One small lock: each side takes it once or twice in the channel's life. A
//! value, a waker or a future is never dropped while it is held.

mod receiver;

use crate::sync::Lock;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::wakes::Wakes;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use wakeline_context::{Kind, budget, waiting_on};

pub use receiver::{Receiver, RecvError, TryRecvError};

/// A sender and a receiver of one value.
///
/// # Example
///
/// ```
/// use wakeline_sync::oneshot;
///
/// let (sender, mut receiver) = oneshot::channel();
/// sender.send(7).expect("the receiver is there");
/// assert_eq!(receiver.try_recv(), Ok(7));
/// ```
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        ended: AtomicBool::new(false),
        lock: Lock::new(Inner {
            state: State::Open,
            receiver: None,
            sender: None,
        }),
    });
    (
        Sender {
            shared: Some(Arc::clone(&shared)),
        },
        Receiver {
            shared: Some(shared),
            location: Location::caller(),
        },
    )
}

struct Shared<T> {
    /// Whether the sender has sent or gone: the state is not `Open` for good.
    ended: AtomicBool,
    lock: Lock<Inner<T>>,
}

struct Inner<T> {
    state: State<T>,
    receiver: Option<Waker>,
    sender: Option<Waker>,
}

enum State<T> {
    Open,
    Sent(T),
    Empty,
    NoSender,
    NoReceiver,
}

/// Sends the value; dropped without that, the receiver fails.
pub struct Sender<T> {
    /// `None` once the value was sent.
    shared: Option<Arc<Shared<T>>>,
}

impl<T> Sender<T> {
    /// Sends `value`; never waits.
    ///
    /// # Errors
    ///
    /// Gives the value back if the receiver was closed or dropped.
    pub fn send(mut self, value: T) -> Result<(), T> {
        let Some(shared) = self.shared.take() else {
            unreachable!("`send` consumes the sender")
        };
        let mut inner = shared.lock.lock();
        if let State::NoReceiver = inner.state {
            drop(inner);
            return Err(value);
        }
        inner.state = State::Sent(value);
        // Release pairs with the Acquire in the receiver's poll.
        shared.ended.store(true, Ordering::Release);
        let wakers = (inner.receiver.take(), inner.sender.take());
        drop(inner);
        Wakes::one(wakers.0);
        Ok(())
    }

    /// Whether the receiver was closed or dropped, so that a value is in vain.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let Some(shared) = &self.shared else {
            return true;
        };
        matches!(shared.lock.lock().state, State::NoReceiver)
    }

    /// Waits until the receiver is closed or dropped: to stop work that nobody
    /// waits for any more.
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
    /// use wakeline_sync::oneshot;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let (mut sender, receiver) = oneshot::channel::<u32>();
    /// assert!(pin!(sender.closed()).poll(&mut cx).is_pending());
    /// drop(receiver);
    /// assert!(pin!(sender.closed()).poll(&mut cx).is_ready());
    /// ```
    #[track_caller]
    pub fn closed(&mut self) -> Closing<'_, T> {
        Closing {
            sender: self,
            location: Location::caller(),
        }
    }

    /// [`closed`](Sender::closed) for use inside of a `poll` function; the task
    /// of the last call is the one that is woken.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(shared) = &self.shared else {
            return Poll::Ready(());
        };
        let unit = ready!(budget::poll_proceed(cx));
        let waker = cx.waker().clone(); // foreign code: before the lock
        let mut inner = shared.lock.lock();
        if let State::NoReceiver = inner.state {
            drop(inner); // before the waker
            unit.spend();
            return Poll::Ready(());
        }
        let old = inner.sender.replace(waker);
        drop(inner);
        drop(old);
        unit.refund();
        Poll::Pending
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        let mut inner = shared.lock.lock();
        if let State::Open = inner.state {
            inner.state = State::NoSender;
        }
        // Release pairs with the Acquire in the receiver's poll.
        shared.ended.store(true, Ordering::Release);
        let wakers = (inner.receiver.take(), inner.sender.take());
        drop(inner);
        Wakes::one(wakers.0);
    }
}

/// The future of [`Sender::closed`].
#[derive(Debug)]
#[must_use = "the close is only waited for when this is awaited"]
pub struct Closing<'a, T> {
    sender: &'a mut Sender<T>,
    location: &'static Location<'static>,
}

impl<T> Future for Closing<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let done = self.sender.poll_closed(cx);
        if let (true, Some(shared)) = (done.is_pending(), &self.sender.shared) {
            waiting_on(
                Kind::Channel,
                Arc::as_ptr(shared).addr() as u64,
                self.location,
            );
        }
        done
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("sent", &self.shared.is_none())
            .finish()
    }
}

#[cfg(test)]
mod tests;
