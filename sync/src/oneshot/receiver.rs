//! The receiver of a oneshot channel, and what it says where there is no value.

use super::{Shared, State};
use crate::blocking;
use crate::sync::atomic::Ordering;
use crate::wakes::{Wakes, discard};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, budget, waiting_on};

/// Receives the value: a future of it.
///
/// # Errors
///
/// The output is `Err(RecvError)` if the sender was dropped without sending.
///
/// # Panics
///
/// If it is polled after it was ready.
///
/// # Cancellation
///
/// Awaiting `&mut receiver` and giving up loses nothing; dropping the receiver
/// itself drops a value that was sent.
#[must_use = "dropping the receiver closes the channel"]
pub struct Receiver<T> {
    /// `None` once the value or the end was seen.
    pub(super) shared: Option<Arc<Shared<T>>>,
    pub(super) location: &'static Location<'static>,
}

impl<T> Receiver<T> {
    /// The value, if it is there.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`] tells whether it may still come.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let Some(shared) = &self.shared else {
            return Err(TryRecvError::Closed);
        };
        let mut inner = shared.lock.lock();
        let Some(result) = take(&mut inner.state) else {
            return Err(TryRecvError::Empty);
        };
        let own = inner.receiver.take(); // there is one after a close only
        drop(inner);
        self.shared = None;
        drop(own);
        result.map_err(|RecvError(())| TryRecvError::Closed)
    }

    /// Receives the value, blocking this thread until it comes: for threads
    /// outside of the runtime.
    ///
    /// # Errors
    ///
    /// `Err(RecvError)` if the sender was dropped without sending.
    ///
    /// # Panics
    ///
    /// On a thread that runs tasks, which it would stop: inside of a task, which must
    /// await the receiver instead, and in a destructor there. A blocking job may. Also
    /// after the value or the end was seen.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::oneshot;
    ///
    /// let (sender, receiver) = oneshot::channel();
    /// let thread = std::thread::spawn(move || receiver.blocking_recv());
    /// sender.send(7).expect("the receiver is there");
    /// assert_eq!(thread.join().expect("no panic"), Ok(7));
    /// ```
    #[track_caller]
    pub fn blocking_recv(self) -> Result<T, RecvError> {
        blocking::block_on("recv", self)
    }

    /// Refuses a value from now on; one that was sent can still be received.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::oneshot;
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// receiver.close();
    /// assert_eq!(sender.send("too late"), Err("too late"));
    /// ```
    pub fn close(&mut self) {
        let Some(shared) = &self.shared else { return };
        let mut inner = shared.lock.lock();
        if let State::Open = inner.state {
            inner.state = State::NoReceiver;
        }
        let waker = inner.sender.take();
        drop(inner);
        Wakes::one(waker);
    }
}

impl<T> Receiver<T> {
    /// The value or the end, of which one is there.
    fn take_ended(&mut self) -> Result<T, RecvError> {
        let result = match self.shared.take().map(Arc::try_unwrap) {
            // The sender is done with it: nobody to lock out.
            Some(Ok(shared)) => take(&mut shared.lock.into_inner().state),
            Some(Err(shared)) => {
                let mut inner = shared.lock.lock();
                take(&mut inner.state)
            }
            None => None,
        };
        match result {
            Some(result) => result,
            None => unreachable!("the sender has sent or gone"),
        }
    }
}

/// The value or the end, or nothing if neither is there yet.
fn take<T>(state: &mut State<T>) -> Option<Result<T, RecvError>> {
    match state {
        State::Open => None,
        State::Sent(_) => match mem::replace(state, State::Empty) {
            State::Sent(value) => Some(Ok(value)),
            _ => unreachable!("it was Sent"),
        },
        State::Empty | State::NoSender | State::NoReceiver => Some(Err(RecvError(()))),
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(shared) = &self.shared else {
            panic!(
                "the receiver made at {} was polled after its end",
                self.location
            )
        };
        let unit = ready!(budget::poll_proceed(cx));
        // Acquire: what is seen as ended has its state set.
        if shared.ended.load(Ordering::Acquire) {
            unit.spend();
            return Poll::Ready(self.take_ended());
        }
        let waker = cx.waker().clone(); // foreign code: before the lock
        let mut inner = shared.lock.lock();
        if let Some(result) = take(&mut inner.state) {
            let own = inner.receiver.take(); // as in `try_recv`
            drop(inner); // before the wakers
            discard(waker);
            unit.spend();
            self.shared = None;
            drop(own);
            return Poll::Ready(result);
        }
        let old = inner.receiver.replace(waker);
        drop(inner);
        drop(old);
        unit.refund();
        waiting_on(
            Kind::Channel,
            Arc::as_ptr(shared).addr() as u64,
            self.location,
        );
        Poll::Pending
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        let mut inner = shared.lock.lock();
        let state = mem::replace(&mut inner.state, State::NoReceiver);
        let wakers = (inner.receiver.take(), inner.sender.take());
        drop(inner);
        drop(state); // a value that nobody received
        Wakes::one(wakers.1);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("ended", &self.shared.is_none())
            .finish_non_exhaustive()
    }
}

/// The sender was dropped without sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError(pub(super) ());

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sender was dropped without sending")
    }
}

impl Error for RecvError {}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// It may still come.
    Empty,
    /// It will not come: the sender was dropped, or the value was received.
    Closed,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "nothing was sent yet",
            TryRecvError::Closed => "nothing will come any more",
        })
    }
}

impl Error for TryRecvError {}
