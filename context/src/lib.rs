//! The poll in progress: what it may still do, and what it waits for.
//!
//! A leaf (a socket read, a sleep, a lock) and the executor must agree on two
//! things without knowing each other: how much more work this poll may do
//! before it yields, and, when it parks, what for and at which line. Both live
//! here, in words of the thread (`now.rs`) that the executor sets and the leaf reads.
//!
//! ```text
//!  executor             this crate                     leaf
//!  ────────             ──────────                     ────
//!  PollScope::enter ──▶ budget = 128, waiting = none
//!  future.poll(cx) ───────────────────────────────────▶ budget::poll_proceed(cx)
//!                       waiting = (kind, id, line) ◀─── waiting_on(..), Poll::Pending
//!  PollScope::leave ◀── waiting
//! ```
//!
//! Beside them stand the id of the task being polled (`task.rs`), the values
//! and the cancel token that surround it (`ambient.rs`), the words in which a
//! cancellation says why (`reason.rs`), and variables made of all this (`local/`); and
//! how to call what may panic (`quiet.rs`).
//!
//! There is no lock here, and every function may be called at any time, also
//! while a thread is ending.
//!
//! # Example
//!
//! ```
//! use std::panic::Location;
//! use wakeline_context::{Kind, PollScope, waiting_on};
//!
//! let scope = PollScope::enter();
//! waiting_on(Kind::Timer, 7, Location::caller()); // what a leaf does before `Pending`
//! let waiting = scope.leave().expect("the leaf said what it waits for");
//! assert_eq!((waiting.kind, waiting.id), (Kind::Timer, 7));
//! ```

#![forbid(unsafe_code)]

use std::panic::Location;

mod ambient;
pub mod budget;
pub mod chance;
mod late;
pub mod local;
mod now;
mod quiet;
mod reason;
mod task;
mod waiting;

pub use ambient::{
    AnyToken, InstalledLocals, InstalledToken, Key, Locals, current_token, install_token,
    outlive_the_rest, replace_locals,
};
pub use late::LateWake;
pub use quiet::quietly;
pub use reason::{Cause, Reason};
pub use task::{current_task, replace_task};
pub use waiting::{Kind, WaitingOn, waiting_on};

/// One poll of one task, from the executor's side.
///
/// Entering gives the poll a full budget and forgets what an earlier poll
/// waited for; leaving hands out what this one waits for and restores what was
/// there before, so that a `block_on` inside a poll does not disturb it.
#[derive(Debug)]
#[must_use = "the scope ends when this is dropped"]
pub struct PollScope {
    outer_budget: budget::Budget,
    /// Only of a poll that this one is inside of: so it may cost an allocation.
    outer_waiting: Option<Box<WaitingOn>>,
    /// What it waits for was handed out.
    left: bool,
}

impl PollScope {
    /// Begins a poll with [`budget::PER_POLL`] units of work.
    #[inline]
    pub fn enter() -> PollScope {
        let outer_budget = budget::replace(budget::Budget::full());
        let outer_waiting = if outer_budget.is_of_a_poll() {
            waiting::take_rare()
        } else {
            // Said outside of all polls, by a blocking wait for instance.
            waiting::forget();
            None
        };
        PollScope {
            outer_budget,
            outer_waiting,
            left: false,
        }
    }

    /// Ends the poll and tells what its last pending leaf waits for.
    #[inline]
    pub fn leave(self) -> Option<WaitingOn> {
        let (location, what) = self.leave_packed();
        WaitingOn::unpack(location, what)
    }

    /// The same in two words, for who keeps it until somebody asks: the line, or
    /// `None` if there is nothing to tell, and what [`WaitingOn::unpack`] reads.
    #[inline]
    pub fn leave_packed(mut self) -> (Option<&'static Location<'static>>, u64) {
        let packed = waiting::take_packed();
        self.left = true;
        packed
    }
}

impl Drop for PollScope {
    #[inline]
    fn drop(&mut self) {
        budget::replace(self.outer_budget);
        if !self.left {
            waiting::forget();
        }
        if let Some(outer) = self.outer_waiting.take() {
            waiting::restore(outer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::Location;

    #[test]
    fn an_inner_scope_does_not_disturb_the_outer_one() {
        let outer = PollScope::enter();
        waiting_on(Kind::Read, 1, Location::caller());
        let inner = PollScope::enter();
        waiting_on(Kind::Timer, 2, Location::caller());
        assert_eq!(inner.leave().map(|w| w.id), Some(2));
        assert_eq!(outer.leave().map(|w| w.id), Some(1));
    }

    #[test]
    fn it_does_not_where_the_outer_one_has_no_limit_either() {
        let outer = PollScope::enter();
        budget::unlimited(|| {
            waiting_on(Kind::Read, 1, Location::caller());
            // Again, as wrappers nest.
            budget::unlimited(|| drop(PollScope::enter()));
            assert!(!budget::is_limited());
        });
        assert!(budget::is_limited());
        assert_eq!(outer.leave().map(|w| w.id), Some(1));
    }

    #[test]
    fn what_was_said_outside_of_all_polls_is_not_kept() {
        waiting_on(Kind::Read, 1, Location::caller());
        let scope = PollScope::enter();
        assert!(scope.outer_waiting.is_none());
        assert!(scope.leave().is_none());
        assert!(PollScope::enter().leave().is_none());
    }

    #[test]
    fn nothing_is_left_behind_after_a_scope() {
        let scope = PollScope::enter();
        waiting_on(Kind::Read, 1, Location::caller());
        drop(scope);
        let scope = PollScope::enter();
        assert!(scope.leave().is_none());
    }
}
