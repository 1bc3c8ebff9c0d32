//! The receiving half: a position, and the future that waits for what comes there.

use super::error::{RecvError, TryRecvError};
use super::{Found, Shared};
use crate::blocking;
use crate::wait_list::Ticket;
use crate::wakes::discard;
use futures_core::Stream;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, budget, waiting_on};

/// Receives a clone of every value that is sent after it was made, by
/// [`recv`](Receiver::recv) or as a [`Stream`].
///
/// It keeps nobody waiting: one that is too slow misses values and is told how
/// many.
#[must_use = "values that no receiver wants are not sent"]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    position: u64,
    /// Of the last `poll_recv`, as in [`Recv`].
    ticket: Option<Ticket>,
}

// Nothing in it is ever pinned: the values only pass through.
impl<T> Unpin for Receiver<T> {}

impl<T> Receiver<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Receiver<T> {
        let mut locked = shared.list.lock();
        let state = locked.state();
        state.receivers += 1;
        let position = state.tail();
        drop(locked);
        Receiver {
            shared,
            position,
            ticket: None,
        }
    }

    /// Another receiver, which gets what is sent from now on.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::broadcast;
    ///
    /// let (sender, behind) = broadcast::channel(8);
    /// sender.send(1)?;
    /// let mut fresh = behind.resubscribe();
    /// sender.send(2)?;
    /// assert_eq!((behind.len(), fresh.len()), (2, 1));
    /// assert_eq!(fresh.try_recv(), Ok(2));
    /// # Ok::<(), broadcast::SendError<i32>>(())
    /// ```
    pub fn resubscribe(&self) -> Receiver<T> {
        Receiver::new(Arc::clone(&self.shared))
    }

    /// How many values were sent that this has not received, those included that
    /// it has missed.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.shared.list.lock().state().tail() - self.position) as usize
    }

    /// Whether it has received everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether all senders are gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.list.lock().state().senders == 0
    }

    /// Whether both get what the same senders send.
    #[must_use]
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T: Clone> Receiver<T> {
    /// Receives the next value.
    ///
    /// # Errors
    ///
    /// [`RecvError::Lagged`] if values were missed, and
    /// [`RecvError::Closed`] at the end.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: a value is taken only by the poll that
    /// returns it.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::broadcast::{self, RecvError};
    ///
    /// async fn follow(mut news: broadcast::Receiver<String>) {
    ///     loop {
    ///         match news.recv().await {
    ///             Ok(line) => println!("{line}"),
    ///             Err(RecvError::Lagged(missed)) => println!("({missed} lines missed)"),
    ///             Err(RecvError::Closed) => return,
    ///         }
    ///     }
    /// }
    /// # let _ = follow;
    /// ```
    #[track_caller]
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv {
            receiver: self,
            ticket: None,
            location: Location::caller(),
        }
    }

    /// The next value, if it is there.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`] tells why not.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::broadcast::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = broadcast::channel(8);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(1)?;
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// # Ok::<(), broadcast::SendError<i32>>(())
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let found = self.shared.list.lock().state().take(&mut self.position);
        match found {
            Found::Value(value) => Ok(unshare(value)),
            Found::Lagged(missed) => Err(TryRecvError::Lagged(missed)),
            Found::Nothing => Err(TryRecvError::Empty),
            Found::End => Err(TryRecvError::Closed),
        }
    }

    /// Receives the next value, blocking this thread until it comes: for
    /// threads outside of the runtime.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Receiver::recv).
    ///
    /// # Panics
    ///
    /// On a thread that runs tasks, which it would stop: inside of a task, which must
    /// await [`recv`](Receiver::recv) instead, and in a destructor there. A blocking job may.
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Result<T, RecvError> {
        blocking::block_on("recv", self.recv())
    }
}

/// Where a receiver stands, and where it waits if nothing is there.
struct Place<'a, T> {
    shared: &'a Shared<T>,
    position: &'a mut u64,
    /// Under which it waits, or has been told to look again.
    ticket: &'a mut Option<Ticket>,
}

