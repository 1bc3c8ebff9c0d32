//! What this crate keeps of a thread for each poll, in one place.
//!
//! A thread-local costs an instruction for its address wherever it is looked at,
//! and a poll looks at all of these, before and after: with one address they are
//! words beside each other.

use std::cell::Cell;
use std::panic::Location;

use crate::budget::Budget;

pub(crate) struct Now {
    /// See `budget.rs`.
    pub(crate) budget: Cell<Budget>,
    /// Whether `ambient.rs` has a value here: most threads never see one, and this
    /// needs no destructor and so no look whether that has run.
    pub(crate) any_locals: Cell<bool>,
    /// The same of the token.
    pub(crate) any_token: Cell<bool>,
    /// See `home.rs`.
    pub(crate) home: Cell<usize>,
    /// See `task.rs`.
    pub(crate) runs_tasks: Cell<bool>,
    pub(crate) task: Cell<u64>,
    /// See `task.rs`: how often what the thread is inside of is set aside.
    pub(crate) level: Cell<u32>,
    /// See `waiting.rs`: whether there is anything to tell, and the line.
    pub(crate) location: Cell<Option<&'static Location<'static>>>,
    /// The rest of it, packed; says nothing while there is no line.
    pub(crate) what: Cell<u64>,
}

thread_local! {
    static NOW: Now = const {
        Now {
            budget: Cell::new(Budget::UNLIMITED),
            any_locals: Cell::new(false),
            any_token: Cell::new(false),
            home: Cell::new(0),
            runs_tasks: Cell::new(false),
            task: Cell::new(0),
            level: Cell::new(0),
            location: Cell::new(None),
            what: Cell::new(0),
        }
    };
}

/// Looks at what this thread has; also while the thread is ending.
#[inline(always)]
pub(crate) fn now<R>(look: impl FnOnce(&Now) -> R) -> R {
    NOW.with(look)
}
