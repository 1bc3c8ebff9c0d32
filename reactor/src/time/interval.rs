//! `Interval`: a moment after the other, and what happens when one was missed.
//!
//! An interval knows when its next tick is due. A call that comes before then
//! waits; one that comes later gets that tick at once, and the interval's
//! [`MissedTick`] says when the one after it is due.

use super::timer::Timer;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use wakeline_context::budget;

/// A tick that is later than this has been missed, as has one that is later
/// than the period. What timers and the kernel add must not count as a delay,
/// or [`MissedTick::Delay`] would drift in an idle program.
const LATE: Duration = Duration::from_millis(5);

/// Ticks now and then every `period`.
///
/// Missed ticks are caught up ([`MissedTick::Burst`]) unless set otherwise.
/// A period beyond what the clock can tell gives one tick.
///
/// # Panics
///
/// If `period` is zero.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline_reactor::time::{MissedTick, interval};
///
/// async fn heartbeat() {
///     let mut beat = interval(Duration::from_secs(5)).missed(MissedTick::Delay);
///     loop {
///         beat.tick().await; // the first one at once
///         println!("alive");
///     }
/// }
/// # let _ = heartbeat;
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(super::now(), period)
}

/// Ticks at `start` and then every `period`; else like [`interval`].
///
/// # Panics
///
/// If `period` is zero.
///
/// # Example
///
/// ```
/// use std::time::{Duration, Instant};
/// use wakeline_reactor::time::interval_at;
///
/// let period = Duration::from_secs(5);
/// let not_at_once = interval_at(Instant::now() + period, period);
/// assert_eq!(not_at_once.period(), period);
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(
        !period.is_zero(),
        "an interval needs a period above zero; to give way to other tasks in a loop, use `yield_now`"
    );
    Interval {
        timer: Timer::new(Some(start), Location::caller()),
        period,
        missed: MissedTick::Burst,
    }
}

/// When the next tick is due after one that came too late.
///
/// A tick is too late if it is asked for more than 5 ms (or, for shorter
/// periods, more than a period) after it was due. Let the period be 10, the
/// first tick be at 0, and the one due at 10 be asked for at 35 only:
///
/// | behaviour | ticks are due at                    | keeps                        |
/// |-----------|-------------------------------------|------------------------------|
/// | `Burst`   | 0, 10 (35), 20 (35), 30 (35), 40 …  | the number of ticks          |
/// | `Delay`   | 0, 10 (35), 45, 55 …                | the distance between ticks   |
/// | `Skip`    | 0, 10 (35), 40, 50 …                | the multiples of the period  |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MissedTick {
    /// Ticks come at once until all that were missed have come.
    #[default]
    Burst,
    /// The next tick is a period after the late one.
    Delay,
    /// The next tick is at the next multiple of the period from the start.
    Skip,
}

impl MissedTick {
    /// When the next tick is due after the one due at `due` came at `now`.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Option<Instant> {
        let late = now.saturating_duration_since(due);
        if late <= LATE.min(period) {
            return super::after(due, period);
        }
        match self {
            MissedTick::Burst => super::after(due, period),
            MissedTick::Delay => super::after(now, period),
            MissedTick::Skip => {
                let into = late.as_nanos() % period.as_nanos();
                let into = Duration::new(
                    u64::try_from(into / 1_000_000_000).ok()?,
                    (into % 1_000_000_000) as u32,
                );
                super::after(now, period - into)
            }
        }
    }
}

/// Ticks, one after the other; see [`interval`].
#[derive(Debug)]
pub struct Interval {
    /// Its deadline is the next tick.
    timer: Timer,
    period: Duration,
    missed: MissedTick,
}

