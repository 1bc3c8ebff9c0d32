//! What debug mode tells: one finding, about one task or future.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use wakeline_context::{Reason, WaitingOn};

use crate::task::Id;

/// One thing that debug mode has found. Its `Display` is one line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// What was found.
    pub finding: Finding,
    /// How many findings of this sort were not reported since the last report
    /// of it, as there were too many in too short a time.
    pub left_out: u64,
}

/// What debug mode finds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Finding {
    /// A single poll took long: meanwhile its thread ran nothing else.
    #[non_exhaustive]
    SlowPoll {
        /// Whose poll it was.
        subject: Subject,
        /// How long it took.
        took: Duration,
        /// How it ended.
        then: Then,
    },
    /// A task failed, and its result is gone without anybody having seen it.
    #[non_exhaustive]
    Unobserved {
        /// Who failed.
        subject: Subject,
        /// The panic's text, or the error's.
        message: String,
    },
    /// A task, or a child of a scope, ended before its future was polled for the
    /// first time, though nobody had asked for that: none of its code has run.
    #[non_exhaustive]
    NeverPolled {
        /// Who never ran.
        subject: Subject,
        /// Why it ended.
        reason: Reason,
    },
    /// The finalizer of a guard that borrows was dropped before its end: nobody could run
    /// it any more, as its scope was dropped, or had ended.
    #[non_exhaustive]
    FinalizerDropped {
        /// The guard.
        subject: Subject,
        /// Why it ended.
        reason: Reason,
    },
    /// More was found than [`DebugConfig::per_second`](super::DebugConfig::per_second)
    /// allows, and the executor has ended: this is what no report has counted.
    LeftOut,
}

/// Whom a report is about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Subject {
    /// What it is.
    pub kind: SubjectKind,
    /// The task's id; a `block_on` has one, too. What is a part of a scope has none.
    pub id: Option<Id>,
    /// The task's name, if it was given one.
    pub name: Option<Arc<str>>,
    /// The line that spawned it, made it, or called `block_on`.
    pub spawned_at: &'static Location<'static>,
}

/// What a report can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectKind {
    /// A task or a blocking job.
    Task,
    /// The future of a `block_on`.
    Root,
    /// A future that was spawned into a scope.
    Child,
    /// A value with a finalizer, of a scope.
    Guard,
}

/// How a slow poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Then {
    /// It waits for this now.
    Waits(WaitingOn),
    /// It waits for something that is no future of ours.
    Pending,
    /// It is done.
    Ended,
    /// It panicked.
    Panicked,
}

impl Finding {
    /// How many sorts of findings there are.
    pub(super) const SORTS: usize = 5;

    /// Which one this is, for the limit that each has for itself.
    pub(super) fn sort(&self) -> usize {
        match self {
            Finding::SlowPoll { .. } => 0,
            Finding::Unobserved { .. } => 1,
            Finding::NeverPolled { .. } => 2,
            Finding::FinalizerDropped { .. } => 3,
            Finding::LeftOut => 4,
        }
    }

    /// Whom it is about; nobody in particular, if findings were left out.
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        match self {
            Finding::SlowPoll { subject, .. }
            | Finding::Unobserved { subject, .. }
            | Finding::NeverPolled { subject, .. }
            | Finding::FinalizerDropped { subject, .. } => Some(subject),
            Finding::LeftOut => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            SubjectKind::Task => f.write_str("task")?,
            SubjectKind::Child => f.write_str("a scope's child")?,
            SubjectKind::Guard => return write!(f, "the guard made at {}", self.spawned_at),
            SubjectKind::Root => {
                return write!(f, "the future of `block_on` at {}", self.spawned_at);
            }
        }
        if let Some(id) = self.id {
            write!(f, " {id}")?;
        }
        if let Some(name) = &self.name {
            write!(f, " \"{name}\"")?;
        }
        write!(f, ", spawned at {}", self.spawned_at)
    }
}

impl fmt::Display for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Then::Waits(waiting) => write!(f, "it waits for {waiting}"),
            Then::Pending => f.write_str("it waits for a future that says nothing of itself"),
            Then::Ended => f.write_str("it has ended"),
            Then::Panicked => f.write_str("it has panicked"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::SlowPoll {
                subject,
                took,
                then,
            } => write!(
                f,
                "a poll took {took:.1?}: {subject}; now {then}; what blocks belongs into `spawn_blocking`"
            ),
            Finding::Unobserved { subject, message } => {
                write!(f, "nobody has looked at a failure: {subject}: {message}")
            }
            Finding::NeverPolled { subject, reason } => write!(
                f,
                "dropped without ever having run: {subject}: {reason} (at {})",
                reason.location()
            ),
            Finding::FinalizerDropped { subject, reason } => write!(
                f,
                "a finalizer was dropped with its scope: {subject}: {reason} (at {}); only one that borrows nothing can go on, by `guard_static`",
                reason.location()
            ),
            Finding::LeftOut => f.write_str("the runtime has ended"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.finding.fmt(f)?;
        match (&self.finding, self.left_out) {
            (_, 0) => Ok(()),
            (Finding::LeftOut, count) => write!(f, ", {count} more findings were not reported"),
            (_, count) => write!(f, " ({count} more of this sort were not reported)"),
        }
    }
}
