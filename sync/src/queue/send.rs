//! The futures that put a value once there is room.
//!
//! The value stays with its owner until the poll that puts it: in the future,
//! or in the owner's own variable.

use super::SendError;
use super::line::Place;
use super::shared::{Shared, Side};
use crate::error::Closed;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The future of [`Producer::send`](super::Producer::send).
///
/// It holds the value until there is room: `&mut` of it can be given up and
/// polled again later, and [`into_inner`](Send::into_inner) gives the value back.
#[must_use = "nothing is sent until this is awaited"]
pub struct Send<'a, T> {
    /// Until it is in the queue.
    value: Option<T>,
    request: Request<'a, T>,
}

// The value is not pinned: it is moved into the queue.
impl<T> Unpin for Send<'_, T> {}

/// The future of [`Producer::send_from`](super::Producer::send_from).
#[must_use = "nothing is sent until this is awaited"]
pub struct SendFrom<'a, T> {
    value: &'a mut Option<T>,
    request: Request<'a, T>,
}

/// Room asked for, for a value of this rank.
struct Request<'a, T> {
    shared: &'a Shared<T>,
    rank: i64,
    place: Place,
    location: &'static Location<'static>,
}

impl<T> Request<'_, T> {
    /// Puts what is in `value`, or leaves it there if the queue is closed.
    fn poll(&mut self, value: &mut Option<T>, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let rank = self.rank;
        self.shared.poll(
            Side::Putters,
            &mut self.place,
            self.location,
            cx,
            |core, place| {
                let slot = core.slot(place)?;
                if slot.is_ok() {
                    let value = value.take().unwrap_or_else(|| unreachable!("put twice"));
                    core.put(value, rank);
                }
                Some(slot)
            },
        )
    }
}

impl<T> Drop for Request<'_, T> {
    fn drop(&mut self) {
        self.shared.give_up(Side::Putters, &mut self.place);
    }
}

impl<'a, T> Send<'a, T> {
    pub(super) fn new(
        shared: &'a Shared<T>,
        value: T,
        location: &'static Location<'static>,
    ) -> Send<'a, T> {
        let request = Request {
            shared,
            rank: shared.rank(&value),
            place: Place::New,
            location,
        };
        Send {
            value: Some(value),
            request,
        }
    }

    /// Gives up, and gives the value back if it was not put into the queue.
    #[must_use = "the value may not have been sent"]
    pub fn into_inner(self) -> Option<T> {
        self.value
    }
}

impl<'a, T> SendFrom<'a, T> {
    pub(super) fn new(
        shared: &'a Shared<T>,
        value: &'a mut Option<T>,
        location: &'static Location<'static>,
    ) -> SendFrom<'a, T> {
        let request = Request {
            shared,
            rank: value.as_ref().map_or(0, |value| shared.rank(value)),
            place: Place::New,
            location,
        };
        SendFrom { value, request }
    }
}

impl<T> Future for Send<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let sent = ready!(this.request.poll(&mut this.value, cx));
        Poll::Ready(match (sent, this.value.take()) {
            (Err(Closed(())), Some(value)) => Err(SendError(value)),
            _ => Ok(()),
        })
    }
}

impl<T> Future for SendFrom<'_, T> {
    type Output = Result<(), SendError<()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.value.is_none() {
            return Poll::Ready(Ok(()));
        }
        let sent = ready!(this.request.poll(this.value, cx));
        Poll::Ready(sent.map_err(|Closed(())| SendError(())))
    }
}

impl<T> fmt::Debug for Send<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.describe(f, "Send")
    }
}

impl<T> fmt::Debug for SendFrom<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.describe(f, "SendFrom")
    }
}

impl<T> Request<'_, T> {
    fn describe(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        f.debug_struct(name)
            .field("place", &self.place)
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}
