//! When the next attempt is due, or why there is none: pure numbers.
//!
//! ```text
//!   attempt   1       2               3                               4
//!             ├───────┼───────────────┼───────────────────────────────┼──▶
//!   exponential   b         b x f               b x f x f    .. at most the cap
//!   with jitter: each delay somewhere in the upper half, or anywhere below
//! ```

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use wakeline_context::Reason;

/// When and how often to try again: given to [`retry`](super::retry).
///
/// Without limits of its own it tries for ever; a deadline or a cancel of what
/// surrounds it ends that.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline::retry::{Jitter, Retry};
///
/// // At 0, then after 100 ms, 200 ms, 400 ms, 500 ms, 500 ms, each shortened by
/// // chance by up to a half; and not after 2 s.
/// let policy = Retry::exponential(Duration::from_millis(100))
///     .cap(Duration::from_millis(500))
///     .attempts(6)
///     .within(Duration::from_secs(2))
///     .jitter(Jitter::Half);
/// # let _ = policy;
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a policy does nothing until it is given to `retry`"]
pub struct Retry {
    base: Duration,
    factor: f64,
    cap: Duration,
    attempts: u32,
    within: Option<Duration>,
    jitter: Jitter,
    seed: Option<u64>,
}

/// How chance changes a delay, so that many who failed at once do not come
/// again at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jitter {
    /// Not at all.
    #[default]
    None,
    /// The delay is between a half of it and all of it.
    Half,
    /// The delay is between nothing and all of it.
    Full,
}

impl Retry {
    /// The same `delay` after each attempt.
    pub fn fixed(delay: Duration) -> Retry {
        Retry {
            base: delay,
            factor: 1.0,
            cap: Duration::MAX,
            attempts: u32::MAX,
            within: None,
            jitter: Jitter::None,
            seed: None,
        }
    }

    /// `base` after the first attempt, and after each further one twice as long.
    pub fn exponential(base: Duration) -> Retry {
        Retry {
            factor: 2.0,
            ..Retry::fixed(base)
        }
    }

    /// Each delay is `factor` times the one before it.
    ///
    /// # Panics
    ///
    /// If it is not a number, or below 0.
    #[track_caller]
    pub fn factor(mut self, factor: f64) -> Retry {
        assert!(factor >= 0.0, "a delay cannot be {factor} times another");
        self.factor = factor;
        self
    }

    /// No delay is longer than this.
    pub fn cap(mut self, cap: Duration) -> Retry {
        self.cap = cap;
        self
    }

    /// So many attempts at most, the first one included.
    ///
    /// # Panics
    ///
    /// If it is zero: the first attempt is always made.
    #[track_caller]
    pub fn attempts(mut self, attempts: u32) -> Retry {
        assert!(attempts != 0, "the first attempt is always made: give it 1");
        self.attempts = attempts;
        self
    }

    /// No attempt is begun later than this after the first one; nor is a delay
    /// waited out that would end later.
    ///
    /// An attempt that runs is not interrupted:
    /// [`timeout`](crate::time::timeout) does that.
    pub fn within(mut self, total: Duration) -> Retry {
        self.within = Some(total);
        self
    }

    /// Changes the delays by chance.
    pub fn jitter(mut self, jitter: Jitter) -> Retry {
        self.jitter = jitter;
        self
    }

    /// Makes chance repeat itself; without this it differs from call to call.
    pub fn seed(mut self, seed: u64) -> Retry {
        self.seed = Some(seed);
        self
    }
}

/// Why there is no further attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GaveUp {
    /// The error is not one that another attempt could mend.
    NotRetryable,
    /// All attempts that the policy allows were made.
    Attempts,
    /// The next attempt would be too late: by the policy, or by the deadline
    /// of what surrounds the call.
    Deadline,
    /// What surrounds the call was cancelled.
    Cancelled(Reason),
}

/// A policy under way.
#[derive(Debug)]
pub(super) struct Schedule {
    policy: Retry,
    /// When the last attempt may begin, by the policy.
    until: Option<Instant>,
    made: u32,
    /// Before cap and jitter.
    delay: Duration,
    chance: u64,
}

impl Schedule {
    /// The first attempt is made `now`.
    pub(super) fn new(policy: Retry, now: Instant) -> Schedule {
        Schedule {
            until: policy.within.and_then(|total| now.checked_add(total)),
            made: 0,
            delay: policy.base,
            chance: policy
                .seed
                .unwrap_or_else(|| RandomState::new().hash_one(0)),
            policy,
        }
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self) {
        self.made = self.made.saturating_add(1);
    }

    /// Attempts that were begun.
    pub(super) fn made(&self) -> u32 {
        self.made
    }

    /// An attempt failed: when the next one is due, `None` being never. None is
    /// begun after `deadline`.
    pub(super) fn next(
        &mut self,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<Option<Instant>, GaveUp> {
        if self.made >= self.policy.attempts {
            return Err(GaveUp::Attempts);
        }
        let delay = self.delay.min(self.policy.cap);
        let delay = self.shortened(delay);
        let due = now.checked_add(delay);
        if let Some(until) = [self.until, deadline].into_iter().flatten().min()
            && due.is_none_or(|due| due > until)
        {
            return Err(GaveUp::Deadline);
        }
        self.delay = longer(self.delay, self.policy.factor);
        Ok(due)
    }

    fn shortened(&mut self, delay: Duration) -> Duration {
        let certain = match self.policy.jitter {
            Jitter::None => return delay,
            Jitter::Half => delay / 2,
            Jitter::Full => Duration::ZERO,
        };
        certain + part(delay - certain, self.next_chance())
    }

    /// splitmix64.
    fn next_chance(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.chance;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// No delay stays none, also if `factor` is infinite.
fn longer(delay: Duration, factor: f64) -> Duration {
    if delay.is_zero() {
        return delay;
    }
    Duration::try_from_secs_f64(delay.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

/// `chance` of 2^64 parts of `whole`.
fn part(whole: Duration, chance: u64) -> Duration {
    let nanos = whole.as_nanos(); // less than 2^94
    let (high, low) = (nanos >> 64, nanos & u128::from(u64::MAX));
    let chance = u128::from(chance);
    // Neither product overflows, and neither sum: nanos x chance / 2^64.
    let nanos = high * chance + ((low * chance) >> 64);
    let secs = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    let rest = u32::try_from(nanos % 1_000_000_000).unwrap_or(0);
    Duration::new(secs, rest)
}

#[cfg(test)]
mod tests;
