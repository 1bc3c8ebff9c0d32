//! `RateLimiter`: so many in a while, and no more than a burst at once.
//!
//! ```text
//!   acquire ──1──▶ in line ──2──▶ at the front ──3──▶ through
//!                                     ▲    │
//!                                     └─4──┘
//! ```
//! 1 those who come wait in the line of a semaphore of one: first come, first served
//! 2 the one before went through, or gave up
//! 3 the bucket has enough: they are taken now, and the next comes to the front
//! 4 not yet: sleeps until it would
//!
//! Permits are taken only by the poll that returns, so giving up costs nothing
//! at any point: who leaves the front makes room for the next. A semaphore
//! limits how many are inside at once; this limits how many enter in a while.
//!
//! `gcra.rs` has the arithmetic, `acquire.rs` the futures.

mod acquire;
mod gcra;

pub use acquire::{AcquireRate, UntilReady};

use std::error::Error;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use wakeline_reactor::time;
use wakeline_sync::Semaphore;

use acquire::Request;
use gcra::Gcra;

/// Lets so many through in a while: a token bucket, first come, first served.
///
/// It goes by [`time::now`](crate::time::now) of who looks, so a paused clock pauses it; where
/// that goes back from one look to the next, as between runtimes with clocks of their own,
/// at most a whole burst counts as just taken. Who
/// waits is late by up to a tick of the timers: for a rate of thousands in a
/// second, allow a burst of what comes in some milliseconds.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline::sync::RateLimiter;
///
/// let ten_an_hour = RateLimiter::new(10, Duration::from_secs(3_600)).with_burst(2);
/// wakeline::block_on(async {
///     ten_an_hour.acquire().await; // at once
///     ten_an_hour.acquire().await; // at once: a burst of two
/// });
/// let refused = ten_an_hour.try_acquire().expect_err("too early");
/// assert!(refused.retry_after() <= Duration::from_secs(360));
/// ```
pub struct RateLimiter {
    /// Whose turn it is: the front holds the only permit.
    line: Semaphore,
    bucket: Mutex<Bucket>,
    permits: NonZeroU32,
    per: Duration,
}

impl RateLimiter {
    /// Lets `permits` through in every `per`, and as many at once.
    ///
    /// With a `per` of zero nothing is limited; `Duration::MAX` lets one burst
    /// through, and then nothing for ever.
    ///
    /// # Panics
    ///
    /// If `permits` is zero: nothing would ever come through.
    #[must_use]
    #[track_caller]
    pub fn new(permits: u32, per: Duration) -> RateLimiter {
        let Some(permits) = NonZeroU32::new(permits) else {
            panic!("a rate limiter of no permits lets nothing through: give it at least 1")
        };
        RateLimiter {
            line: Semaphore::new(1),
            bucket: Mutex::new(Bucket {
                gcra: Gcra::new(permits, per.as_nanos(), permits),
                start: time::now(),
                seen: 0,
            }),
            permits,
            per,
        }
    }

    /// Lets `burst` through at once after a quiet while, instead of as many as
    /// the rate's permits.
    ///
    /// # Panics
    ///
    /// If `burst` is zero: nothing would ever come through.
    #[must_use]
    #[track_caller]
    pub fn with_burst(mut self, burst: u32) -> RateLimiter {
        let Some(burst) = NonZeroU32::new(burst) else {
            panic!("a burst of nothing lets nothing through: give it at least 1")
        };
        let gcra = Gcra::new(self.permits, self.per.as_nanos(), burst);
        let bucket = self.bucket.get_mut();
        bucket.unwrap_or_else(PoisonError::into_inner).gcra = gcra;
        self
    }

