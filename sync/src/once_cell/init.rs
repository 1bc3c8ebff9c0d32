//! The futures that make the value, or wait for whoever does.
//!
//! ```text
//!   Waiting ──1──▶ Making ──2──▶ Done
//!      └───────────3─────────────▲
//! ```
//! 1 the permit is ours: `init` is called, and what it gives is put in a box, so
//!   that this future may be moved; one allocation for a cell, as a rule
//! 2 it is ready. If it panics or fails, it is dropped and then the permit, at
//!   once: who waits need not wait until this future is gone, too
//! 3 the value is there

use super::OnceCell;
use crate::semaphore::{Acquire, Permit};
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future of [`OnceCell::get_or_init`].
#[must_use = "the value is only made or waited for when this is awaited"]
pub struct GetOrInit<'a, T, F, Fut> {
    making: Making<'a, T, F, Fut>,
}

/// The future of [`OnceCell::get_or_try_init`].
#[must_use = "the value is only made or waited for when this is awaited"]
pub struct GetOrTryInit<'a, T, F, Fut> {
    making: Making<'a, T, F, Fut>,
}

struct Making<'a, T, F, Fut> {
    cell: &'a OnceCell<T>,
    state: State<'a, F, Fut>,
    location: &'static Location<'static>,
}

enum State<'a, F, Fut> {
    Waiting(Acquire<'a>, F),
    Making(Attempt<'a, Fut>),
    Done,
}

struct Attempt<'a, Fut> {
    // In this order: the future is gone before the next one may begin.
    future: Pin<Box<Fut>>,
    permit: Permit<'a>,
}

impl<'a, T, F, Fut> Making<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    fn new(
        cell: &'a OnceCell<T>,
        init: F,
        location: &'static Location<'static>,
    ) -> Making<'a, T, F, Fut> {
        Making {
            cell,
            state: State::Waiting(Acquire::new(&cell.making, 1, location), init),
            location,
        }
    }

    /// `value` tells what the future gave: the value, or why there is none.
    fn poll<E>(
        &mut self,
        cx: &mut Context<'_>,
        value: impl FnOnce(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<&'a T, E>> {
        // Whatever panics below does so in a local, which is dropped at once.
        let mut attempt = match mem::replace(&mut self.state, State::Done) {
            State::Waiting(mut acquire, init) => match Pin::new(&mut acquire).poll(cx) {
                Poll::Pending => {
                    self.state = State::Waiting(acquire, init);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(permit)) => Attempt::begin(init, permit),
                Poll::Ready(Err(_)) => {
                    let value = self.cell.get();
                    return Poll::Ready(Ok(value.expect("it is closed after it is filled")));
                }
            },
            State::Making(attempt) => attempt,
            State::Done => panic!(
                "the initialisation at {} was polled after its end",
                self.location
            ),
        };
        let Poll::Ready(output) = attempt.future.as_mut().poll(cx) else {
            self.state = State::Making(attempt);
            return Poll::Pending;
        };
        let Attempt { future, permit } = attempt;
        drop(future);
        Poll::Ready(match value(output) {
            Ok(value) => Ok(self.cell.fill(value, permit)),
            Err(error) => {
                drop(permit); // to the next in the queue
                Err(error)
            }
        })
    }
}

impl<'a, Fut: Future> Attempt<'a, Fut> {
    fn begin(init: impl FnOnce() -> Fut, permit: Permit<'a>) -> Attempt<'a, Fut> {
        Attempt {
            future: Box::pin(init()),
            permit,
        }
    }
}

// `F` is called and never pinned, and what it gives is in a box.
impl<T, F, Fut> Unpin for Making<'_, T, F, Fut> {}

impl<'a, T, F, Fut> GetOrInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    pub(super) fn new(
        cell: &'a OnceCell<T>,
        init: F,
        location: &'static Location<'static>,
    ) -> GetOrInit<'a, T, F, Fut> {
        GetOrInit {
            making: Making::new(cell, init, location),
        }
    }
}

impl<'a, T, F, Fut> GetOrTryInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    pub(super) fn new(
        cell: &'a OnceCell<T>,
        init: F,
        location: &'static Location<'static>,
    ) -> GetOrTryInit<'a, T, F, Fut> {
        GetOrTryInit {
            making: Making::new(cell, init, location),
        }
    }
}

impl<'a, T, F, Fut> Future for GetOrInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    type Output = &'a T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        self.making
            .poll(cx, Ok::<T, Infallible>)
            .map(|Ok(value)| value)
    }
}

impl<'a, T, E, F, Fut> Future for GetOrTryInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Output = Result<&'a T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.making.poll(cx, |result| result)
    }
}

impl<T, F, Fut> fmt::Debug for Making<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Waiting(..) => "Waiting",
            State::Making(_) => "Making",
            State::Done => "Done",
        };
        write!(f, "{state} at {}", self.location)
    }
}

impl<T, F, Fut> fmt::Debug for GetOrInit<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GetOrInit").field(&self.making).finish()
    }
}

impl<T, F, Fut> fmt::Debug for GetOrTryInit<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GetOrTryInit").field(&self.making).finish()
    }
}
