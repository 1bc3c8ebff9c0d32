//! Whom a report is told, how often, and what if that fails.
//!
//! ```text
//!   finding ──▶ in the hook already? ──▶ room in this second? ──▶ hook ──▶ done
//!                     │ yes                    │ no                │ panics
//!                     ▼                        ▼                   ▼
//!                  counted                  counted              stderr
//! ```
//!
//! What is counted is told by the next report of the sort, or when the executor
//! has ended. So nothing is kept but a few numbers, however much is found.

use std::cell::Cell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wakeline_context::quietly;

use super::config::Hook;
use super::{DebugConfig, Finding, Report, Roots};

/// The window of the limit.
const SECOND: Duration = Duration::from_secs(1);

thread_local! {
    /// This thread is in a hook: what that does is not reported on.
    static IN_HOOK: Cell<bool> = const { Cell::new(false) };
}

/// Debug mode of one executor.
pub(crate) struct Reporter {
    pub(super) slow_poll: Duration,
    hook: Option<Hook>,
    limits: Mutex<[Limit; Finding::SORTS]>,
    /// The futures of the `block_on`s, for the dump.
    pub(crate) roots: Roots,
}

/// How many reports of one sort there may still be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    per_second: u32,
    /// When the second began that is counted now.
    began: Option<Instant>,
    made: u32,
    left_out: u64,
}

impl Limit {
    pub(super) fn new(per_second: u32) -> Limit {
        Limit {
            per_second,
            began: None,
            made: 0,
            left_out: 0,
        }
    }

    /// Asks for one more report; if it may be made, how many were left out before.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        let over = |began| now.saturating_duration_since(began) >= SECOND;
        if self.began.is_none_or(over) {
            self.began = Some(now);
            self.made = 0;
        }
        if self.made >= self.per_second {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.made += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Reporter {
    pub(crate) fn new(config: DebugConfig) -> Reporter {
        Reporter {
            slow_poll: config.slow_poll,
            hook: config.hook,
            limits: Mutex::new([Limit::new(config.per_second); Finding::SORTS]),
            roots: Roots::default(),
        }
    }

    /// Reports a finding, if there is room for it.
    pub(super) fn report(&self, finding: Finding) {
        let sort = finding.sort();
        if in_hook() {
            let left_out = &mut self.limits()[sort].left_out;
            *left_out = left_out.saturating_add(1);
            return;
        }
        let admitted = self.limits()[sort].admit(Instant::now());
        if let Some(left_out) = admitted {
            self.tell(&Report { finding, left_out });
        }
    }

    /// No lock is held here: the hook is foreign code.
    fn tell(&self, report: &Report) {
        let Some(hook) = &self.hook else {
            return to_stderr(report);
        };
        let entered = Entered(IN_HOOK.replace(true));
        let told = catch_unwind(AssertUnwindSafe(|| hook(report)));
        if let Err(payload) = told {
            quietly(|| drop(payload));
            to_stderr(report);
        }
        drop(entered);
    }

    fn limits(&self) -> MutexGuard<'_, [Limit; Finding::SORTS]> {
        // No foreign code runs under the lock.
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        let left_out = self
            .limits()
            .iter()
            .fold(0, |sum: u64, limit| sum.saturating_add(limit.left_out));
        if left_out > 0 {
            self.tell(&Report {
                finding: Finding::LeftOut,
                left_out,
            });
        }
    }
}

fn in_hook() -> bool {
    IN_HOOK.get()
}

/// The thread is in a hook until this is dropped.
struct Entered(bool);

impl Drop for Entered {
    fn drop(&mut self) {
        IN_HOOK.set(self.0);
    }
}

fn to_stderr(report: &Report) {
    // Formatted first and written at once, so that lines of two threads do not
    // mix. A stderr that is closed has nobody who reads it.
    quietly(|| {
        let line = format!("wakeline: {report}\n");
        drop(std::io::stderr().write_all(line.as_bytes()));
    });
}
