//! The future of a function that is made of several operations.
//!
//! The operations within note the lines of this crate as the place where a task
//! waits. Nobody looks for that; so the last word has the caller's line.

use std::fmt;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use wakeline_context::{Kind, budget, waiting_on};

/// The future of [`read`](super::read), [`write_atomic`](super::write_atomic)
/// and the like, which do several things one after the other.
///
/// Nothing happens before its first poll. Dropping it stops between two of the
/// operations, or asks the kernel to stop the one in progress; what that leaves
/// is told where the function is.
#[must_use = "futures do nothing unless awaited"]
pub struct Several<'a, T> {
    inner: Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>,
    location: &'static Location<'static>,
}

impl<'a, T> Several<'a, T> {
    #[track_caller]
    pub(super) fn new(inner: impl Future<Output = io::Result<T>> + Send + 'a) -> Several<'a, T> {
        Several {
            inner: Box::pin(inner),
            location: Location::caller(),
        }
    }
}

impl<T> Future for Several<'_, T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let result = self.inner.as_mut().poll(cx);
        if result.is_pending() {
            let kind = if budget::is_spent() {
                Kind::Yield
            } else {
                Kind::Operation
            };
            waiting_on(kind, 0, self.location);
        }
        result
    }
}

impl<T> fmt::Debug for Several<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Several")
            .field("from", &self.location)
            .finish_non_exhaustive()
    }
}
