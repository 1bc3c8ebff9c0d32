//! Which outcome a scope has, when several things have happened: a table.
//!
//! ```text
//!   a panic, and panics are resumed ─────────▶ Panic
//!   an error, of the body or of a child ─────▶ Failed     all of them, the body's first
//!   a finalizer that did not finish ─────────▶ Failed
//!   the body has its value, and ─────────────▶ Value
//!     nobody was cut off; or it came in the turn of the cancel or after (G3);
//!     or the scope was cancelled by itself: that is how it says "enough"
//!   cancelled from outside, at the exit ─────▶ Cancelled  the outermost reports
//!   its own deadline ────────────────────────▶ Elapsed
//!   cancelled by itself ─────────────────────▶ Cancelled
//! ```
//! The first line that fits counts. It knows no future and no clock.

use super::OnPanic;

/// How the body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyEnd {
    /// It was dropped where it stood, or gave up because of the cancel.
    Cut,
    /// With a value, in a turn before the cancel was seen, or there was none.
    Before,
    /// With a value, in the turn that saw the cancel or later.
    Since,
    /// With an error.
    Failed,
    /// It panicked.
    Panicked,
}

/// What has happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) body: BodyEnd,
    /// A child returned an error.
    pub(super) errors: bool,
    /// A child or a finalizer panicked.
    pub(super) panics: bool,
    /// A finalizer did not finish in time.
    pub(super) unfinished: bool,
    /// A child was dropped before it was done.
    pub(super) cut: bool,
    /// The scope's own deadline cancelled it.
    pub(super) own_deadline: bool,
    /// What surrounds the scope is cancelled.
    pub(super) outer: bool,
    pub(super) on_panic: OnPanic,
}

/// What the scope returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Value,
    Panic,
    Failed,
    /// With the reason of what surrounds the scope.
    CancelledOutside,
    /// With the scope's own.
    CancelledInside,
    Elapsed,
}

pub(super) fn exit(facts: Facts) -> Exit {
    let panics = facts.panics || facts.body == BodyEnd::Panicked;
    if panics && facts.on_panic == OnPanic::Resume {
        return Exit::Panic;
    }
    if panics || facts.errors || facts.unfinished || facts.body == BodyEnd::Failed {
        return Exit::Failed;
    }
    match facts.body {
        BodyEnd::Since => return Exit::Value,
        BodyEnd::Before if !facts.cut || !(facts.outer || facts.own_deadline) => {
            return Exit::Value;
        }
        _ => {}
    }
    if facts.outer {
        Exit::CancelledOutside
    } else if facts.own_deadline {
        Exit::Elapsed
    } else {
        Exit::CancelledInside
    }
}

#[cfg(test)]
mod tests;
