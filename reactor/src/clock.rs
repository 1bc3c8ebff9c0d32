//! The one place where time is read: nanoseconds and ticks since an origin.
//!
//! The origin is the first look at the clock in this process. One tick is
//! 2^16 ns, about 65.5 us; deadlines round up to a tick and "now" rounds down,
//! so a timer may be late by a tick and is never early.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// log2 of a tick's nanoseconds.
pub(crate) const TICK_SHIFT: u32 = 16;

static ORIGIN: OnceLock<Instant> = OnceLock::new();

fn origin() -> Instant {
    *ORIGIN.get_or_init(Instant::now)
}

/// `at` in nanoseconds after the origin; 0 before it, `u64::MAX` after 584 years.
pub(crate) fn nanos(at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(origin()).as_nanos()).unwrap_or(u64::MAX)
}

/// Now, in nanoseconds after the origin.
#[inline]
pub(crate) fn now_nanos() -> u64 {
    nanos(Instant::now())
}

/// The last tick that has begun.
#[inline]
pub(crate) fn now_tick() -> u64 {
    now_nanos() >> TICK_SHIFT
}

/// The first tick at which `at` has passed.
pub(crate) fn tick_at_or_after(at: Instant) -> u64 {
    let nanos = nanos(at);
    (nanos >> TICK_SHIFT) + u64::from(nanos & ((1 << TICK_SHIFT) - 1) != 0)
}

/// When `tick` begins, in nanoseconds after the origin.
pub(crate) fn tick_nanos(tick: u64) -> u64 {
    if tick > u64::MAX >> TICK_SHIFT {
        u64::MAX
    } else {
        tick << TICK_SHIFT
    }
}

/// `limit` after `now`, both in nanoseconds; saturates.
pub(crate) fn after(now: u64, limit: Duration) -> u64 {
    now.saturating_add(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_rounds_up_and_never_down() {
        let start = origin();
        // (nanoseconds after the origin, tick)
        for (after, tick) in [(0, 0), (1, 1), (65_535, 1), (65_536, 1), (65_537, 2)] {
            let at = start + Duration::from_nanos(after);
            assert_eq!(tick_at_or_after(at), tick, "{after} ns");
            assert!(tick_nanos(tick) >= after);
        }
    }

    #[test]
    fn far_times_saturate() {
        assert_eq!(tick_nanos(u64::MAX), u64::MAX);
        assert_eq!(after(5, Duration::MAX), u64::MAX);
    }
}
