//! What both ends of a queue can do: join it, end it, look at it.

use super::line::{Fate, Place};
use super::shared::{Shared, Side};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// How a queue is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Nothing is put any more; what is there is still received.
    Graceful,
    /// Nothing is put or received any more; what is there is dropped and
    /// counted as done. Jobs that were received are not: `join` waits for them.
    Immediate,
}

/// The future of [`Producer::join`](super::Producer::join) and
/// [`Consumer::join`](super::Consumer::join).
#[derive(Debug)]
#[must_use = "the queue is only joined when this is awaited"]
pub struct Join<'a, T> {
    shared: &'a Shared<T>,
    place: Place,
    location: &'static Location<'static>,
}

impl<'a, T> Join<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>, location: &'static Location<'static>) -> Join<'a, T> {
        Join {
            shared,
            place: Place::New,
            location,
        }
    }
}

impl<T> Future for Join<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.shared.poll(
            Side::Joiners,
            &mut this.place,
            this.location,
            cx,
            |core, place| match place {
                // A grant stays one, also if something was put since.
                Place::Queued(ticket) => (core.joiners.fate(ticket) != Fate::Waiting).then_some(()),
                Place::New | Place::Done => (core.unfinished == 0).then_some(()),
            },
        )
    }
}

impl<T> Drop for Join<'_, T> {
    fn drop(&mut self) {
        self.shared.give_up(Side::Joiners, &mut self.place);
    }
}

/// The methods that producer and consumer have in common.
macro_rules! common_methods {
    ($handle:ident) => {
        impl<T> $handle<T> {
            /// Waits until every item that was put is done: received, and its
            /// job finished, or thrown away by a shutdown.
            ///
            /// Ready at once if that is so, any number of times. What is put
            /// while this waits is waited for too, so a worker may put what it
            /// finds before its own job is done.
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
            /// use wakeline_sync::queue;
            ///
            /// let mut cx = Context::from_waker(Waker::noop());
            /// let (producer, consumer) = queue::fifo(8);
            /// assert!(pin!(producer.join()).poll(&mut cx).is_ready());
            /// producer.try_send("work").expect("there is room");
            /// let job = consumer.try_recv().expect("it was put");
            /// let mut join = pin!(producer.join());
            /// assert!(join.as_mut().poll(&mut cx).is_pending()); // being worked on
            /// job.done();
            /// assert!(join.poll(&mut cx).is_ready());
            /// ```
            #[track_caller]
            pub fn join(&self) -> Join<'_, T> {
                Join::new(&self.shared, Location::caller())
            }

            /// Ends the queue: gracefully or at once; a second call can only
            /// turn the first into the second.
            ///
            /// In both cases puts fail from now on and give their value back,
            /// also those that wait. Receivers get `Closed` when nothing can
            /// come any more, which is also when the last producer is gone.
            ///
            /// # Example
            ///
            /// ```
            /// use wakeline_sync::queue::{self, Shutdown, TryRecvError, TrySendError};
            ///
            /// let (producer, consumer) = queue::fifo(8);
            /// producer.try_send(1).expect("there is room");
            /// producer.shutdown(Shutdown::Graceful);
            /// assert_eq!(producer.try_send(2), Err(TrySendError::Closed(2)));
            /// assert_eq!(consumer.try_recv().expect("it is still there").into_inner(), 1);
            /// assert_eq!(consumer.try_recv().unwrap_err(), TryRecvError::Closed);
            /// ```
            pub fn shutdown(&self, how: Shutdown) {
                self.shared.shut_down(how);
            }

            /// Whether nothing can be put any more.
            #[must_use]
            pub fn is_closed(&self) -> bool {
                self.shared.lock().core.phase != Phase::Open
            }

            /// How many items can be received now.
            #[must_use]
            pub fn len(&self) -> usize {
                self.shared.lock().core.store.len()
            }

            /// Whether there is no item to receive now.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// How many items it holds at most;
            /// [`UNBOUNDED`](super::UNBOUNDED) is without a limit.
            #[must_use]
            pub fn capacity(&self) -> usize {
                self.shared.lock().core.capacity
            }

            /// How many items are waiting or being worked on.
            ///
            /// # Example
            ///
            /// ```
            /// use wakeline_sync::queue;
            ///
            /// let (producer, consumer) = queue::fifo(8);
            /// producer.try_send(()).expect("there is room");
            /// let job = consumer.try_recv().expect("it was put");
            /// assert_eq!((producer.len(), producer.unfinished()), (0, 1));
            /// drop(job);
            /// assert_eq!(producer.unfinished(), 0);
            /// ```
            #[must_use]
            pub fn unfinished(&self) -> usize {
                self.shared.lock().core.unfinished
            }
        }

        impl<T> fmt::Debug for $handle<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($handle))
                    .field(&self.shared)
                    .finish()
            }
        }
    };
}
pub(super) use common_methods;
