//! An operation on a source, as a future with a name.
//!
//! `Source` waits; an [`Operation`] says what to try. A [`Leaf`] joins the two:
//!
//! ```text
//!   Trying ──1──▶ Done
//!    │  ▲
//!    2  3
//!    ▼  │
//!   Waiting
//! ```
//! 1 `run` gave a result, or an error that is not `WouldBlock`
//! 2 nothing is known to be possible: the waker is listed by `Ready`
//! 3 an event came
//!
//! Nothing is taken from the kernel but by the poll that returns it, so to drop
//! a leaf loses nothing. The public futures are thin names around it, since a
//! closure's type has none to be written into a struct.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use wakeline_context::Kind;
use wakeline_reactor::{Direction, Done, Ready, Source};

/// What a leaf tries when it is worth it.
pub(crate) trait Operation: Unpin {
    type Output;

    /// The result, if it needs no call: a read into nothing is nothing.
    fn at_once(&mut self) -> Option<Self::Output> {
        None
    }

    /// Tries it, without blocking.
    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<Self::Output>>;
}

/// See the module's story.
pub(crate) struct Leaf<'a, O> {
    ready: Ready<'a>,
    op: O,
}

impl<'a, O: Operation> Leaf<'a, O> {
    #[inline]
    pub(crate) fn new(
        source: &'a Source,
        direction: Direction,
        kind: Kind,
        location: &'static Location<'static>,
        op: O,
    ) -> Leaf<'a, O> {
        Leaf {
            ready: source.ready(direction, kind, location),
            op,
        }
    }

    /// The operation, to be changed before it is tried.
    pub(crate) fn op_mut(&mut self) -> &mut O {
        &mut self.op
    }
}

impl<O: Operation> Future for Leaf<'_, O> {
    type Output = io::Result<O::Output>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Leaf { ready, op, .. } = &mut *self;
        if let Some(output) = op.at_once() {
            return Poll::Ready(Ok(output));
        }
        ready.poll_io(cx, |fd| op.run(fd))
    }
}

impl<O> fmt::Debug for Leaf<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf")
            .field("ready", &self.ready)
            .finish_non_exhaustive()
    }
}

/// Tries now, also when nothing is known about the source yet.
///
/// A source learns of events only after its first wait, so asking its readiness
/// alone would refuse data that is there. If it is known to be ready, the try
/// goes through it, so that a `WouldBlock` is noted for the next wait.
pub(crate) fn try_now<T>(
    source: &Source,
    direction: Direction,
    mut op: impl FnMut(BorrowedFd<'_>) -> io::Result<Done<T>>,
) -> io::Result<T> {
    use std::os::fd::AsFd;
    let mut tried = false;
    let result = source.try_io(direction, |fd| {
        tried = true;
        op(fd)
    });
    if tried {
        return result;
    }
    match op(source.as_fd())? {
        Done::Full(value) | Done::Short(value) => Ok(value),
    }
}

/// Gives a leaf's operation a public name.
macro_rules! named_future {
    ($(#[$meta:meta])* $name:ident, $op:ty, $output:ty) => {
        $(#[$meta])*
        #[derive(Debug)]
        #[must_use = "futures do nothing unless awaited"]
        pub struct $name<'a>(pub(crate) $crate::leaf::Leaf<'a, $op>);

        impl Future for $name<'_> {
            type Output = std::io::Result<$output>;

            #[inline]
            fn poll(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Self::Output> {
                std::pin::Pin::new(&mut self.0).poll(cx)
            }
        }
    };
}
pub(crate) use named_future;
