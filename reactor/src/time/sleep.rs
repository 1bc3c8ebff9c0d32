//! `Sleep`: a future that is done at a moment.
//!
//! It registers at its first poll, in the wheel of the thread that polls it, so
//! making one costs a look at the clock, and one that is never polled costs
//! nothing else. `timer.rs` has the states.

use super::timer::Timer;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use wakeline_context::{Kind, budget, waiting_on};

/// Waits for `duration`.
///
/// Never less. More by up to a tick (1.024 us; 16.384 us where others of the thread are
/// due about the same time), by what the kernel takes to wake the thread, and by as long
/// as other tasks keep the thread busy.
/// `Duration::MAX` waits forever. `Duration::ZERO` yields exactly once: its
/// first poll is pending, its second ready.
///
/// The duration counts from this call, not from the first poll.
///
/// # Panics
///
/// Polling it panics on a thread where no runtime is.
///
/// # Cancellation
///
/// Dropping the future removes the timer at once; nothing is lost.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline_reactor::time;
///
/// async fn a_moment_later() {
///     time::sleep(Duration::from_millis(10)).await;
/// }
/// # let _ = a_moment_later;
/// ```
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    let first = if duration.is_zero() {
        First::Yield
    } else {
        First::Register
    };
    Sleep {
        timer: Timer::new(super::after(super::now(), duration), Location::caller()),
        first,
    }
}

/// Waits until `deadline`; one that has passed yields exactly once.
///
/// # Panics
///
/// Polling it panics on a thread where no runtime is.
///
/// # Cancellation
///
/// Dropping the future removes the timer at once; nothing is lost.
///
/// # Example
///
/// ```
/// use std::time::{Duration, Instant};
/// use wakeline_reactor::time;
///
/// let sleep = time::sleep_until(Instant::now() + Duration::from_secs(3_600));
/// assert!(!sleep.is_elapsed());
/// ```
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep {
        timer: Timer::new(Some(deadline), Location::caller()),
        first: First::Look,
    }
}

/// The future of [`sleep`] and [`sleep_until`].
///
/// It may be moved, polled from one task and then another (the latest is
/// woken), and from one thread and then another. After it was ready it stays
/// ready until it is [reset](Sleep::reset).
#[derive(Debug)]
#[must_use = "a sleep does nothing until it is awaited"]
pub struct Sleep {
    timer: Timer,
    first: First,
}

/// What the next poll has to see to before the wheel is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// A zero sleep: give way to others once.
    Yield,
    /// A moment that may have passed: look at the clock; if so, give way once.
    Look,
    /// A new deadline after a reset: look at the clock; if past, be ready.
    LookAgain,
    /// Nothing.
    Register,
}

impl Sleep {
    /// When it will be done; `None` is never, beyond what the clock can tell.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.timer.deadline()
    }

    /// Made at `location`, for what sleeps in the name of a user: a dump and a panic
    /// name the line.
    #[doc(hidden)] // for futures of other crates
    pub fn with_location(mut self, location: &'static Location<'static>) -> Sleep {
        self.timer.set_location(location);
        self
    }

    /// Whether the deadline has passed, by the clock.
    ///
    /// The future may still be pending: it becomes ready once the reactor has
    /// noticed.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        self.timer.is_due()
    }

    /// Sets another deadline: earlier, later, or in the past, before or after it
    /// was ready.
    ///
    /// A task that waits for it need not poll again; it will be woken at the new
    /// deadline (if the task has moved to another thread meanwhile, it may also be
    /// woken once before). With a deadline in the past, the next poll is ready.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use wakeline_reactor::time;
    ///
    /// let mut idle_limit = time::sleep(Duration::from_secs(30));
    /// // Something came in: start over.
    /// let later = Instant::now() + Duration::from_secs(30);
    /// idle_limit.reset(later);
    /// assert_eq!(idle_limit.deadline(), Some(later));
    /// ```
    pub fn reset(&mut self, deadline: Instant) {
        self.timer.reset(Some(deadline));
        self.first = First::LookAgain;
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let unit = ready!(budget::poll_proceed(cx));
        let this = &mut *self;
        let first = std::mem::replace(&mut this.first, First::Register);
        let due = match first {
            First::Register => false,
            First::Yield => true,
            First::Look | First::LookAgain => this.timer.is_due(),
        };
        if due {
            this.timer.expire();
            if first != First::LookAgain {
                unit.refund();
                waiting_on(Kind::Yield, 0, this.timer.location());
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        let done = this.timer.poll(cx);
        match done {
            Poll::Ready(()) => unit.spend(),
            Poll::Pending => unit.refund(),
        }
        done
    }
}