impl<T> Place<'_, T> {
    fn look(&mut self, cx: &Context<'_>) -> Found<T> {
        let list = &self.shared.list;
        if self.ticket.is_some_and(|ticket| list.is_granted(ticket)) {
            *self.ticket = None;
        }
        let mut waker = None;
        loop {
            let mut locked = list.lock();
            let found = locked.state().take(self.position);
            if !matches!(found, Found::Nothing) {
                if let Some(ticket) = self.ticket.take() {
                    let _ = locked.cancel(ticket);
                }
                locked.leave(); // before the waker
                if let Some(needless) = waker {
                    discard(needless);
                }
                return found;
            }
            match (waker.take(), *self.ticket) {
                // Foreign code: without the lock, and then look again.
                (None, _) => {
                    drop(locked);
                    waker = Some(cx.waker().clone());
                }
                (Some(waker), None) => {
                    *self.ticket = Some(locked.push(waker, ()));
                    return Found::Nothing;
                }
                (Some(waker), Some(ticket)) => {
                    if locked.update(ticket, waker) {
                        return Found::Nothing;
                    }
                    *self.ticket = None; // told to look again, by one who was too slow
                }
            }
        }
    }
}

impl<T: Clone> Place<'_, T> {
    fn poll(
        &mut self,
        location: &'static Location<'static>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, RecvError>> {
        let unit = ready!(budget::poll_proceed(cx));
        let outcome = match self.look(cx) {
            Found::Value(value) => Ok(unshare(value)),
            Found::Lagged(missed) => Err(RecvError::Lagged(missed)),
            Found::End => Err(RecvError::Closed),
            Found::Nothing => {
                unit.refund();
                waiting_on(Kind::Channel, self.shared.id(), location);
                return Poll::Pending;
            }
        };
        unit.spend();
        Poll::Ready(outcome)
    }
}

impl<T: Clone> Receiver<T> {
    /// [`recv`](Receiver::recv) for use inside of a `poll` function; the task of
    /// the last call is the one that is woken.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Receiver::recv).
    ///
    /// # Example
    ///
    /// ```
    /// use std::task::{Context, Poll, Waker};
    /// use wakeline_sync::broadcast;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let (sender, mut receiver) = broadcast::channel(8);
    /// assert!(receiver.poll_recv(&mut cx).is_pending());
    /// sender.send(7)?;
    /// assert_eq!(receiver.poll_recv(&mut cx), Poll::Ready(Ok(7)));
    /// # Ok::<(), broadcast::SendError<i32>>(())
    /// ```
    #[track_caller]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        let mut place = Place {
            shared: &self.shared,
            position: &mut self.position,
            ticket: &mut self.ticket,
        };
        place.poll(Location::caller(), cx)
    }
}

/// The same values, for combinators: an error says how many were missed, and the end of
/// the stream is that of the channel.
impl<T: Clone> Stream for Receiver<T> {
    type Item = Result<T, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(match ready!(self.poll_recv(cx)) {
            Err(RecvError::Closed) => None,
            value => Some(value),
        })
    }
}

/// The value itself for the last one, a clone for the others; without the lock.
fn unshare<T: Clone>(value: Arc<T>) -> T {
    Arc::try_unwrap(value).unwrap_or_else(|value| T::clone(&value))
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut locked = self.shared.list.lock();
        if let Some(ticket) = self.ticket {
            let _ = locked.cancel(ticket);
        }
        let gone = locked.state().leave(self.position);
        drop(locked); // foreign code from here on: its waker, and values
        drop(gone);
    }
}

/// The future of [`Receiver::recv`].
#[must_use = "a value is only received when this is awaited"]
pub struct Recv<'a, T> {
    receiver: &'a mut Receiver<T>,
    /// Under which it waits, or has been told to look again.
    ticket: Option<Ticket>,
    location: &'static Location<'static>,
}

impl<T: Clone> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut place = Place {
            shared: &this.receiver.shared,
            position: &mut this.receiver.position,
            ticket: &mut this.ticket,
        };
        place.poll(this.location, cx)
    }
}

impl<T> Drop for Recv<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            // A grant that was not seen is nobody else's: all had one.
            let _ = self.receiver.shared.list.lock().cancel(ticket);
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("closed", &self.is_closed())
            .finish()
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv")
            .field("waits", &self.ticket.is_some())
            .finish_non_exhaustive()
    }
}