    /// Waits for one permit and takes it.
    ///
    /// # Panics
    ///
    /// Polling it panics on a thread where no runtime is.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives up the place in line; no permit is lost.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline::sync::RateLimiter;
    ///
    /// async fn politely(limit: &RateLimiter, urls: &[&str]) {
    ///     for url in urls {
    ///         limit.acquire().await;
    ///         println!("fetching {url}");
    ///     }
    /// }
    /// # let _ = politely;
    /// ```
    #[track_caller]
    pub fn acquire(&self) -> AcquireRate<'_> {
        self.acquire_many(1)
    }

    /// Waits for `permits` and takes them together; zero is ready at once.
    ///
    /// One who asks for many is not overtaken by those who ask for few.
    ///
    /// # Panics
    ///
    /// If `permits` is more than the [burst](RateLimiter::burst): there are
    /// never so many at once. Polling it panics on a thread where no runtime is.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives up the place in line; no permit is lost.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline::sync::RateLimiter;
    ///
    /// let bytes = RateLimiter::new(64 * 1024, Duration::from_secs(1));
    /// wakeline::block_on(bytes.acquire_many(1_500)); // room for a packet
    /// ```
    #[track_caller]
    pub fn acquire_many(&self, permits: u32) -> AcquireRate<'_> {
        self.check(permits);
        AcquireRate::new(Request::new(self, permits))
    }

    /// Waits until a permit could be taken, and takes none: that is
    /// [`acquire`](RateLimiter::acquire), which is what `until_ready` of other crates does.
    ///
    /// Others may be quicker afterwards.
    ///
    /// # Panics
    ///
    /// Polling it panics on a thread where no runtime is.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives up the place in line.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline::sync::RateLimiter;
    ///
    /// let limit = RateLimiter::new(1, Duration::from_secs(1));
    /// wakeline::block_on(limit.until_ready());
    /// assert_eq!(limit.try_acquire(), Ok(())); // it is still there
    /// ```
    #[track_caller]
    pub fn until_ready(&self) -> UntilReady<'_> {
        UntilReady::new(Request::new(self, 1))
    }

    /// Takes one permit, if there is one now and nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`RateLimited`] tells when to come again.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline::sync::RateLimiter;
    ///
    /// let hourly = RateLimiter::new(1, Duration::from_secs(3_600));
    /// assert_eq!(hourly.try_acquire(), Ok(()));
    /// assert!(hourly.try_acquire().is_err());
    /// ```
    pub fn try_acquire(&self) -> Result<(), RateLimited> {
        self.try_acquire_many(1)
    }

    /// Takes `permits` together, if they are there now and nobody waits.
    ///
    /// # Errors
    ///
    /// [`RateLimited`] tells when to come again.
    ///
    /// # Panics
    ///
    /// If `permits` is more than the [burst](RateLimiter::burst).
    #[track_caller]
    pub fn try_acquire_many(&self, permits: u32) -> Result<(), RateLimited> {
        self.check(permits);
        if permits == 0 {
            return Ok(());
        }
        // It only looks at the line and does not step into it: else two who try at
        // once would refuse each other.
        let taken = if self.line.available() > 0 {
            self.take(permits)
        } else {
            Err(self.with_bucket(|bucket, now| bucket.wait(permits, now)))
        };
        taken.map_err(|wait| RateLimited {
            retry_after: nanos(wait),
        })
    }

    /// How many permits could be taken now, those not counted who wait.
    #[must_use]
    pub fn available(&self) -> u32 {
        self.with_bucket(|bucket, now| bucket.available(now))
    }

    /// How many permits can be taken at once at most.
    #[must_use]
    pub fn burst(&self) -> u32 {
        self.with_bucket(|bucket, _| bucket.burst())
    }

    #[track_caller]
    fn check(&self, permits: u32) {
        let burst = self.burst();
        assert!(
            permits <= burst,
            "{permits} permits at once never come through a burst of {burst}: \
             ask for fewer, or raise it by `with_burst`"
        );
    }

    /// Takes permits, or tells how many nanoseconds it is too early.
    fn take(&self, permits: u32) -> Result<(), u128> {
        self.with_bucket(|bucket, now| bucket.take(permits, now))
    }

    fn with_bucket<R>(&self, f: impl FnOnce(&mut Gcra, gcra::Nanos) -> R) -> R {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, where nothing else happens but arithmetic.
        let now = bucket.at(time::now());
        f(&mut bucket.gcra, now)
    }
}

/// What was let through, by the clock of whoever looks.
struct Bucket {
    gcra: Gcra,
    start: Instant,
    /// The last look.
    seen: gcra::Nanos,
}

impl Bucket {
    /// The moment on the bucket's scale. A limiter that several threads share may see
    /// several clocks, of which one is paused, or was moved ahead: then time goes back.
    fn at(&mut self, moment: Instant) -> gcra::Nanos {
        let since = match moment.checked_duration_since(self.start) {
            Some(since) => since,
            None => {
                // Its scale begins anew.
                self.start = moment;
                Duration::ZERO
            }
        };
        let now = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        if now < self.seen {
            self.gcra.set_back(now);
        }
        self.seen = now;
        now
    }
}

fn nanos(nanos: u128) -> Duration {
    u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("permits", &self.permits)
            .field("per", &self.per)
            .field("burst", &self.burst())
            .field("available", &self.available())
            .finish_non_exhaustive()
    }
}

/// There are too few permits now, or others wait for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimited {
    retry_after: Duration,
}

impl RateLimited {
    /// How long it takes until there could be enough, if nobody else takes any;
    /// zero if there are, but others wait for them.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.retry_after
    }
}

impl fmt::Display for RateLimited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the rate is used up for {:?}", self.retry_after)
    }
}

impl Error for RateLimited {}
