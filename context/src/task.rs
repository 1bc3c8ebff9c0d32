//! Which task is being polled, for locks that know their owner; on which level, for what
//! is lent to it alone; and whether the thread is one that polls any, for what must not
//! block it.

use crate::now::now;

/// The id of the task that this thread polls or drops; 0 outside of tasks.
#[must_use]
#[inline]
pub fn current_task() -> u64 {
    now(|now| now.task.get())
}

/// Says which task this thread polls or drops from now on; gives the one before.
///
/// For the executor, which says 0 afterwards.
#[inline]
pub fn replace_task(id: u64) -> u64 {
    now(|now| now.task.replace(id))
}

/// Whether this thread runs tasks: what blocks it keeps them from running, also between
/// two polls, in a destructor, and in a poll without a limit. A blocking job's runs none.
///
/// # Example
///
/// ```
/// use wakeline_context::{runs_tasks, set_runs_tasks};
///
/// assert!(!runs_tasks());
/// set_runs_tasks(true);
/// assert!(runs_tasks());
/// ```
#[must_use]
#[inline]
pub fn runs_tasks() -> bool {
    now(|now| now.runs_tasks.get())
}

/// Says so from now on. For the executor, when its loop begins on this thread and when
/// that has ended.
#[inline]
pub fn set_runs_tasks(runs: bool) {
    now(|now| now.runs_tasks.set(runs));
}

/// How often what this thread is inside of is set aside: what a thread-local holds for
/// one level is no other's.
#[must_use]
#[inline]
pub fn level() -> u32 {
    now(|now| now.level.get())
}

/// Says which level this thread is on from now on; gives the one before.
///
/// For the executor: the future of a `block_on` is on its caller's.
#[inline]
pub fn replace_level(level: u32) -> u32 {
    now(|now| now.level.replace(level))
}
