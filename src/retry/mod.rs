//! `retry`: an operation that may fail is tried again, later and later.
//!
//! ```text
//!            ┌────────────── 3 ───────────────┐
//!            ▼                                │
//!   new ─1─▶ Trying ──2──▶ failed ──4──▶ Waiting
//!            │               │                │
//!            5               6                7
//!            ▼               ▼                ▼
//!           Ok(value)     Err(last error, attempts, why)
//! ```
//! 1 the first poll makes the first attempt
//! 2 an attempt returned an error
//! 3 the delay is over
//! 4 the error can be mended, and the next attempt is allowed and not too late
//! 5 an attempt succeeded
//! 6 the error cannot be mended, or it was the last attempt, or what surrounds
//!   the call is cancelled: a cancel is never tried again
//! 7 what surrounds the call is cancelled: the wait ends at once
//!
//! Dropping the future ends it at any point, as everywhere. `schedule.rs` says
//! when the next attempt is due.

mod error;
mod schedule;

pub use error::RetryError;
pub use schedule::{GaveUp, Jitter, Retry};

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use pin_project_lite::pin_project;
use wakeline_context::{Cause, Kind, Reason, waiting_on};
use wakeline_reactor::time::{self, Sleep, sleep_until};

use crate::cancel::{UntilCancelled, current_deadline, current_token};
use schedule::Schedule;

/// Calls `op` and awaits its future, and does that again, as `policy` says,
/// while it fails.
///
/// The deadline and the cancel of the [current token](crate::current_token) end
/// it, too: no further attempt is begun after them, and a delay ends at once. The
/// first attempt is always made, as without it there would be no error to give.
///
/// # Errors
///
/// [`RetryError`] holds the last error, and tells how many attempts there were
/// and why there was no further one.
///
/// # Panics
///
/// Polling it panics on a thread where no runtime is.
///
/// # Cancellation
///
/// Dropping the future drops the attempt under way, or ends the delay.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline::retry;
/// use wakeline::retry::Retry;
///
/// let mut calls = 0;
/// let policy = Retry::exponential(Duration::from_millis(1)).attempts(5);
/// let answer = wakeline::block_on(retry(policy, || {
///     calls += 1;
///     let call = calls;
///     async move { if call < 3 { Err("busy") } else { Ok(42) } }
/// }));
/// assert_eq!(answer, Ok(42));
/// assert_eq!(calls, 3);
/// ```
#[track_caller]
pub fn retry<F, Fut, T, E>(policy: Retry, op: F) -> Retrying<F, Fut, E, fn(&E) -> bool>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    Retrying {
        op,
        retryable: |_| true,
        policy: Some(policy),
        schedule: None,
        state: State::New,
        location: Location::caller(),
    }
}

