//! The owned list: every task that has been spawned and is not complete.
//!
//! It keeps a reference to each, so that run queues need not count, and it is
//! how a shutdown finds those who wait for something. Where several workers spawn
//! it is split into shards, so that two of them do not meet at one lock.

use std::sync::atomic::Ordering::Relaxed;

use wakeline_context::Reason;
use wakeline_sync::lock::Lock;

use super::{Id, Task, TaskInfo, TaskState};
use crate::favour::Favour;

/// The tasks of an executor, which several threads spawn.
pub(crate) type OwnedByMany = Owned<Lock<Shard>, 8>;

/// The local tasks of a thread, which comes to it at each spawn and each end; others
/// only to look and to end them all.
pub(crate) type OwnedByOne = Owned<Favour<Shard>, 1>;

pub(crate) struct Owned<L, const SHARDS: usize> {
    shards: [L; SHARDS],
}

/// The lock of a shard.
pub(crate) trait Guarded {
    fn new() -> Self;

    /// Nothing if the shard cannot be had: see [`Favour::with`]. No foreign code runs
    /// under the lock.
    fn with<R>(&self, f: impl FnOnce(&mut Shard) -> R) -> Option<R>;
}

#[derive(Default)]
pub(crate) struct Shard {
    /// By their keys.
    tasks: Vec<Option<Task>>,
    /// The keys that nobody has, the last given back on top.
    free: Vec<usize>,
    closed: bool,
}

impl Shard {
    #[inline]
    fn push<const SHARDS: usize>(&mut self, task: Task, index: usize) {
        // Relaxed: the push to a run queue orders it before any reader.
        let store = |key| task.header().owned_key.store(key * SHARDS + index, Relaxed);
        match self.free.pop() {
            Some(key) => {
                store(key);
                self.tasks[key] = Some(task);
            }
            None => {
                store(self.tasks.len());
                self.tasks.push(Some(task));
            }
        }
    }

    #[inline]
    fn remove(&mut self, key: usize) -> Option<Task> {
        let task = self.tasks.get_mut(key)?.take()?;
        self.free.push(key);
        Some(task)
    }

    fn len(&self) -> usize {
        self.tasks.len() - self.free.len()
    }
}

impl Guarded for Lock<Shard> {
    fn new() -> Self {
        Lock::default()
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut Shard) -> R) -> Option<R> {
        Some(f(&mut self.lock()))
    }
}

impl Guarded for Favour<Shard> {
    fn new() -> Self {
        Favour::new(Shard::default())
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut Shard) -> R) -> Option<R> {
        Favour::with(self, f)
    }
}

impl OwnedByOne {
    /// Whose the list is; before others know of it.
    pub(crate) fn favour(&mut self, home: usize) {
        let [shard] = &mut self.shards;
        shard.favour(home);
    }
}

/// What `Guarded::with` gives to who spawns tasks and ends them.
const HAD: &str = "only those at home add local tasks and take them out";

impl<L: Guarded, const SHARDS: usize> Owned<L, SHARDS> {
    pub(crate) fn new() -> Self {
        Owned {
            shards: std::array::from_fn(|_| L::new()),
        }
    }

    /// Takes the list's reference to a new task and writes down where it is.
    ///
    /// # Errors
    ///
    /// Gives the task back if the list is closed: it must not run.
    #[inline(always)]
    pub(crate) fn insert(&self, task: Task) -> Result<(), Task> {
        let index = Self::shard_of(task.header().id);
        let inserted = self.shards[index].with(|shard| {
            if shard.closed {
                return Err(task);
            }
            shard.push::<SHARDS>(task, index);
            Ok(())
        });
        inserted.expect(HAD)
    }

    /// Takes a complete task in again, although the list may be closed.
    pub(crate) fn keep(&self, task: Task) {
        let index = Self::shard_of(task.header().id);
        let kept = self.shards[index].with(|shard| shard.push::<SHARDS>(task, index));
        kept.expect(HAD);
    }

    /// Takes a completed task out.
    #[inline(always)]
    pub(crate) fn remove(&self, key: usize) -> Option<Task> {
        let shard = &self.shards[key % SHARDS];
        shard.with(|shard| shard.remove(key / SHARDS)).expect(HAD)
    }

    /// Refuses tasks from now on.
    pub(crate) fn close(&self) {
        for shard in &self.shards {
            // A list that cannot be had is closed by its own thread: `Shared::end_own`.
            let _ = shard.with(|shard| shard.closed = true);
        }
    }

    /// Aborts every task on the list; without a word the runtime's reason is theirs.
    pub(crate) fn abort_all(&self, reason: Option<&Reason>) {
        // Cloned out, as an abort runs the scheduler, which must not run under
        // the lock of a list that it takes tasks out of.
        for task in self.snapshot() {
            match reason {
                Some(reason) => task.cancel(reason.clone()),
                None => task.abort(),
            }
        }
    }

    /// The tasks on the list: all that are there from the beginning to the end, if the
    /// list can be had.
    pub(crate) fn snapshot(&self) -> Vec<Task> {
        /// Places looked at under a lock that others wait for by turning.
        const AT_ONCE: usize = 256;
        let mut tasks = Vec::new();
        for shard in &self.shards {
            let mut seen = 0;
            let mut look = |shard: &mut Shard| {
                let here = shard.tasks.iter().skip(seen).take(AT_ONCE);
                tasks.extend(here.flatten().cloned());
                seen += AT_ONCE;
                seen < shard.tasks.len()
            };
            while shard.with(&mut look) == Some(true) {}
        }
        tasks
    }

    /// Without those that have ended and only wait to be taken out.
    pub(crate) fn infos(&self) -> Vec<TaskInfo> {
        let infos = self.snapshot();
        let infos = infos.iter().map(Task::info);
        infos
            .filter(|info| info.state != TaskState::Complete)
            .collect()
    }

    /// How many tasks are on the list; none if it cannot be had.
    pub(crate) fn len(&self) -> usize {
        let len = |shard: &L| shard.with(|shard| shard.len()).unwrap_or(0);
        self.shards.iter().map(len).sum()
    }

    /// Threads take ids in blocks of 256, so the shards follow the threads.
    #[inline]
    fn shard_of(id: Id) -> usize {
        ((id.get() - 1) / 256) as usize % SHARDS
    }
}
