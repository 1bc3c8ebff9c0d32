//! The budget of a poll: why an always-ready socket cannot starve its neighbours.
//!
//! A future that is always ready never returns to the executor by itself. So
//! each leaf asks [`poll_proceed`] before it makes progress; after
//! [`PER_POLL`] units it wakes its own task, returns `Pending`, and the task
//! goes to the back of the queue. Outside of a task nothing is limited.
//!
//! A leaf that then finds nothing to do gives the unit back
//! ([`Unit::refund`]), so that only progress is counted.

use std::task::{Context, Poll};

use crate::now::now;

/// Units of progress that one poll of a task may make.
pub const PER_POLL: u8 = 128;

/// What is left of a poll's budget, in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget(u8);

impl Budget {
    /// Outside of all polls.
    pub(crate) const UNLIMITED: Budget = Budget(u8::MAX);
    /// Inside of a poll, in [`unlimited`].
    const FREE: Budget = Budget(u8::MAX - 1);
    const SPENT: Budget = Budget(0);

    pub(crate) const fn full() -> Budget {
        Budget(PER_POLL)
    }

    /// Whether it is that of a poll, though it may be without a limit.
    #[inline]
    pub(crate) const fn is_of_a_poll(self) -> bool {
        self.0 != Budget::UNLIMITED.0
    }

    #[inline]
    const fn is_limited(self) -> bool {
        self.0 < Budget::FREE.0
    }

    /// The same without a limit.
    #[inline]
    const fn unlimited(self) -> Budget {
        if self.is_of_a_poll() {
            Budget::FREE
        } else {
            Budget::UNLIMITED
        }
    }
}

const _: () = assert!(Budget::full().is_limited());

#[inline]
fn left() -> Budget {
    now(|now| now.budget.get())
}

/// Whether this thread is in a poll, though that may be without a limit.
#[inline]
pub(crate) fn is_of_a_poll() -> bool {
    left().is_of_a_poll()
}

#[inline]
fn set(budget: Budget) {
    now(|now| now.budget.set(budget));
}

#[inline]
pub(crate) fn replace(budget: Budget) -> Budget {
    now(|now| now.budget.replace(budget))
}

/// A unit of progress, taken from the budget and not yet used.
#[derive(Debug)]
#[must_use = "a unit that made no progress should be given back by `refund`"]
pub struct Unit(Budget);

impl Unit {
    /// Gives the unit back: the leaf found nothing to do.
    #[inline]
    pub fn refund(self) {
        set(self.0);
    }

    /// Keeps the unit spent: the leaf made progress.
    #[inline]
    pub fn spend(self) {}

    /// Keeps it and takes more of them, as many as there are: the progress was
    /// large, a copy of many bytes for instance.
    #[inline]
    pub fn spend_with(self, more: usize) {
        let left = left();
        if more > 0 && left.is_limited() {
            let more = u8::try_from(more).unwrap_or(u8::MAX);
            set(Budget(left.0.saturating_sub(more)));
        }
    }
}

/// Takes one unit, or, when the budget is spent, wakes the task and is pending.
///
/// # Example
///
/// ```
/// use std::task::{Context, Poll, Waker};
/// use wakeline_context::{Polling, budget};
///
/// let mut cx = Context::from_waker(Waker::noop());
/// let _poll = Polling::begin();
/// for _ in 0..budget::PER_POLL {
///     assert!(matches!(budget::poll_proceed(&mut cx), Poll::Ready(_)));
/// }
/// assert!(budget::poll_proceed(&mut cx).is_pending());
/// ```
#[inline]
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<Unit> {
    let before = left();
    if before.is_limited() {
        if before == Budget::SPENT {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        set(Budget(before.0 - 1));
    }
    Poll::Ready(Unit(before))
}

/// Whether a task is being polled here, under its budget: what blocks this
/// thread now keeps other tasks from running.
///
/// # Example
///
/// ```
/// use wakeline_context::{Polling, budget};
///
/// assert!(!budget::is_limited());
/// let _poll = Polling::begin();
/// assert!(budget::is_limited());
/// ```
#[inline]
#[must_use]
pub fn is_limited() -> bool {
    left().is_limited()
}

/// Whether the poll in progress has nothing left to spend.
#[inline]
#[must_use]
pub fn is_spent() -> bool {
    left() == Budget::SPENT
}

/// The end of a wait that is given up: at a limit of time, for a cancel.
///
/// A future that is pending only because the budget is spent may have what it is awaited
/// for. So who finds that its limit has passed asks here before it gives the future up:
/// once, where nothing is left to spend, that is pending, and the future gets a poll more:
/// in the task's next one, whose budget is new, though others in the task may spend it
/// before. Only once, as who spends all in each poll must not thereby have the future
/// escape its limit. And it costs a unit, so that a loop of things which are
/// given up at once gives way as any other.
///
/// # Example
///
/// ```
/// use std::task::{Context, Waker};
/// use wakeline_context::{Polling, budget};
///
/// let mut cx = Context::from_waker(Waker::noop());
/// let mut give_up = budget::GiveUp::default();
/// let _poll = Polling::begin();
/// while let std::task::Poll::Ready(unit) = budget::poll_proceed(&mut cx) {
///     unit.spend();
/// }
/// assert!(give_up.poll(&mut cx).is_pending());
/// // In the next poll, if that has spent all, too:
/// assert!(give_up.poll(&mut cx).is_ready());
/// ```
#[derive(Debug, Default)]
pub struct GiveUp {
    put_off: bool,
}

impl GiveUp {
    /// Ready if the future may be given up; else the task is woken for another poll.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.put_off && is_spent() {
            return Poll::Ready(());
        }
        match poll_proceed(cx) {
            Poll::Ready(unit) => {
                unit.spend();
                Poll::Ready(())
            }
            Poll::Pending => {
                self.put_off = true;
                Poll::Pending
            }
        }
    }
}

/// Runs `f` without a limit: for a timeout's own timer, which must be looked
/// at also when the future it guards has used everything up.
#[inline]
pub fn unlimited<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(Budget);
    impl Drop for Restore {
        fn drop(&mut self) {
            set(self.0);
        }
    }
    let _restore = Restore(replace(left().unlimited()));
    f()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Polling;
    use std::task::Waker;

    fn spend_all(cx: &mut Context<'_>) -> u32 {
        let mut units = 0;
        while let Poll::Ready(unit) = poll_proceed(cx) {
            unit.spend();
            units += 1;
        }
        units
    }

    #[test]
    fn a_poll_ends_after_its_units_and_the_next_one_starts_full() {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            let _scope = Polling::begin();
            assert_eq!(spend_all(&mut cx), u32::from(PER_POLL));
            assert!(is_spent());
        }
    }

    #[test]
    fn a_refund_costs_nothing() {
        let mut cx = Context::from_waker(Waker::noop());
        let _scope = Polling::begin();
        for _ in 0..1_000 {
            match poll_proceed(&mut cx) {
                Poll::Ready(unit) => unit.refund(),
                Poll::Pending => panic!("a refunded unit was counted"),
            }
        }
    }

    #[test]
    fn unlimited_restores_the_limit_also_after_a_panic() {
        let mut cx = Context::from_waker(Waker::noop());
        let _scope = Polling::begin();
        spend_all(&mut cx);
        let caught = std::panic::catch_unwind(|| unlimited(|| panic!("in the middle")));
        assert!(caught.is_err());
        assert!(is_spent());
    }
}
