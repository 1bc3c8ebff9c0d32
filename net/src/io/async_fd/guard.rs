//! What a wait comes to: a guard that knows what was known before the try.

use super::{AsyncFd, kind, would_block};
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_reactor::{Direction, Ready, Seen};

/// A try is worth it; from [`AsyncFd::readable`] and [`AsyncFd::writable`].
///
/// If the try meets `WouldBlock`, the guard must learn of it, by
/// [`try_io`](Guard::try_io) or [`clear_ready`](Guard::clear_ready): else the
/// next wait is over at once.
#[must_use = "try something with it, by `try_io`"]
pub struct Guard<'a, T> {
    fd: &'a AsyncFd<T>,
    direction: Direction,
    /// Looked at before any try: an event that comes later is not cleared.
    seen: Seen,
}

impl<'a, T> Guard<'a, T> {
    pub(super) fn new(fd: &'a AsyncFd<T>, direction: Direction) -> Guard<'a, T> {
        let seen = fd.source.seen(direction);
        Guard {
            fd,
            direction,
            seen,
        }
    }

    /// Calls `f`, and notes it if that met `WouldBlock`.
    ///
    /// # Errors
    ///
    /// [`TryIoError`] for `WouldBlock`: wait again. Every other error is
    /// inside, the result of `f`.
    ///
    /// # Example
    ///
    /// See [`AsyncFd`].
    pub fn try_io<R>(
        &mut self,
        f: impl FnOnce(&'a AsyncFd<T>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        // Looked at again, for who tries twice with one guard.
        self.seen = self.fd.source.seen(self.direction);
        let result = f(self.fd);
        if would_block(&result) {
            self.clear_ready();
            return Err(TryIoError(()));
        }
        Ok(result)
    }

    /// Notes that a try met `WouldBlock`, unless an event came since this guard
    /// was made, or since its last `try_io`.
    pub fn clear_ready(&mut self) {
        self.fd.source.clear(self.direction, self.seen);
    }

    /// Says that the descriptor is still ready: nothing is done, as by a drop.
    pub fn retain_ready(&mut self) {}

    /// Where the guard is from.
    #[must_use]
    pub fn get_ref(&self) -> &'a AsyncFd<T> {
        self.fd
    }

    /// What is watched.
    #[must_use]
    pub fn get_inner(&self) -> &'a T {
        self.fd.get_ref()
    }
}

impl<T: fmt::Debug> fmt::Debug for Guard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("fd", self.fd)
            .field("direction", &self.direction)
            .finish_non_exhaustive()
    }
}

/// The try of a [`Guard`] met `WouldBlock`, and the guard has noted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TryIoError(());

impl fmt::Display for TryIoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it would block: wait for readiness again")
    }
}

impl Error for TryIoError {}

/// The future of [`AsyncFd::readable`] and [`AsyncFd::writable`].
#[must_use = "futures do nothing unless awaited"]
pub struct ReadyGuard<'a, T> {
    fd: &'a AsyncFd<T>,
    direction: Direction,
    ready: Ready<'a>,
}

impl<'a, T> ReadyGuard<'a, T> {
    pub(super) fn new(
        fd: &'a AsyncFd<T>,
        direction: Direction,
        location: &'static Location<'static>,
    ) -> ReadyGuard<'a, T> {
        ReadyGuard {
            fd,
            direction,
            ready: fd.source.ready(direction, kind(direction), location),
        }
    }
}

impl<'a, T> Future for ReadyGuard<'a, T> {
    type Output = io::Result<Guard<'a, T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.fd.check(this.direction)?;
        ready!(Pin::new(&mut this.ready).poll(cx))?;
        Poll::Ready(Ok(Guard::new(this.fd, this.direction)))
    }
}

impl<T: fmt::Debug> fmt::Debug for ReadyGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyGuard")
            .field("fd", self.fd)
            .field("direction", &self.direction)
            .finish_non_exhaustive()
    }
}
