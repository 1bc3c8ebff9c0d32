//! The getting end: `recv` and `try_recv`, which give a [`Job`].

use super::core::Phase;
use super::handle::{Join, Shutdown, common_methods};
use super::line::Place;
use super::shared::{Shared, Side};
use super::{Job, TryRecvError};
use crate::error::Closed;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Receives the items of a queue; when the last one is dropped, what is there
/// is dropped and counted as done, and puts fail.
pub struct Consumer<T> {
    shared: Arc<Shared<T>>,
}

common_methods!(Consumer);

impl<T> Consumer<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Consumer<T> {
        Consumer { shared }
    }

    /// Receives the next item, once there is one.
    ///
    /// Those who wait are served in the order in which they came.
    ///
    /// # Errors
    ///
    /// [`Closed`] when nothing can come any more: the queue was shut down or
    /// all producers are gone, and everything that was put is received. With
    /// [`requeue_on_drop`](super::Builder::requeue_on_drop) also every job is
    /// done, because until then one may come back.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: an item is taken only by the poll
    /// that returns it, and until then it stays at its place.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::queue::Consumer;
    ///
    /// async fn worker(urls: Consumer<String>) {
    ///     while let Ok(url) = urls.recv().await {
    ///         println!("fetching {}", *url);
    ///     } // the job is done at the end of each turn
    /// }
    /// # let _ = worker;
    /// ```
    #[track_caller]
    pub fn recv(&self) -> Recv<'_, T> {
        Recv {
            shared: &self.shared,
            place: Place::New,
            location: Location::caller(),
        }
    }

    /// The next item, if there is one that is not another's already.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`] tells whether one may still come.
    pub fn try_recv(&self) -> Result<Job<T>, TryRecvError> {
        let mut locked = self.shared.lock();
        let got = locked.core.get(Place::New);
        locked.settle_for(Side::Getters);
        match got {
            Some(Ok(item)) => Ok(Job::new(Arc::clone(&self.shared), item)),
            Some(Err(Closed(()))) => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }
}

impl<T> Clone for Consumer<T> {
    fn clone(&self) -> Consumer<T> {
        self.shared.lock().core.consumers += 1;
        Consumer {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.shared.leave(Side::Getters);
    }
}

/// The future of [`Consumer::recv`].
#[derive(Debug)]
#[must_use = "nothing is received until this is awaited"]
pub struct Recv<'a, T> {
    shared: &'a Arc<Shared<T>>,
    place: Place,
    location: &'static Location<'static>,
}

impl<T> Future for Recv<'_, T> {
    type Output = Result<Job<T>, Closed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let shared = this.shared;
        let got = ready!(shared.poll(
            Side::Getters,
            &mut this.place,
            this.location,
            cx,
            |core, place| core.get(place),
        ));
        Poll::Ready(got.map(|item| Job::new(Arc::clone(shared), item)))
    }
}

impl<T> Drop for Recv<'_, T> {
    fn drop(&mut self) {
        self.shared.give_up(Side::Getters, &mut self.place);
    }
}
