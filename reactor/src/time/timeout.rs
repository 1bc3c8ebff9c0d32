//! `Timeout`: a future with a limit.
//!
//! ```text
//!   Before ──1──▶ During ──3──▶ After
//!     └───────────2───────────────▲
//! ```
//! 1 the inner future's first `Pending`: the clock is read and the limit starts to run
//! 2 the inner future was ready at once: the clock was never read; or the limit had passed by then
//! 3 the inner future was ready, or the limit passed and it was dropped
//!
//! In each poll the inner future comes first, so a value that is there wins
//! over a limit that has passed. The timer is then looked at outside of the
//! budget of the poll: an inner future that used it up must not thereby escape
//! its limit. But one that was pending for want of budget gets one poll more
//! (`budget::GiveUp`), as it may have what it is awaited for.

use super::timer::Timer;
use pin_project_lite::pin_project;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use wakeline_context::budget;

/// Runs `future`, but not for longer than `limit`; `None` is no limit.
///
/// The limit counts from the first poll that found the future pending. A
/// future that is ready at once costs no look at the clock, and is ready also
/// with a limit of zero (if the poll's share is used up, it gets another one first). When the limit passes, the future is dropped, and then
/// [`Elapsed`] is returned: this is a hard cancel, at a point where it waited.
///
/// So it returns at the limit, also if what it dropped was a handle: the task
/// of a `JoinHandle` runs on. To wait until everything is really gone, with time
/// to clean up, is what a scope with a deadline does.
///
/// # Nested
///
/// The inner future is asked first, so of two limits that have passed the inner
/// one reports. The code around it then goes on, and the outer limit ends it at
/// its next suspension; if there is none, it is in time. (asyncio and trio let
/// the outer one win.)
///
/// # Errors
///
/// The output is `Err(Elapsed)` if the limit passed first. An error of the
/// future itself comes inside of `Ok`.
///
/// # Panics
///
/// Polling it panics on a thread where no runtime is, once there is something
/// to wait for.
///
/// # Cancellation
///
/// Dropping it drops `future`; what that loses is told there.
///
/// # Example
///
/// ```
/// use std::future::{pending, ready};
/// use std::pin::pin;
/// use std::task::{Context, Poll, Waker};
/// use std::time::Duration;
/// use wakeline_reactor::time::timeout;
///
/// let mut cx = Context::from_waker(Waker::noop());
/// let at_once = pin!(timeout(Duration::ZERO, ready(7)));
/// assert_eq!(at_once.poll(&mut cx), Poll::Ready(Ok(7)));
///
/// let never = pin!(timeout(Duration::ZERO, pending::<()>()));
/// assert!(matches!(never.poll(&mut cx), Poll::Ready(Err(_elapsed))));
/// ```
#[track_caller]
#[inline]
pub fn timeout<F: IntoFuture>(
    limit: impl Into<Option<Duration>>,
    future: F,
) -> Timeout<F::IntoFuture> {
    Timeout::new(
        limit.into().map_or(Limit::Never, Limit::After),
        future.into_future(),
    )
}

/// Runs `future`, but not beyond `deadline`; else like [`timeout`].
///
/// # Errors
///
/// The output is `Err(Elapsed)` if the deadline passed first.
///
/// # Panics
///
/// Polling it panics on a thread where no runtime is, once there is something
/// to wait for.
///
/// # Cancellation
///
/// Dropping it drops `future`; what that loses is told there.
///
/// # Example
///
/// ```
/// use std::future::pending;
/// use std::pin::pin;
/// use std::task::{Context, Waker};
/// use std::time::Instant;
/// use wakeline_reactor::time::timeout_at;
///
/// let late = pin!(timeout_at(Instant::now(), pending::<()>()));
/// assert!(late.poll(&mut Context::from_waker(Waker::noop())).is_ready());
/// ```
#[track_caller]
#[inline]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout::new(Limit::At(deadline), future.into_future())
}

pin_project! {
    /// The future of [`timeout`] and [`timeout_at`].
    #[derive(Debug)]
    #[must_use = "a timeout does nothing until it is awaited"]
    pub struct Timeout<F> {
        // Emptied when the limit passes, so that it is dropped before the
        // caller sees the error.
        #[pin]
        inner: Option<F>,
        limit: Limit,
        timer: Timer,
        end: budget::GiveUp,
    }
}

/// What is still to become a deadline.
#[derive(Clone, Copy, Debug)]
enum Limit {
    Never,
    After(Duration),
    At(Instant),
    /// It runs: the timer has the deadline.
    Running,
}

impl<F> Timeout<F> {
    #[track_caller]
    #[inline]
    fn new(limit: Limit, inner: F) -> Timeout<F> {
        Timeout {
            inner: Some(inner),
            limit,
            timer: Timer::new(None, Location::caller()),
            end: budget::GiveUp::default(),
        }
    }

