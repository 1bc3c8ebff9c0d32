//! `wait`: the tasks of a set that have ended by some moment.
//!
//! ```text
//!   ──1──▶ Waits ──2──▶ Waits …  ──3──▶ over: everything that has ended is given
//!            └──────────4──────────▶ given up: everything taken is put back
//! ```
//! 1 the first poll; the limit starts to run
//! 2 tasks have ended, and `When` asks for more: their results are kept
//! 3 `When` is satisfied, the set has no task left, or the limit has passed
//! 4 the future is dropped: the set is as if nobody had waited

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use wakeline_context::budget;

use crate::join_set::Ended;
use crate::task::Id;
use crate::time::{Sleep, sleep};
use crate::{JoinError, JoinSet};

/// What a [`wait`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// Any task has ended.
    FirstCompleted,
    /// A task has failed, or all have ended. A cancelled task has not failed.
    FirstError,
    /// All have ended.
    All,
}

/// What a [`wait`] has found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Wait<T> {
    /// The tasks that have ended, in that order; they are in the set no longer.
    pub done: Vec<(Id, Result<T, JoinError>)>,
    /// How many tasks go on, in the set.
    pub pending: usize,
}

/// Waits until some or all tasks of a set have ended, or for as long as `limit`.
///
/// It gives everything that has ended by then, which may be more than was waited
/// for. It never fails: when the limit passes, it gives what there is. The
/// others are not cancelled; they stay in the set and go on.
///
/// With [`When::FirstError`] a task has failed if it panicked. What it returned
/// is a value here; [`try_wait`] knows a `Result`.
///
/// Of an empty set there is nothing to wait for, and it is over at once. With a
/// limit of zero it gives what has ended by now.
///
/// # Panics
///
/// Polling it panics on a thread where no runtime is, once there is a limit to
/// wait for.
///
/// # Cancellation
///
/// Dropping the future loses nothing: tasks go on, and results it has seen are in
/// the set again, first in order.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline::{JoinSet, future::{When, wait}};
///
/// wakeline::block_on(async {
///     let mut set = JoinSet::new();
///     set.spawn(async { "quick" });
///     set.spawn(std::future::pending());
///     let waited = wait(&mut set, When::FirstCompleted, None).await;
///     assert_eq!(waited.done[0].1.as_ref().ok(), Some(&"quick"));
///
///     let waited = wait(&mut set, When::All, Duration::from_millis(1)).await;
///     assert!(waited.done.is_empty());
///     assert_eq!((waited.pending, set.len()), (1, 1));
/// });
/// ```
#[track_caller]
pub fn wait<T>(
    set: &mut JoinSet<T>,
    when: When,
    limit: impl Into<Option<Duration>>,
) -> WaitFor<'_, T> {
    WaitFor::new(set, when, limit.into(), |result| {
        result.as_ref().is_err_and(|error| !error.is_cancelled())
    })
}

/// [`wait`] for tasks that return a `Result`: with [`When::FirstError`] one that
/// returned an `Err` has failed too.
///
/// # Panics
///
/// As [`wait`].
///
/// # Cancellation
///
/// Dropping the future loses nothing, as with [`wait`].
///
/// # Example
///
/// ```
/// use wakeline::{JoinSet, future::{When, try_wait}};
///
/// wakeline::block_on(async {
///     let mut set = JoinSet::new();
///     set.spawn(std::future::pending());
///     set.spawn(async { Ok(1) });
///     set.spawn(async { Err("failed") });
///     let waited = try_wait(&mut set, When::FirstError, None).await;
///     assert!(waited.done.iter().any(|(_, result)| matches!(result, Ok(Err("failed")))));
/// });
/// ```
#[track_caller]
pub fn try_wait<T, E>(
    set: &mut JoinSet<Result<T, E>>,
    when: When,
    limit: impl Into<Option<Duration>>,
) -> WaitFor<'_, Result<T, E>> {
    WaitFor::new(set, when, limit.into(), |result| match result {
        Ok(returned) => returned.is_err(),
        Err(error) => !error.is_cancelled(),
    })
}

/// The future of [`wait`] and [`try_wait`].
#[must_use = "it waits only while it is awaited"]
pub struct WaitFor<'a, T> {
    set: &'a mut JoinSet<T>,
    when: When,
    limit: Option<Duration>,
    /// Runs from the first poll that has to wait.
    timer: Option<Sleep>,
    end: budget::GiveUp,
    is_error: fn(&Result<T, JoinError>) -> bool,
    /// Taken from the set, and put back if nobody is told.
    ended: Vec<Ended<T>>,
    failed: bool,
    location: &'static Location<'static>,
}

impl<'a, T> WaitFor<'a, T> {
    #[track_caller]
    fn new(
        set: &'a mut JoinSet<T>,
        when: When,
        limit: Option<Duration>,
        is_error: fn(&Result<T, JoinError>) -> bool,
    ) -> WaitFor<'a, T> {
        WaitFor {
            set,
            when,
            limit,
            timer: None,
            end: budget::GiveUp::default(),
            is_error,
            ended: Vec::new(),
            failed: false,
            location: Location::caller(),
        }
    }

    fn keep(&mut self, ended: Ended<T>) {
        self.failed |= (self.is_error)(&ended.result);
        self.ended.push(ended);
    }

    /// Takes what has ended by now.
    fn collect(&mut self) {
        while let Some(ended) = self.set.try_take() {
            self.keep(ended);
        }
    }

    fn is_over(&self) -> bool {
        self.set.is_empty()
            || match self.when {
                When::FirstCompleted => !self.ended.is_empty(),
                When::FirstError => self.failed,
                When::All => false,
            }
    }

    fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.limit {
            None => Poll::Pending,
            Some(Duration::ZERO) => Poll::Ready(()),
            Some(limit) => {
                let location = self.location;
                let timer = self
                    .timer
                    .get_or_insert_with(|| sleep(limit).with_location(location));
                // Outside of the budget, as the timer of a timeout.
                budget::unlimited(|| Pin::new(timer).poll(cx))
            }
        }
    }

    fn found(&mut self) -> Wait<T> {
        let done = std::mem::take(&mut self.ended).into_iter();
        Wait {
            done: done.map(|ended| (ended.id, ended.result)).collect(),
            pending: self.set.len(),
        }
    }
}

impl<T> Unpin for WaitFor<'_, T> {}

impl<T> Future for WaitFor<'_, T> {
    type Output = Wait<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Wait<T>> {
        let this = &mut *self;
        loop {
            this.collect();
            if this.is_over() {
                super::__support::spend(cx);
                return Poll::Ready(this.found());
            }
            match this.set.poll_take(cx, this.location) {
                Poll::Ready(Some(ended)) => this.keep(ended),
                // It was not empty, and nobody else takes from it.
                Poll::Ready(None) => unreachable!("a set that has tasks gives one or waits"),
                Poll::Pending => break,
            }
        }
        if this.poll_limit(cx).is_ready() && this.end.poll(cx).is_ready() {
            this.collect();
            return Poll::Ready(this.found());
        }
        Poll::Pending
    }
}

impl<T> Drop for WaitFor<'_, T> {
    fn drop(&mut self) {
        self.set.put_back(std::mem::take(&mut self.ended));
    }
}

impl<T> fmt::Debug for WaitFor<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFor")
            .field("when", &self.when)
            .field("limit", &self.limit)
            .field("set", &self.set)
            .finish_non_exhaustive()
    }
}