pin_project! {
    /// The future of [`retry`].
    #[must_use = "nothing is tried until this is awaited"]
    pub struct Retrying<F, Fut, E, W> {
        op: F,
        retryable: W,
        // Until the first poll, with which its time begins.
        policy: Option<Retry>,
        schedule: Option<Schedule>,
        #[pin]
        state: State<Fut, E>,
        location: &'static Location<'static>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<Fut, E> {
        New,
        Trying {
            #[pin]
            attempt: Fut,
        },
        Waiting {
            // Of the last attempt; taken when this ends.
            error: Option<E>,
            // `None` is never.
            delay: Option<Sleep>,
            cancelled: UntilCancelled,
        },
        Done,
    }
}

impl<F, Fut, E, W> Retrying<F, Fut, E, W> {
    /// Tries again only after errors of which `retryable` says so.
    ///
    /// # Example
    ///
    /// ```
    /// use std::io;
    /// use std::time::Duration;
    /// use wakeline::retry;
    /// use wakeline::retry::{GaveUp, Retry};
    ///
    /// let read = retry(Retry::fixed(Duration::from_millis(1)), || async {
    ///     Err::<(), _>(io::Error::from(io::ErrorKind::NotFound))
    /// })
    /// .when(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    /// let error = wakeline::block_on(read).unwrap_err();
    /// assert_eq!(error.why(), &GaveUp::NotRetryable);
    /// ```
    pub fn when<V: FnMut(&E) -> bool>(self, retryable: V) -> Retrying<F, Fut, E, V> {
        Retrying {
            op: self.op,
            retryable,
            policy: self.policy,
            schedule: self.schedule,
            state: self.state,
            location: self.location,
        }
    }
}

/// When the next attempt is due after this error, or why there is none.
fn next<E>(
    error: &E,
    retryable: &mut impl FnMut(&E) -> bool,
    schedule: &mut Schedule,
) -> Result<Option<Instant>, GaveUp> {
    // Before the error is asked about: it may be how the cancel shows.
    if let Some(reason) = current_token().reason() {
        return Err(cancelled(reason));
    }
    if !retryable(error) {
        return Err(GaveUp::NotRetryable);
    }
    schedule.next(time::now(), current_deadline())
}

fn cancelled(reason: Reason) -> GaveUp {
    match reason.cause() {
        Cause::Deadline => GaveUp::Deadline,
        _ => GaveUp::Cancelled(reason),
    }
}

impl<F, Fut, T, E, W> Future for Retrying<F, Fut, E, W>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
    W: FnMut(&E) -> bool,
{
    type Output = Result<T, RetryError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let (error, next) = match this.state.as_mut().project() {
                StateProj::New => {
                    let policy = this
                        .policy
                        .take()
                        .unwrap_or_else(|| unreachable!("New twice"));
                    this.schedule
                        .insert(Schedule::new(policy, time::now()))
                        .begin();
                    this.state.set(State::Done); // for good, if `op` panics
                    let attempt = (this.op)();
                    this.state.set(State::Trying { attempt });
                    continue;
                }
                StateProj::Trying { attempt } => match ready!(attempt.poll(cx)) {
                    Ok(value) => {
                        this.state.set(State::Done);
                        return Poll::Ready(Ok(value));
                    }
                    Err(error) => {
                        this.state.set(State::Done); // what the attempt held is free now
                        let schedule = schedule(this.schedule);
                        let next = next(&error, this.retryable, schedule);
                        (error, next)
                    }
                },
                StateProj::Waiting {
                    error,
                    delay,
                    cancelled: until,
                } => {
                    // First: what is cancelled begins nothing anew, also if it could.
                    if let Poll::Ready(reason) = until.poll_unlimited(cx) {
                        let error = error.take().unwrap_or_else(|| unreachable!("taken twice"));
                        (error, Err(cancelled(reason)))
                    } else if delay
                        .as_mut()
                        .is_none_or(|delay| Pin::new(delay).poll(cx).is_pending())
                    {
                        waiting_on(Kind::Timer, 0, this.location);
                        return Poll::Pending;
                    } else {
                        schedule(this.schedule).begin();
                        this.state.set(State::Done);
                        let attempt = (this.op)();
                        this.state.set(State::Trying { attempt });
                        continue;
                    }
                }
                StateProj::Done => panic!(
                    "the retry made at {} was polled after its end",
                    this.location
                ),
            };
            match next {
                Ok(due) => {
                    let location = *this.location;
                    let token = current_token();
                    this.state.set(State::Waiting {
                        error: Some(error),
                        delay: due.map(|due| sleep_until(due).with_location(location)),
                        cancelled: UntilCancelled::new(token.node().clone(), location),
                    });
                }
                Err(why) => {
                    this.state.set(State::Done);
                    let attempts = schedule(this.schedule).made();
                    return Poll::Ready(Err(RetryError {
                        error,
                        attempts,
                        why,
                    }));
                }
            }
        }
    }
}

fn schedule(schedule: &mut Option<Schedule>) -> &mut Schedule {
    schedule
        .as_mut()
        .unwrap_or_else(|| unreachable!("the first attempt makes it"))
}

impl<F, Fut, E, W> fmt::Debug for Retrying<F, Fut, E, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retrying")
            .field("schedule", &self.schedule)
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}
