//! The wait for a right: a request for its permits, and the way to them.
//!
//! Dropped before it is ready it gives its place up; permits that were granted
//! and not seen go to the next.

#![deny(unsafe_code)]

use super::{Held, Holder, Right};
use crate::semaphore::Request;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::task::{Context, Poll, ready};

pub(crate) struct Taking<H: Holder, R: Right<H>> {
    /// `None` once the right was given out.
    holder: Option<H>,
    request: Request,
    right: PhantomData<fn() -> R>,
}

impl<H: Holder, R: Right<H>> Taking<H, R> {
    #[inline]
    pub(crate) fn new(holder: H, location: &'static Location<'static>) -> Taking<H, R> {
        Taking {
            holder: Some(holder),
            request: Request::new(R::PERMITS, location),
            right: PhantomData,
        }
    }

    /// Whose right is waited for, until it was given.
    #[inline]
    pub(crate) fn holder(&self) -> Option<&H> {
        self.holder.as_ref()
    }

    /// The line that waits.
    pub(crate) fn location(&self) -> &'static Location<'static> {
        self.request.location()
    }

    /// Ready once.
    #[inline]
    #[track_caller]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<R> {
        let Some(holder) = &self.holder else {
            panic!("a lock was polled after it was given");
        };
        let taken = ready!(self.request.poll(&holder.guarded().semaphore, cx));
        debug_assert!(taken.is_ok(), "the semaphore of a lock is never closed");
        let holder = self.holder.take();
        let holder = holder.expect("looked at above");
        Poll::Ready(R::of(Held::new(holder, R::PERMITS)))
    }
}

impl<H: Holder, R: Right<H>> Drop for Taking<H, R> {
    #[inline]
    fn drop(&mut self) {
        if let Some(holder) = &self.holder {
            self.request.give_up(&holder.guarded().semaphore);
        }
    }
}

impl<H: Holder, R: Right<H>> fmt::Debug for Taking<H, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.request, f)
    }
}
