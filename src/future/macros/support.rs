//! What the macros' code calls. Not for use by hand.

#![allow(missing_docs, reason = "no part of the interface")]

pub use std::future::{IntoFuture, poll_fn};
pub use std::pin::pin;
pub use std::task::Poll;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, ready};

use wakeline_context::{budget, chance};

/// The output of one branch of several: of this one, or of a later one.
#[derive(Debug)]
pub enum Branch<T, Later> {
    This(T),
    Later(Later),
}

/// The output when every branch is disabled.
#[derive(Debug)]
pub struct AllDisabled;

/// Which branch is polled first.
#[inline]
#[must_use]
pub fn drawn(branches: usize) -> usize {
    chance::below(branches)
}

/// Pending, and woken, if this poll has used up its budget.
#[inline]
pub fn poll_budget(cx: &mut Context<'_>) -> Poll<()> {
    // Given back at once, and not when the branches are pending: they may have
    // spent some, which a later refund would undo.
    ready!(budget::poll_proceed(cx)).refund();
    Poll::Ready(())
}

/// Counts a finished branch: one that never asks for budget must not keep a
/// loop around the `select!` in one poll for ever.
#[inline]
pub fn spend(cx: &mut Context<'_>) {
    if !budget::is_spent()
        && let Poll::Ready(unit) = budget::poll_proceed(cx)
    {
        unit.spend();
    }
}

/// # Panics
///
/// Always, with advice.
#[cold]
#[track_caller]
pub fn all_disabled() -> ! {
    panic!(
        "every branch of the `select!` is disabled: \
         add `else => ..` for the case that no pattern matches and no condition holds"
    )
}

pin_project_lite::pin_project! {
    /// A branch of a join: a future, then its output.
    #[project = JoinedProjection]
    pub enum Joined<F: Future> {
        Runs {
            #[pin]
            future: F,
        },
        Done {
            output: Option<F::Output>,
        },
    }
}

impl<F: Future> Joined<F> {
    #[inline]
    pub fn new(future: F) -> Joined<F> {
        Joined::Runs { future }
    }

    /// Whether it is done; polls it if it is not.
    #[inline]
    fn poll_done(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        let output = match self.as_mut().project() {
            JoinedProjection::Runs { future } => match future.poll(cx) {
                Poll::Ready(output) => output,
                Poll::Pending => return false,
            },
            JoinedProjection::Done { .. } => return true,
        };
        // The future is dropped here: what it held is free, though others go on.
        self.set(Joined::Done {
            output: Some(output),
        });
        true
    }

    fn output(self: Pin<&mut Self>) -> Option<&mut Option<F::Output>> {
        match self.project() {
            JoinedProjection::Runs { .. } => None,
            JoinedProjection::Done { output } => Some(output),
        }
    }

    /// # Panics
    ///
    /// If there is no output, or no longer.
    #[inline]
    #[must_use]
    pub fn take(self: Pin<&mut Self>) -> F::Output {
        self.output()
            .and_then(Option::take)
            .expect("a join is over when each branch has an output")
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Joined<F> {
    #[inline]
    fn take_error(self: Pin<&mut Self>) -> Option<E> {
        let output = self.output()?;
        match output.take_if(|output| output.is_err()) {
            Some(Err(error)) => Some(error),
            _ => None,
        }
    }

    /// # Panics
    ///
    /// If there is no value.
    #[inline]
    #[must_use]
    pub fn take_ok(self: Pin<&mut Self>) -> T {
        match self.take() {
            Ok(value) => value,
            Err(_) => unreachable!("an error ends a try_join as soon as it is there"),
        }
    }
}

impl<F: Future> fmt::Debug for Joined<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Joined::Runs { .. } => "Runs",
            Joined::Done { .. } => "Done",
        })
    }
}

/// Branches in nested pairs, as a number.
pub trait Count {
    const COUNT: usize;
}

impl Count for () {
    const COUNT: usize = 0;
}

