//! What is looked at while tasks run: how long a poll takes, and how they end.

use std::time::Instant;

use wakeline_context::{Cause, Reason, WaitingOn};

use super::{Finding, Reporter, Subject, Then};

impl Reporter {
    /// A poll begins; [`polled`](Reporter::polled) looks how long it took.
    pub(crate) fn begin(&self) -> Began<'_> {
        Began {
            reporter: self,
            at: Instant::now(),
        }
    }

    /// A failure is dropped that nobody has seen.
    pub(crate) fn unobserved(&self, subject: Subject, message: String) {
        self.report(Finding::Unobserved { subject, message });
    }

    /// A task ends that never was polled; a finding, if nobody wanted that.
    ///
    /// Whoever aborts a task, or cancels what it is a part of, has decided about
    /// it. Where the runtime ends, or an owner is dropped, nobody has: that the
    /// task had not run may well be news.
    pub(crate) fn never_polled(&self, subject: impl FnOnce() -> Subject, reason: &Reason) {
        if matches!(reason.cause(), Cause::Dropped | Cause::Shutdown) {
            self.report(Finding::NeverPolled {
                subject: subject(),
                reason: reason.clone(),
            });
        }
    }

    /// A finalizer is dropped, which somebody relies on: always a finding.
    pub(super) fn finalizer_dropped(&self, subject: Subject, reason: Reason) {
        self.report(Finding::FinalizerDropped { subject, reason });
    }
}

/// A poll that is being timed.
pub(crate) struct Began<'a> {
    reporter: &'a Reporter,
    at: Instant,
}

impl Began<'_> {
    /// The poll has ended; reported, if that took long.
    pub(crate) fn ended(self, subject: impl FnOnce() -> Subject, then: Then) {
        let took = self.at.elapsed();
        if took >= self.reporter.slow_poll {
            self.reporter.report(Finding::SlowPoll {
                subject: subject(),
                took,
                then,
            });
        }
    }
}

impl Then {
    /// Of a poll that is pending.
    pub(crate) fn waits(waiting: Option<WaitingOn>) -> Then {
        waiting.map_or(Then::Pending, Then::Waits)
    }
}
