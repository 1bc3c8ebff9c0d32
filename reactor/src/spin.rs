//! Looking again for a while before a sleep, where that was asked for.
//!
//! ```text
//!   nothing to do ──▶ look ──▶ an event, an interrupt: nobody has slept
//!                     ▲  │
//!                     └──┴───▶ time is over: sleep as usual, a miss
//! ```
//!
//! A sleep and its end are two switches of the kernel, some microseconds; a look
//! costs a tenth of one, and all of the processor. After the second miss in a row
//! one sleep is not put off, after the third three, then seven, 63 at most: who
//! waits for something that takes longer pays next to nothing.

use crate::clock;
use crate::driver::{Sleep, Turning};
use crate::reactor::Core;
use std::cell::Cell;
use std::io;
use std::time::Duration;

/// Misses that are counted: 2^6 - 1 sleeps in a row are not put off then.
const MISSES_MAX: u32 = 7;

/// How long to look, and how it went of late.
#[derive(Debug)]
pub(crate) struct Spin {
    limit: Duration,
    misses: Cell<u32>,
    /// Sleeps that are not put off.
    skip: Cell<u32>,
}

impl Spin {
    pub(crate) fn new(limit: Duration) -> Spin {
        Spin {
            limit,
            misses: Cell::new(0),
            skip: Cell::new(0),
        }
    }

    /// Whether to look before the sleep that is about to begin.
    #[inline]
    fn is_due(&self) -> bool {
        if self.limit.is_zero() {
            return false;
        }
        let skip = self.skip.get();
        self.skip.set(skip.saturating_sub(1));
        skip == 0
    }

    fn ended(&self, found: bool) {
        let misses = if found {
            0
        } else {
            (self.misses.get() + 1).min(MISSES_MAX)
        };
        self.misses.set(misses);
        self.skip.set((1 << misses.saturating_sub(1)) - 1);
    }
}

impl Core {
    /// Looks until there is something or the time for that is over; `true`:
    /// the driver has brought something, and the turn need not ask it again.
    pub(crate) fn spin(&self, turning: &mut Turning<'_>) -> io::Result<bool> {
        let Sleep::Until(until) = turning.sleep else {
            return Ok(false);
        };
        if !self.spin.is_due() {
            return Ok(false);
        }
        let end = clock::after(clock::now_nanos(), self.spin.limit);
        let end = until.map_or(end, |until| until.min(end));
        let sleep = loop {
            turning.sleep = Sleep::No;
            self.driver.borrow_mut().turn(turning)?;
            if turning.events > 0 || !turning.harvest.is_empty() {
                self.spin.ended(true);
                return Ok(true);
            }
            if self.home.parker.is_notified() {
                break Sleep::Notified;
            }
            if clock::now_nanos() >= end {
                break Sleep::Until(until);
            }
            std::hint::spin_loop();
        };
        self.spin.ended(matches!(sleep, Sleep::Notified));
        turning.sleep = sleep;
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_misses_looks_more_rarely() {
        let spin = Spin::new(Duration::from_micros(50));
        let mut slept_between = Vec::new();
        for _ in 0..9 {
            slept_between.push((0..).take_while(|_| !spin.is_due()).count());
            spin.ended(false);
        }
        assert_eq!(slept_between, [0, 0, 1, 3, 7, 15, 31, 63, 63]);
        while !spin.is_due() {}
        spin.ended(true);
        assert!(spin.is_due(), "what pays is done again at once");
    }

    #[test]
    fn nothing_is_put_off_unless_that_was_asked_for() {
        let spin = Spin::new(Duration::ZERO);
        assert!(!spin.is_due());
    }
}
