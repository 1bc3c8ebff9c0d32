//! The futures that wait for a slot to keep.

use super::chan::{Chan, Use};
use super::error::SendError;
use super::permit::{OwnedPermit, Permit};
use super::request::Request;
use super::sender::Sender;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The future of [`Sender::reserve`].
#[must_use = "a slot is only waited for when this is awaited"]
pub struct Reserve<'a, T> {
    chan: &'a Chan<T>,
    request: Request,
}

impl<'a, T> Reserve<'a, T> {
    pub(super) fn new(chan: &'a Chan<T>, location: &'static Location<'static>) -> Reserve<'a, T> {
        Reserve {
            chan,
            request: Request::new(location),
        }
    }
}

impl<'a, T> Future for Reserve<'a, T> {
    type Output = Result<Permit<'a, T>, SendError<()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        Poll::Ready(match ready!(this.request.poll(this.chan, Use::Keep, cx)) {
            Ok(()) => Ok(Permit::new(this.chan)),
            Err(_) => Err(SendError(())),
        })
    }
}

impl<T> Drop for Reserve<'_, T> {
    fn drop(&mut self) {
        self.request.give_up(self.chan);
    }
}

/// The future of [`Sender::reserve_owned`].
#[must_use = "a slot is only waited for when this is awaited"]
pub struct ReserveOwned<T> {
    /// `None` once it is in the permit.
    sender: Option<Sender<T>>,
    request: Request,
}

impl<T> ReserveOwned<T> {
    pub(super) fn new(sender: Sender<T>, location: &'static Location<'static>) -> ReserveOwned<T> {
        ReserveOwned {
            sender: Some(sender),
            request: Request::new(location),
        }
    }
}

impl<T> Future for ReserveOwned<T> {
    type Output = Result<OwnedPermit<T>, SendError<()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(sender) = &this.sender else {
            panic!("a reservation was polled after its end")
        };
        let outcome = ready!(this.request.poll(sender.chan(), Use::Keep, cx));
        Poll::Ready(match (outcome, this.sender.take()) {
            (Ok(()), Some(sender)) => Ok(OwnedPermit::new(sender)),
            (_, sender) => {
                drop(sender);
                Err(SendError(()))
            }
        })
    }
}

impl<T> Drop for ReserveOwned<T> {
    fn drop(&mut self) {
        if let Some(sender) = &self.sender {
            self.request.give_up(sender.chan());
        }
    }
}

impl<T> fmt::Debug for Reserve<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ReserveOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReserveOwned")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
