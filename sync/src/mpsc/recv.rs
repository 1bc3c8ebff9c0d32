//! The futures that receive; one that is given up leaves no waker behind.

use super::receiver::Receiver;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use wakeline_context::{Kind, waiting_on};

/// The future of [`Receiver::recv`].
#[must_use = "a value is only received when this is awaited"]
pub struct Recv<'a, T> {
    receiver: &'a mut Receiver<T>,
    /// Whether its waker is in the channel.
    waits: bool,
    location: &'static Location<'static>,
}

impl<'a, T> Recv<'a, T> {
    #[inline]
    pub(super) fn new(
        receiver: &'a mut Receiver<T>,
        location: &'static Location<'static>,
    ) -> Recv<'a, T> {
        Recv {
            receiver,
            waits: false,
            location,
        }
    }
}

impl<T> Future for Recv<'_, T> {
    type Output = Option<T>;

    // Always: it is short where a value is there, and the compiler sees the rest.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let outcome = self.receiver.poll_recv(cx);
        if outcome.is_pending() {
            self.waits = true;
            waiting_on(Kind::Channel, self.receiver.chan().id(), self.location);
        } else if self.waits {
            self.waits = false;
        }
        outcome
    }
}

impl<T> Drop for Recv<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.waits {
            self.receiver.chan().stop_waiting();
        }
    }
}

/// The future of [`Receiver::recv_many`].
#[must_use = "values are only received when this is awaited"]
pub struct RecvMany<'a, T> {
    receiver: &'a mut Receiver<T>,
    buffer: &'a mut Vec<T>,
    limit: usize,
    waits: bool,
    location: &'static Location<'static>,
}

impl<'a, T> RecvMany<'a, T> {
    pub(super) fn new(
        receiver: &'a mut Receiver<T>,
        buffer: &'a mut Vec<T>,
        limit: usize,
        location: &'static Location<'static>,
    ) -> RecvMany<'a, T> {
        RecvMany {
            receiver,
            buffer,
            limit,
            waits: false,
            location,
        }
    }
}

impl<T> Future for RecvMany<'_, T> {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let this = &mut *self;
        let outcome = this.receiver.poll_recv_many(cx, this.buffer, this.limit);
        this.waits = outcome.is_pending();
        if this.waits {
            waiting_on(Kind::Channel, this.receiver.chan().id(), this.location);
        }
        outcome
    }
}

impl<T> Drop for RecvMany<'_, T> {
    fn drop(&mut self) {
        if self.waits {
            self.receiver.chan().stop_waiting();
        }
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv")
            .field("waits", &self.waits)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for RecvMany<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvMany")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
