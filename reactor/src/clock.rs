//! The one place where time is read: a clock that may be stopped, and
//! nanoseconds since an origin.
//!
//! The origin is the first look at the clock in this process. Timers are kept
//! by *ticks*. By the real clock one tick is 2^10 ns, about a microsecond; deadlines
//! round up to a tick and "now" rounds down, so a timer may be late by a tick
//! and is never early. Where several are due within the same [`GATHERED`] ticks, the
//! thread wakes at the end of these, once for all. By a clock that was stopped a tick is
//! one nanosecond: nobody waits for it, so it may be exact.
//!
//! ```text
//!   Real ──1──▶ Stopped ──2──▶ Going ──1──▶ Stopped ...
//!                ▲   │
//!                └─3─┘
//! ```
//! 1 `Clock::stop`  the present stays what it is
//! 2 `Clock::go`    it goes on from there, as fast as the real one
//! 3 `Clock::set`   to a later moment
//!
//! `time/virtual_time.rs` tells who stops it and who sets it.
//!
//! A thread's clock is that of its reactor, or one that it was made to
//! [enter](Clock::enter). Whoever asks for the present on a thread without one
//! gets the real one; as does everybody as long as no clock of the process was
//! ever stopped, at the price of one load and one branch.

use crate::current::{self, EnteredClock};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// log2 of a tick's nanoseconds, by the real clock.
pub(crate) const TICK_SHIFT: u32 = 10;

/// Ticks whose timers share a wake-up, by the real clock: 16.4 us. A power of two.
pub(crate) const GATHERED: u64 = 16;

static ORIGIN: OnceLock<Instant> = OnceLock::new();

/// Clocks of this process that are not `Real`.
static STOPPED: AtomicUsize = AtomicUsize::new(0);

fn origin() -> Instant {
    *ORIGIN.get_or_init(Instant::now)
}

/// The present by this thread's clock.
#[inline]
pub(crate) fn now() -> Instant {
    // Relaxed: a thread that stopped its clock sees that itself, and a job that
    // was handed to another thread since brings it along.
    if STOPPED.load(Relaxed) == 0 {
        Instant::now()
    } else {
        current::clock().map_or_else(Instant::now, |clock| clock.now())
    }
}

/// `at` in nanoseconds after the origin; 0 before it, `u64::MAX` after 584 years.
pub(crate) fn nanos(at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(origin()).as_nanos()).unwrap_or(u64::MAX)
}

/// The real present, in nanoseconds after the origin.
#[inline]
pub(crate) fn now_nanos() -> u64 {
    nanos(Instant::now())
}

/// `limit` after `now`, both in nanoseconds; saturates.
pub(crate) fn after(now: u64, limit: Duration) -> u64 {
    now.saturating_add(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX))
}

/// A clock that can be stopped and moved on by hand: the time of one runtime.
///
/// A handle: clones are the same clock. Given to one reactor, by
/// [`Config::clock`](crate::Config::clock), it lets the futures there use
/// [`time::pause`](crate::time::pause). It goes with the real clock until then.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline_reactor::{Clock, Config, Reactor, time};
///
/// let reactor = Reactor::new(&Config::default().clock(Clock::new()))?;
/// let _entered = reactor.enter();
/// time::pause();
/// let before = time::now();
/// std::thread::yield_now();
/// assert_eq!(time::now(), before);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner(Mutex<State>);

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// The real clock.
    #[default]
    Real,
    /// It shows this moment.
    Stopped(Instant),
    /// It showed `from` when the real clock showed `since`.
    Going { since: Instant, from: Instant },
}

impl State {
    fn now(self) -> Instant {
        match self {
            State::Real => Instant::now(),
            State::Stopped(at) => at,
            State::Going { since, from } => from + since.elapsed(),
        }
    }
}

impl Clock {
    /// A clock that goes.
    #[must_use]
    pub fn new() -> Clock {
        Clock::default()
    }

    /// A clock that is stopped from the start, at the present.
    ///
    /// # Example
    ///
    /// ```
    /// let clock = wakeline_reactor::Clock::stopped();
    /// assert_eq!(clock.now(), clock.now());
    /// ```
    #[must_use]
    pub fn stopped() -> Clock {
        let clock = Clock::new();
        clock.stop();
        clock
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Instant {
        let state = *self.lock();
        state.now()
    }

    /// Makes it the clock of this thread, which has no reactor, until the guard
    /// is dropped: for threads that run a runtime's blocking jobs.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_reactor::{Clock, time};
    ///
    /// let clock = Clock::stopped();
    /// let _entered = clock.enter();
    /// assert_eq!(time::now(), clock.now());
    /// ```
    pub fn enter(&self) -> EnteredClock {
        EnteredClock::new(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it stands still.
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(*self.lock(), State::Stopped(_))
    }

    /// Whether it never was stopped.
    pub(crate) fn is_real(&self) -> bool {
        matches!(*self.lock(), State::Real)
    }

    pub(crate) fn stop(&self) {
        origin(); // before the moment that is to be counted from it
        let mut state = self.lock();
        if matches!(*state, State::Real) {
            STOPPED.fetch_add(1, Relaxed); // as in `now`
        }
        *state = State::Stopped(state.now());
    }

    pub(crate) fn go(&self) {
        let mut state = self.lock();
        if let State::Stopped(from) = *state {
            let since = Instant::now();
            *state = State::Going { since, from };
        }
    }

    /// Moves a stopped clock on to `nanos` after the origin.
    pub(crate) fn set(&self, nanos: u64) {
        let mut state = self.lock();
        if let State::Stopped(at) = &mut *state {
            *at = (origin() + Duration::from_nanos(nanos)).max(*at);
        }
    }

    /// When the real clock will show `nanos`, both after the origin; `None` if
    /// that depends on somebody's hand.
    pub(crate) fn real_nanos(&self, nanos: u64) -> Option<u64> {
        let state = *self.lock();
        match state {
            State::Real => Some(nanos),
            State::Stopped(_) => None,
            State::Going { .. } => {
                let left = nanos.saturating_sub(self::nanos(state.now()));
                Some(now_nanos().saturating_add(left))
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let state = *self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !matches!(state, State::Real) {
            STOPPED.fetch_sub(1, Relaxed); // nobody can ask it any more
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_times_saturate() {
        assert_eq!(after(5, Duration::MAX), u64::MAX);
    }

    #[test]
    fn a_clock_stands_still_and_goes_on_from_there() {
        let clock = Clock::stopped();
        let start = clock.now();
        assert_eq!(clock.now(), start);
        assert_eq!(clock.real_nanos(nanos(start)), None);

        let hour = Duration::from_secs(3_600);
        clock.set(nanos(start + hour));
        assert_eq!(clock.now(), start + hour);
        clock.set(nanos(start));
        assert_eq!(clock.now(), start + hour, "it never goes back");

        clock.go();
        assert!(clock.now() >= start + hour);
        let due = clock.real_nanos(nanos(clock.now()) + 1_000_000).unwrap();
        let now = now_nanos();
        assert!(due > now.saturating_sub(1_000_000) && due <= now + 1_000_000);
    }
}
