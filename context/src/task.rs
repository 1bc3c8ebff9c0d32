//! Which task is being polled, for locks that know their owner.

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