    /// When the future will be dropped; `None` if never, or if the limit has
    /// not started to run.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.limit {
            Limit::Never | Limit::After(_) => None,
            Limit::At(deadline) => Some(deadline),
            Limit::Running => self.timer.deadline(),
        }
    }

    /// Sets another deadline: earlier, later, or `None` for never.
    ///
    /// If a limit runs, the waiting task will be woken at the new deadline;
    /// else the deadline counts from the next poll on. After the limit has
    /// passed this has no effect: the future is gone.
    ///
    /// # Example
    ///
    /// ```
    /// use std::future::ready;
    /// use std::pin::pin;
    /// use std::time::{Duration, Instant};
    /// use wakeline_reactor::time::timeout;
    ///
    /// let mut limited = pin!(timeout(Duration::from_secs(1), ready(())));
    /// let later = Instant::now() + Duration::from_secs(5);
    /// limited.as_mut().reset(later);
    /// assert_eq!(limited.deadline(), Some(later));
    /// limited.as_mut().reset(None);
    /// assert_eq!(limited.deadline(), None);
    /// ```
    pub fn reset(self: Pin<&mut Self>, deadline: impl Into<Option<Instant>>) {
        let this = self.project();
        if this.inner.is_none() {
            return;
        }
        *this.end = budget::GiveUp::default();
        match deadline.into() {
            // Registered: moved there, so that the waiting task is woken then.
            deadline if this.timer.is_registered() => this.timer.reset(deadline),
            deadline => *this.limit = deadline.map_or(Limit::Never, Limit::At),
        }
    }

    /// The future, unless the limit has passed.
    #[must_use]
    pub fn get_ref(&self) -> Option<&F> {
        self.inner.as_ref()
    }

    /// The future, unless the limit has passed.
    #[must_use]
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Option<Pin<&mut F>> {
        self.project().inner.as_pin_mut()
    }

    /// The future without its limit, unless that has passed.
    #[must_use]
    pub fn into_inner(self) -> Option<F> {
        self.inner
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            panic!(
                "the timeout made at {} was polled after it had elapsed",
                this.timer.location()
            );
        };
        if let Poll::Ready(output) = inner.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        ready!(poll_limit(this.limit, this.timer, cx));
        ready!(this.end.poll(cx));
        // Here, so that what it held is free before the caller sees the error.
        this.inner.set(None);
        Poll::Ready(Err(Elapsed::at(this.timer.location())))
    }
}

/// Ready once the limit has passed; starts it if need be.
#[inline(never)]
fn poll_limit(limit: &mut Limit, timer: &mut Timer, cx: &mut Context<'_>) -> Poll<()> {
    match *limit {
        Limit::Never => return Poll::Pending,
        Limit::Running => {}
        Limit::After(_) | Limit::At(_) => {
            let now = super::now();
            let deadline = match *limit {
                Limit::After(limit) => super::after(now, limit),
                Limit::At(deadline) => Some(deadline),
                Limit::Never | Limit::Running => None,
            };
            *limit = Limit::Running;
            timer.reset(deadline);
            if deadline.is_some_and(|deadline| deadline <= now) {
                timer.expire();
            }
        }
    }
    budget::unlimited(|| timer.poll(cx))
}

/// The limit of a [`Timeout`] passed before its future was ready.
///
/// It says which limit, by its line, and converts into an [`io::Error`] of kind
/// `TimedOut`, so `?` carries it through I/O code.
///
/// # Example
///
/// ```
/// use std::future::pending;
/// use std::io;
/// use std::pin::pin;
/// use std::task::{Context, Poll, Waker};
/// use std::time::Duration;
/// use wakeline_reactor::time::timeout;
///
/// let never = pin!(timeout(Duration::ZERO, pending::<()>()));
/// let Poll::Ready(Err(elapsed)) = never.poll(&mut Context::from_waker(Waker::noop())) else {
///     panic!("a limit of zero on what never comes")
/// };
/// assert_eq!(elapsed.location().file(), file!());
/// assert_eq!(io::Error::from(elapsed).kind(), io::ErrorKind::TimedOut);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Elapsed(&'static Location<'static>);

impl Elapsed {
    /// One of the limit that was set there, for who has limits of its own.
    ///
    /// # Example
    ///
    /// ```
    /// use std::panic::Location;
    /// use wakeline_reactor::time::Elapsed;
    ///
    /// let here = Location::caller();
    /// let elapsed = Elapsed::at(here);
    /// assert_eq!(elapsed.to_string(), format!("the time limit set at {here} passed"));
    /// ```
    #[must_use]
    pub fn at(location: &'static Location<'static>) -> Elapsed {
        Elapsed(location)
    }

    /// Where the limit was set.
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.0
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the time limit set at {} passed", self.0)
    }
}

impl fmt::Debug for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Elapsed({})", self.0)
    }
}

impl Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}
