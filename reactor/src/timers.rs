//! A reactor's timers, and a timer entry: what a `Sleep` holds of them.
//!
//! ```text
//!   insert ──▶ in the wheel of this thread ──1──▶ fired: its waker was woken
//!                │ 2       │ 3       │ 4
//!                ▼         ▼         ▼
//!            removed   by mail   stale: woken, and to be inserted anew
//! ```
//! 1 `Core::turn`  its tick has passed
//! 2 `drop`, `reset`  on the thread whose wheel it is
//! 3 `drop`, `reset`  on another thread: removed, or woken so that it comes along
//! 4 `Timers::restart`  the clock was stopped, or goes again: a tick has
//!   another length from here on
//!   `Timers::hand_out`  the thread leaves its reactor, perhaps for ever

use crate::clock;
use crate::current;
use crate::inbox::Message;
use crate::reactor::Core;
use crate::remote::Home;
use crate::time::wheel::{self, Wheel};
use std::io;
use std::task::Waker;

/// A wheel, and how long its ticks are. All moments here are in nanoseconds
/// after the clock's origin; `u64::MAX` is never.
pub(crate) struct Timers {
    wheel: Wheel<Waker>,
    /// log2 of a tick's nanoseconds.
    shift: u32,
}

impl Timers {
    /// `exact`: by a stopped clock, which shows `now`.
    pub(crate) fn new(exact: Option<u64>) -> Timers {
        let mut timers = Timers {
            wheel: Wheel::new(),
            shift: clock::TICK_SHIFT,
        };
        if let Some(now) = exact {
            timers.restart(now, true, &mut Vec::new());
        }
        timers
    }

    /// The first tick at which `nanos` has passed.
    #[inline]
    fn tick_at_or_after(&self, nanos: u64) -> u64 {
        if nanos == u64::MAX {
            return u64::MAX;
        }
        let begun = nanos >> self.shift;
        begun + u64::from(begun << self.shift != nanos)
    }

    /// When `tick` begins.
    fn begin(&self, tick: u64) -> u64 {
        if tick > u64::MAX >> self.shift {
            u64::MAX
        } else {
            tick << self.shift
        }
    }

    #[inline]
    fn insert(&mut self, deadline: u64, waker: Waker) -> wheel::Key {
        let tick = self.tick_at_or_after(deadline);
        self.wheel.insert(tick, waker)
    }

    pub(crate) fn remove(&mut self, key: wheel::Key) -> Option<Waker> {
        self.wheel.remove(key)
    }

    /// Moves the wakers of those due by `now` to `fired`.
    #[inline]
    pub(crate) fn advance(&mut self, now: u64, fired: &mut Vec<Waker>) {
        self.wheel.advance(now >> self.shift, fired);
    }

    /// The first deadline itself, by a stopped clock. It may look at every timer.
    pub(crate) fn first_deadline(&self) -> Option<u64> {
        debug_assert_eq!(self.shift, 0, "only there a tick is exact");
        self.wheel.first_deadline()
    }

    /// When to look again: not after the first deadline, or as little after it as it
    /// takes to have others at the same time; `None` is never.
    pub(crate) fn next(&self) -> Option<u64> {
        let gathered = if self.shift == clock::TICK_SHIFT {
            clock::GATHERED
        } else {
            1
        };
        let tick = self.wheel.next_tick(gathered)?;
        Some(self.begin(tick)).filter(|at| *at < u64::MAX)
    }

    /// Empties it into `out`, in the order in which they would have fired: from
    /// `now` on, ticks have another length.
    pub(crate) fn restart(&mut self, now: u64, exact: bool, out: &mut Vec<Waker>) {
        self.shift = if exact { 0 } else { clock::TICK_SHIFT };
        self.hand_out(now, out);
    }

    /// The same, and ticks stay as they are.
    pub(crate) fn hand_out(&mut self, now: u64, out: &mut Vec<Waker>) {
        self.wheel.restart(now >> self.shift, out);
    }

    /// Takes everything out, in no particular order.
    pub(crate) fn drain(&mut self, out: &mut Vec<Waker>) {
        self.wheel.drain(out);
    }

    pub(crate) fn len(&self) -> usize {
        self.wheel.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.wheel.is_empty()
    }
}

