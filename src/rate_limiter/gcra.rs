//! How much has been let through, and when there is room for more: pure numbers.
//!
//! A token bucket, kept as one number (the *generic cell rate algorithm* of
//! ATM networks). Each permit costs a while; `full_at` is the moment at which
//! all that was let through is paid and the bucket is full again.
//!
//! ```text
//!              burst x cost
//!       ├──────────────────────────┤
//!  ─────┼─────────────┼────────────┼──────▶ time
//!      now         full_at     as far as full_at may go
//!       ├─────────────┤
//!        paid only then: taken   ├─▶ the rest of the span: available
//! ```
//!
//! Permits are let through if `full_at`, moved on by their cost, stays within
//! the span. The span slides with the time, so in any window of length `t`
//! there are at most `burst + rate * t`.
//!
//! No rounding: `n` permits in `per` nanoseconds would cost `per / n` each; so
//! time is counted in parts of 1/n nanoseconds, and each costs `per` of them.
//! 2^96 parts for the clock and 2^94 x 2^32 for a burst: `u128` holds the sum.
//!
//! No clock and no lock here: nanoseconds come in.

use std::num::NonZeroU32;

/// Nanoseconds since the limiter's beginning.
pub(super) type Nanos = u64;

/// A token bucket.
#[derive(Clone, Debug)]
pub(super) struct Gcra {
    /// Parts of a nanosecond; also how many permits there are in `cost`.
    parts: u128,
    /// Of one permit, in parts.
    cost: u128,
    burst: u32,
    /// When the bucket will be full, in parts.
    full_at: u128,
}

impl Gcra {
    /// `permits` in `per_ns`, at most `burst` at once; full at first.
    pub(super) fn new(permits: NonZeroU32, per_ns: u128, burst: NonZeroU32) -> Gcra {
        Gcra {
            parts: u128::from(permits.get()),
            cost: per_ns,
            burst: burst.get(),
            full_at: 0,
        }
    }

    pub(super) fn burst(&self) -> u32 {
        self.burst
    }

    /// Takes `permits` now.
    ///
    /// # Errors
    ///
    /// How many nanoseconds from now they could be taken, if nobody takes any
    /// in between; `u128` because that may be beyond what a clock can tell.
    pub(super) fn take(&mut self, permits: u32, now: Nanos) -> Result<(), u128> {
        let wait = self.wait(permits, now);
        if wait != 0 {
            return Err(wait);
        }
        self.full_at = self.full_after(permits, now);
        Ok(())
    }

    /// How many nanoseconds from now `permits` could be taken.
    pub(super) fn wait(&self, permits: u32, now: Nanos) -> u128 {
        debug_assert!(permits <= self.burst);
        let latest = self.latest(now);
        self.full_after(permits, now)
            .saturating_sub(latest)
            .div_ceil(self.parts)
    }

    /// How many could be taken now.
    pub(super) fn available(&self, now: Nanos) -> u32 {
        let taken = self.full_at.saturating_sub(self.now(now));
        match taken.checked_div(self.cost) {
            // A permit that is paid in part is not there yet.
            Some(_) => {
                let taken = u32::try_from(taken.div_ceil(self.cost)).unwrap_or(u32::MAX);
                self.burst.saturating_sub(taken)
            }
            None => self.burst, // they cost nothing
        }
    }

    /// The clock was set back to `now`: who comes may have to wait for a whole burst, and
    /// not for as long as it was set back.
    pub(super) fn set_back(&mut self, now: Nanos) {
        self.full_at = self.full_at.min(self.latest(now));
    }

    /// As far as `full_at` may go.
    fn latest(&self, now: Nanos) -> u128 {
        let span = self.cost.saturating_mul(u128::from(self.burst));
        self.now(now).saturating_add(span)
    }

    fn full_after(&self, permits: u32, now: Nanos) -> u128 {
        self.full_at
            .max(self.now(now))
            .saturating_add(self.cost.saturating_mul(u128::from(permits)))
    }

    fn now(&self, now: Nanos) -> u128 {
        u128::from(now) * self.parts
    }
}

#[cfg(test)]
mod tests;
