//! A slot ahead of its value: the future that waits for one, and the permit.

use super::SendError;
use super::line::Place;
use super::shared::{Shared, Side};
use crate::error::Closed;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The future of [`Producer::reserve`](super::Producer::reserve).
#[derive(Debug)]
#[must_use = "a slot is only waited for when this is awaited"]
pub struct Reserve<'a, T> {
    shared: &'a Shared<T>,
    place: Place,
    location: &'static Location<'static>,
}

impl<'a, T> Reserve<'a, T> {
    pub(super) fn new(
        shared: &'a Shared<T>,
        location: &'static Location<'static>,
    ) -> Reserve<'a, T> {
        Reserve {
            shared,
            place: Place::New,
            location,
        }
    }
}

impl<'a, T> Future for Reserve<'a, T> {
    type Output = Result<Permit<'a, T>, Closed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let shared = this.shared;
        let slot = ready!(shared.poll(
            Side::Putters,
            &mut this.place,
            this.location,
            cx,
            |core, place| {
                let slot = core.slot(place)?;
                core.permits += usize::from(slot.is_ok());
                Some(slot)
            },
        ));
        Poll::Ready(slot.map(|()| Permit { shared }))
    }
}

impl<T> Drop for Reserve<'_, T> {
    fn drop(&mut self) {
        self.shared.give_up(Side::Putters, &mut self.place);
    }
}

/// A slot in the queue, to be filled without waiting; given back when dropped.
///
/// It is good also after a graceful shutdown: receivers wait for it.
#[derive(Debug)]
#[must_use = "a slot that is dropped goes to the next"]
pub struct Permit<'a, T> {
    shared: &'a Shared<T>,
}

impl<'a, T> Permit<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>) -> Permit<'a, T> {
        Permit { shared }
    }

    /// Puts `value` into the slot.
    ///
    /// # Errors
    ///
    /// [`SendError`] gives the value back if nobody can receive it any more:
    /// the queue was shut down at once, or all consumers are gone.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Poll, Waker};
    /// use wakeline_sync::queue::{self, Shutdown};
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let (producer, consumer) = queue::fifo(1);
    /// let Poll::Ready(Ok(permit)) = pin!(producer.reserve()).poll(&mut cx) else {
    ///     panic!("there is room")
    /// };
    /// producer.shutdown(Shutdown::Graceful);
    /// permit.send(7)?; // it was promised
    /// assert_eq!(*consumer.try_recv().expect("it is there"), 7);
    /// # Ok::<(), queue::SendError<i32>>(())
    /// ```
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        let shared = self.shared;
        let rank = shared.rank(&value); // the user's: it may panic
        mem::forget(self); // the slot is not given back but used
        shared.put_by_permit(value, rank)
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.shared.return_permit();
    }
}