impl Interval {
    /// Waits for the next tick and tells when it was due.
    ///
    /// A tick that is due is given at once.
    ///
    /// # Panics
    ///
    /// Polling the future panics on a thread where no runtime is.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no tick: one is taken only by the poll that
    /// returns it.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use wakeline_reactor::time::interval;
    ///
    /// async fn lateness() -> Duration {
    ///     let mut beat = interval(Duration::from_millis(100));
    ///     let due: Instant = beat.tick().await;
    ///     due.elapsed()
    /// }
    /// # let _ = lateness;
    /// ```
    pub fn tick(&mut self) -> Tick<'_> {
        Tick { interval: self }
    }

    /// [`tick`](Interval::tick) for use inside of a `poll` function; the task of
    /// the last call is the one that is woken.
    ///
    /// # Panics
    ///
    /// On a thread where no runtime is.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let unit = ready!(budget::poll_proceed(cx));
        let mut now = super::now();
        if self.timer.deadline().is_none_or(|due| now < due) {
            if self.timer.poll(cx).is_pending() {
                unit.refund();
                return Poll::Pending;
            }
            now = super::now();
        }
        // A tick beyond what the clock can tell is never ready above.
        let due = self.timer.deadline().unwrap_or(now);
        unit.spend();
        self.timer
            .reset_unwatched(self.missed.next(due, now, self.period));
        Poll::Ready(due)
    }

    /// The same interval with another behaviour for missed ticks.
    #[must_use]
    pub fn missed(mut self, missed: MissedTick) -> Interval {
        self.missed = missed;
        self
    }

    /// What happens when a tick was missed.
    #[must_use]
    pub fn missed_tick(&self) -> MissedTick {
        self.missed
    }

    /// Sets what happens when a tick is missed, from the next one on.
    pub fn set_missed_tick(&mut self, missed: MissedTick) {
        self.missed = missed;
    }

    /// The time from tick to tick.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Starts over: the next tick is a period from now.
    pub fn reset(&mut self) {
        self.reset_after(self.period);
    }

    /// Starts over: the next tick is due now.
    pub fn reset_immediately(&mut self) {
        self.reset_at(super::now());
    }

    /// Starts over: the next tick is `delay` from now.
    pub fn reset_after(&mut self, delay: Duration) {
        self.timer.reset(super::after(super::now(), delay));
    }

    /// Starts over: the next tick is at `start`.
    pub fn reset_at(&mut self, start: Instant) {
        self.timer.reset(Some(start));
    }
}

/// The future of [`Interval::tick`].
#[derive(Debug)]
#[must_use = "a tick does nothing until it is awaited"]
pub struct Tick<'a> {
    interval: &'a mut Interval,
}

impl Future for Tick<'_> {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        self.interval.poll_tick(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MissedTick::{Burst, Delay, Skip};

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_missed_tick_moves_the_next_one_as_its_behaviour_says() {
        let due = Instant::now();
        // (period, late by, behaviour, next one after `due`), in milliseconds
        for (period, late, behaviour, next) in [
            (10, 0, Burst, 10),
            (10, 25, Burst, 10),
            (10, 25, Delay, 35),
            (10, 25, Skip, 30),
            // Exactly at a multiple: the next one, not this one again.
            (10, 20, Skip, 30),
            // Late, but not missed.
            (100, 5, Delay, 100),
            (100, 5, Skip, 100),
            (100, 6, Delay, 106),
            (100, 6, Skip, 100),
            // A period shorter than the allowance counts as such.
            (2, 2, Delay, 2),
            (2, 3, Delay, 5),
            (2, 3, Skip, 4),
        ] {
            assert_eq!(
                behaviour.next(due, due + MS(late), MS(period)),
                Some(due + MS(next)),
                "{behaviour:?}, every {period}, late by {late}"
            );
        }
    }

    #[test]
    fn a_next_tick_beyond_the_clock_is_never() {
        let due = Instant::now();
        for behaviour in [Burst, Delay, Skip] {
            assert_eq!(behaviour.next(due, due + MS(25), Duration::MAX), None);
        }
    }

    #[test]
    fn skipping_centuries_does_not_overflow() {
        let due = Instant::now();
        let now = due + Duration::from_secs(60 * 60 * 24 * 365 * 250);
        let next = Skip.next(due, now, Duration::from_nanos(3)).unwrap();
        assert!(next > now && next <= now + Duration::from_nanos(3));
    }
}
