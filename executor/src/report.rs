//! What became of the tasks of an executor that was shut down.

use std::fmt;

use crate::task::TaskInfo;

/// What became of the tasks when their executor was shut down.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Tasks that ended by themselves during the grace period.
    pub finished: usize,
    /// Tasks that were dropped where they stood.
    pub cut_off: Vec<TaskInfo>,
    /// Cleanups that ended by themselves since the shutdown began.
    pub cleanups_finished: usize,
    /// Cleanups that took longer than they had, and were dropped.
    pub cleanups_cut_off: Vec<TaskInfo>,
    /// Blocking jobs that still run; nothing can end them.
    pub blocking_jobs_left: usize,
    /// Worker threads still in a poll that does not return, or in what their driver has
    /// called, if they were waited for. Until it returns the threads of the other workers
    /// stay, too.
    pub stuck_workers: usize,
    /// Operations the kernel still held; their memory was leaked for it.
    pub leaked_operations: usize,
}

impl ShutdownReport {
    /// Whether everything ended by itself.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.cut_off.is_empty()
            && self.cleanups_cut_off.is_empty()
            && self.blocking_jobs_left == 0
            && self.stuck_workers == 0
            && self.leaked_operations == 0
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |count| if count == 1 { "" } else { "s" };
        let (finished, cut_off) = (self.finished, self.cut_off.len());
        write!(
            f,
            "{finished} task{} finished, {cut_off} cut off",
            s(finished)
        )?;
        let rest = [
            (self.cleanups_finished, "cleanup", "finished"),
            (self.cleanups_cut_off.len(), "cleanup", "cut off"),
            (self.blocking_jobs_left, "blocking job", "still running"),
            (self.stuck_workers, "worker", "stuck in a poll"),
            (self.leaked_operations, "operation", "leaked to the kernel"),
        ];
        for (count, what, how) in rest.into_iter().filter(|(count, ..)| *count > 0) {
            write!(f, ", {count} {what}{} {how}", s(count))?;
        }
        let tasks = self.cut_off.iter().map(|task| ("", task));
        let cleanups = self.cleanups_cut_off.iter().map(|task| ("cleanup ", task));
        tasks
            .chain(cleanups)
            .try_for_each(|(what, task)| write!(f, "\n  {what}cut off: {task}"))
    }
}
