//! The futures of a source: named, so that they can be stored.

use super::{Done, Shared, Source};
use crate::state::Direction;
use crate::waiters::Who;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use wakeline_context::Kind;

/// The future of [`Source::ready`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Ready<'a> {
    source: &'a Source,
    direction: Direction,
    kind: Kind,
    location: &'static Location<'static>,
    who: Who,
}

impl<'a> Ready<'a> {
    pub(super) fn new(
        source: &'a Source,
        direction: Direction,
        kind: Kind,
        location: &'static Location<'static>,
    ) -> Ready<'a> {
        let who = Who::Future(None);
        Ready {
            source,
            direction,
            kind,
            location,
            who,
        }
    }

    /// Instead of a poll of this future: tries `op` as soon as it may succeed.
    ///
    /// For futures with a name of their own that are to wait like [`Source::io`].
    ///
    /// # Errors
    ///
    /// As of [`Source::poll_io`].
    #[inline]
    pub fn poll_io<T>(
        &mut self,
        cx: &mut Context<'_>,
        op: impl FnMut(BorrowedFd<'_>) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        self.source.drive(
            cx,
            self.direction,
            &mut self.who,
            self.kind,
            self.location,
            op,
        )
    }
}

impl Future for Ready<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_io(cx, |_| Ok(Done::Full(())))
    }
}

impl Drop for Ready<'_> {
    #[inline]
    fn drop(&mut self) {
        let Shared { state, .. } = &*self.source.shared;
        state.unlist(self.direction, self.who, || self.source.is_inherited());
    }
}

/// The future of [`Source::io`].
#[must_use = "futures do nothing unless awaited"]
pub struct Io<'a, F> {
    ready: Ready<'a>,
    op: F,
}

impl<'a, F> Io<'a, F> {
    pub(super) fn new(ready: Ready<'a>, op: F) -> Io<'a, F> {
        Io { ready, op }
    }
}

impl<T, F> Future for Io<'_, F>
where
    F: FnMut(BorrowedFd<'_>) -> io::Result<Done<T>> + Unpin,
{
    type Output = io::Result<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Io { ready, op } = &mut *self;
        ready.poll_io(cx, op)
    }
}

impl<F> fmt::Debug for Io<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io")
            .field("ready", &self.ready)
            .finish_non_exhaustive()
    }
}
