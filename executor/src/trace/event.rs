//! What is written down of a task.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use wakeline_context::{Reason, WaitingOn};

/// Something that happened to a task at some moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// When, since the first event that the recorder was told of.
    pub at: Duration,
    /// To which task: its [`Id`](crate::task::Id) as a number. The future of a
    /// `block_on` has one, too.
    pub task: u64,
    /// What it was.
    pub what: What,
}

/// What happened to a task.
///
/// ```text
///   Created ──▶ PollStart ──▶ PollEnd ──▶ Woken ──▶ PollStart ...
///      │                         │          │
///      └─────────────────────────┴──────────┴────▶ Ended
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum What {
    /// It was spawned, and is queued for its first poll.
    #[non_exhaustive]
    Created {
        /// Its name, if it was given one.
        name: Option<Arc<str>>,
        /// The line that spawned it, or called `block_on`.
        spawned_at: &'static Location<'static>,
        /// The task that spawned it, or the future of the `block_on` that did;
        /// nothing if it was spawned from outside of both.
        by: Option<u64>,
        /// It is no task but the future of a `block_on`.
        is_root: bool,
    },
    /// A poll begins.
    #[non_exhaustive]
    PollStart {
        /// On which worker; nothing on a thread that is none: that of a
        /// `block_on` beside the workers, or one for blocking jobs.
        worker: Option<usize>,
    },
    /// A poll has come to its end.
    #[non_exhaustive]
    PollEnd {
        /// It is pending, and not the last poll.
        pending: bool,
        /// What it waits for, as far as the future has told.
        waiting_on: Option<WaitingOn>,
    },
    /// It was woken, or aborted, and is queued for the next poll.
    #[non_exhaustive]
    Woken {
        /// Who did that.
        by: WokenBy,
    },
    /// It has ended, and its future is dropped.
    #[non_exhaustive]
    Ended {
        /// In which way.
        how: End,
    },
}

/// Who woke a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WokenBy {
    /// The task or the future of a `block_on` with this id, while it was polled or
    /// dropped, or by its end.
    Task(u64),
    /// A worker between two polls: a timer, a socket, a yield that is over.
    Driver,
    /// Another thread than those of the executor.
    Outside,
    /// It happened while the task itself was polled: by the task, in most cases.
    InPoll,
}

impl fmt::Display for WokenBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WokenBy::Task(id) => write!(f, "#{id}"),
            WokenBy::Driver => f.write_str("the driver"),
            WokenBy::Outside => f.write_str("another thread"),
            WokenBy::InPoll => f.write_str("itself"),
        }
    }
}

/// How a task ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum End {
    /// With an output.
    Done,
    /// It was aborted or cancelled, for this reason.
    Cancelled(Reason),
    /// It panicked, or the destructor of its future did.
    Panicked,
    /// It never ran: there was no thread for a blocking job.
    Refused,
}

impl End {
    /// The word for it: "done", "cancelled", "panicked" or "refused".
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            End::Done => "done",
            End::Cancelled(_) => "cancelled",
            End::Panicked => "panicked",
            End::Refused => "refused",
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Cancelled(reason) => write!(f, "cancelled: {reason}"),
            _ => f.write_str(self.word()),
        }
    }
}