impl<F, R: Count> Count for (F, R) {
    const COUNT: usize = 1 + R::COUNT;
}

/// Branches of a join, in nested pairs.
pub trait Join: Count {
    /// Polls the branches from the `skip`-th on, at most `count` of them;
    /// whether all of those are done.
    fn poll_some(&mut self, cx: &mut Context<'_>, skip: usize, count: usize) -> bool;

    /// Polls all, beginning with the `first`-th.
    #[inline]
    fn poll_from(&mut self, cx: &mut Context<'_>, first: usize) -> Poll<()> {
        let end = self.poll_some(cx, first, Self::COUNT - first);
        let beginning = self.poll_some(cx, 0, first);
        if end && beginning {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Join for () {
    #[inline]
    fn poll_some(&mut self, _: &mut Context<'_>, _: usize, _: usize) -> bool {
        true
    }
}

impl<F: Future, R: Join> Join for (Pin<&mut Joined<F>>, R) {
    #[inline]
    fn poll_some(&mut self, cx: &mut Context<'_>, skip: usize, count: usize) -> bool {
        if count == 0 {
            return true;
        }
        if skip > 0 {
            return self.1.poll_some(cx, skip - 1, count);
        }
        let first = self.0.as_mut().poll_done(cx);
        self.1.poll_some(cx, 0, count - 1) && first
    }
}

/// Branches of a join that ends with the first error, in nested pairs.
pub trait TryJoin<E>: Count {
    /// As [`Join::poll_some`]; stops at an error.
    ///
    /// # Errors
    ///
    /// That of the first branch in this order that has one.
    fn poll_some(&mut self, cx: &mut Context<'_>, skip: usize, count: usize) -> Result<bool, E>;

    /// Polls all, beginning with the `first`-th, until one has failed.
    ///
    /// # Errors
    ///
    /// That of the branch that has failed.
    #[inline]
    fn poll_from(&mut self, cx: &mut Context<'_>, first: usize) -> Poll<Result<(), E>> {
        let end = self.poll_some(cx, first, Self::COUNT - first)?;
        let beginning = self.poll_some(cx, 0, first)?;
        if end && beginning {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }
}

impl<E> TryJoin<E> for () {
    #[inline]
    fn poll_some(&mut self, _: &mut Context<'_>, _: usize, _: usize) -> Result<bool, E> {
        Ok(true)
    }
}

impl<F, T, E, R> TryJoin<E> for (Pin<&mut Joined<F>>, R)
where
    F: Future<Output = Result<T, E>>,
    R: TryJoin<E>,
{
    #[inline]
    fn poll_some(&mut self, cx: &mut Context<'_>, skip: usize, count: usize) -> Result<bool, E> {
        if count == 0 {
            return Ok(true);
        }
        if skip > 0 {
            return self.1.poll_some(cx, skip - 1, count);
        }
        let first = self.0.as_mut().poll_done(cx);
        if first && let Some(error) = self.0.as_mut().take_error() {
            return Err(error);
        }
        Ok(self.1.poll_some(cx, 0, count - 1)? && first)
    }
}

/// The order of polls of a join: each poll begins one branch later.
#[derive(Debug, Default)]
pub struct Rotation {
    first: usize,
}

impl Rotation {
    #[inline]
    pub fn next(&mut self, branches: usize) -> usize {
        let first = self.first;
        self.first = if first + 1 < branches { first + 1 } else { 0 };
        first
    }
}

/// How many branches these are.
#[inline]
#[must_use]
pub fn count<B: Count>(_: &B) -> usize {
    B::COUNT
}

#[inline]
pub fn join<B: Join>(branches: &mut B, cx: &mut Context<'_>, first: usize) -> Poll<()> {
    branches.poll_from(cx, first)
}

/// # Errors
///
/// That of the branch that has failed.
#[inline]
pub fn try_join<B: TryJoin<E>, E>(
    branches: &mut B,
    cx: &mut Context<'_>,
    first: usize,
) -> Poll<Result<(), E>> {
    branches.poll_from(cx, first)
}
