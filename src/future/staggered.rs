//! `staggered`: attempts that start one after the other and then race.
//!
//! ```text
//!            ┌───────────── 2, 3 ─────────────┐
//!            ▼                                │
//!   ──1──▶ start the next ──▶ wait for: a success, a failure, the delay
//!            │                                │
//!            └─4─▶ none is left, wait for     └──5──▶ over
//!                  those that run ──5, 6──▶ over
//! ```
//! 1 the first poll
//! 2 the youngest attempt has run for the delay; it goes on
//! 3 an attempt has failed: its error is kept, and the next one starts at once
//! 4 no further attempt, no delay
//! 5 an attempt has succeeded: the others are dropped
//! 6 the last one has failed
//!
//! `wakeline::net` connects in this shape (RFC 8305, "happy eyeballs").

use std::fmt;
use std::future::Future;
use std::iter::Fuse;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use wakeline_context::budget;

use super::group::Group;
use crate::time::{Sleep, sleep};

/// Starts one attempt after the other until one has succeeded.
///
/// The next attempt starts when the youngest one has run for `delay`, or as soon
/// as one fails; those that run go on beside it. With a delay of `None` it starts
/// at a failure only; of zero, after one turn of the others. An attempt is taken
/// from the iterator when it starts.
///
/// The outcome tells the winner with its index, and the errors of the losers that
/// had failed by then. The attempts that still ran are dropped before.
///
/// # Panics
///
/// The panic of an attempt goes on here. Polling it panics on a thread where no
/// runtime is, once there is a delay to wait for.
///
/// # Cancellation
///
/// Dropping it drops the attempts that run; those not started are not started.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline::future::staggered;
///
/// async fn connect(address: &str) -> Result<String, &'static str> {
///     match address {
///         "refused" => Err("connection refused"),
///         "silent" => std::future::pending().await,
///         _ => Ok(format!("connected to {address}")),
///     }
/// }
/// wakeline::block_on(async {
///     let delay = Duration::from_millis(1);
///     let outcome = staggered(delay, ["silent", "refused", "third", "fourth"].map(connect)).await;
///     assert_eq!(outcome.winner, Some((2, "connected to third".to_owned())));
///     assert_eq!(outcome.errors, [(1, "connection refused")]);
/// });
/// ```
#[track_caller]
pub fn staggered<I, T, E>(
    delay: impl Into<Option<Duration>>,
    attempts: I,
) -> Staggered<I::IntoIter, <I::Item as IntoFuture>::IntoFuture, E>
where
    I: IntoIterator,
    I::Item: IntoFuture<Output = Result<T, E>>,
{
    Staggered {
        attempts: attempts.into_iter().fuse(),
        delay: delay.into(),
        // Another takes its place when an attempt starts.
        timer: sleep(Duration::MAX),
        timing: false,
        group: Group::new(),
        started: 0,
        next: Next::Now,
        errors: Vec::new(),
        location: Location::caller(),
    }
}

/// What became of the attempts of [`staggered`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome<T, E> {
    /// The index and the value of the first attempt that succeeded; none if all
    /// failed, or if there was none.
    pub winner: Option<(usize, T)>,
    /// The index and the error of each attempt that had failed, in the order in
    /// which they did.
    pub errors: Vec<(usize, E)>,
}

/// The future of [`staggered`].
#[must_use = "no attempt is started until this is awaited"]
pub struct Staggered<I, F, E> {
    attempts: Fuse<I>,
    delay: Option<Duration>,
    timer: Sleep,
    /// Whether the timer says when the next attempt starts.
    timing: bool,
    group: Group<F>,
    started: usize,
    next: Next,
    errors: Vec<(usize, E)>,
    location: &'static Location<'static>,
}

/// When the next attempt starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Now,
    /// After the delay, or at a failure.
    Later,
    /// There is none.
    Never,
}

impl<I, F, E> Unpin for Staggered<I, F, E> {}

impl<I, F, E> Staggered<I, F, E>
where
    I: Iterator,
    I::Item: IntoFuture<IntoFuture = F>,
{
    /// Edges 1 to 4.
    fn start_next(&mut self) {
        self.timing = false;
        let Some(attempt) = self.attempts.next() else {
            self.next = Next::Never;
            return;
        };
        self.group.insert(self.started, attempt.into_future());
        self.started += 1;
        self.next = Next::Later;
        if let Some(delay) = self.delay {
            self.timer = sleep(delay).with_location(self.location);
            self.timing = true;
        }
    }
}

impl<I, F, T, E> Future for Staggered<I, F, E>
where
    I: Iterator,
    I::Item: IntoFuture<IntoFuture = F>,
    F: Future<Output = Result<T, E>>,
{
    type Output = Outcome<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            if this.next == Next::Now {
                this.start_next();
            }
            match this.group.poll_next(cx) {
                Poll::Ready(Some((index, Ok(value)))) => {
                    return Poll::Ready(this.outcome(Some((index, value))));
                }
                Poll::Ready(Some((index, Err(error)))) => {
                    this.errors.push((index, error));
                    if this.next == Next::Later {
                        this.next = Next::Now;
                    }
                    continue;
                }
                // None runs: another starts, or it is over.
                Poll::Ready(None) if this.next == Next::Never => {
                    return Poll::Ready(this.outcome(None));
                }
                Poll::Ready(None) => {
                    this.next = Next::Now;
                    continue;
                }
                Poll::Pending => {}
            }
            // Outside of the budget: attempts that use it up must not keep the
            // next one from its start.
            let timer = Pin::new(&mut this.timer);
            if !this.timing || budget::unlimited(|| timer.poll(cx)).is_pending() {
                return Poll::Pending;
            }
            this.next = Next::Now;
        }
    }
}

impl<I, F, E> Staggered<I, F, E> {
    /// Edges 5 and 6.
    fn outcome<T>(&mut self, winner: Option<(usize, T)>) -> Outcome<T, E> {
        self.group.end();
        Outcome {
            winner,
            errors: std::mem::take(&mut self.errors),
        }
    }
}

impl<I, F, E> fmt::Debug for Staggered<I, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staggered")
            .field("started", &self.started)
            .field("failed", &self.errors.len())
            .finish_non_exhaustive()
    }
}