/// A waker in a wheel, removed when this is dropped.
///
/// It names its reactor by number: timers come and go more often than they
/// move, so only the rare foreign drop looks for the reactor's mailbox.
#[derive(Debug)]
pub(crate) struct TimerEntry {
    home: u64,
    key: wheel::Key,
}

/// What became of an entry that was to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    /// It is changed.
    Kept,
    /// Its deadline has passed and its waker was woken.
    Fired,
    /// It is in another thread's wheel, or in this one as it was when the clock
    /// was another: drop it, and insert a new one if the time has not come.
    Elsewhere,
}

impl TimerEntry {
    /// Puts `waker` into this thread's wheel; the deadline is in nanoseconds.
    #[inline]
    pub(crate) fn insert(deadline: u64, waker: &Waker) -> io::Result<TimerEntry> {
        let waker = waker.clone();
        current::with(|core| TimerEntry {
            home: core.home.id,
            key: core.timers.borrow_mut().insert(deadline, waker),
        })
    }

    /// Changes the waker.
    #[inline]
    pub(crate) fn update(&self, waker: &Waker) -> Update {
        let found = current::if_home(self.home, |core| {
            match core.timers.borrow_mut().find(self.key) {
                Err(gone) => return gone,
                Ok(listed) if listed.will_wake(waker) => return Update::Kept,
                Ok(_) => {}
            }
            // A clone and a drop of a waker are foreign code: not while borrowed.
            let mut waker = waker.clone();
            match core.timers.borrow_mut().find(self.key) {
                Err(gone) => return gone,
                Ok(listed) => std::mem::swap(listed, &mut waker),
            }
            Update::Kept
        });
        found.unwrap_or(Update::Elsewhere)
    }

    /// Changes the deadline and keeps the waker.
    ///
    /// `Elsewhere`: the waker is woken, so that its task polls, and puts the
    /// timer with its new deadline into the wheel of its thread.
    pub(crate) fn reset(&mut self, deadline: u64) -> Update {
        let found = current::lent_if_home(self.home, |core| {
            let mut timers = core.timers.borrow_mut();
            let waker = timers.remove(self.key)?;
            Some(timers.insert(deadline, waker))
        });
        match found {
            None => {
                Home::send_to(self.home, Message::FireTimer(self.key));
                Update::Elsewhere
            }
            Some(None) => Update::Fired,
            Some(Some(key)) => {
                self.key = key;
                Update::Kept
            }
        }
    }
}

impl Timers {
    /// The waker of an entry, or what became of it.
    #[inline]
    fn find(&mut self, key: wheel::Key) -> Result<&mut Waker, Update> {
        if self.wheel.is_stale(key) {
            return Err(Update::Elsewhere);
        }
        self.wheel.get_mut(key).ok_or(Update::Fired)
    }
}

impl Drop for TimerEntry {
    /// In line, so that who has none does not call anything.
    #[inline]
    fn drop(&mut self) {
        self.remove();
    }
}

impl TimerEntry {
    #[inline(never)]
    fn remove(&mut self) {
        let remove = |core: &Core| core.timers.borrow_mut().remove(self.key);
        match current::lent_if_home(self.home, remove) {
            Some(removed) => drop(removed), // after the borrows: it is foreign code
            None => Home::send_to(self.home, Message::CancelTimer(self.key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_rounds_up_and_never_down() {
        let timers = Timers::new(None);
        // (nanoseconds after the origin, tick)
        for (at, tick) in [(0, 0), (1, 1), (1_023, 1), (1_024, 1), (1_025, 2)] {
            assert_eq!(timers.tick_at_or_after(at), tick, "{at} ns");
            assert!(timers.begin(tick) >= at);
        }
        assert_eq!(timers.tick_at_or_after(u64::MAX), u64::MAX);
        assert_eq!(timers.begin(u64::MAX), u64::MAX);
    }

    #[test]
    fn by_a_stopped_clock_a_deadline_is_exact() {
        let timers = Timers::new(Some(7));
        for at in [0, 1, 16_383, 16_385, u64::MAX - 1, u64::MAX] {
            assert_eq!(timers.tick_at_or_after(at), at);
            assert_eq!(timers.begin(at), at);
        }
    }
}
