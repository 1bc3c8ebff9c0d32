//! The owned list: every task that has been spawned and is not complete.
//!
//! It keeps a reference to each, so that run queues need not count, and it is
//! how a shutdown finds those who wait for something. Where several workers spawn
//! it is split into shards, so that two of them do not meet at one lock.

use std::sync::atomic::Ordering::Relaxed;

use slab::Slab;
use wakeline_context::Reason;
use wakeline_sync::lock::{Guard, Lock};

use super::{Id, Task, TaskInfo, TaskState};

/// The tasks of an executor, which several threads spawn.
pub(crate) type OwnedByMany = Owned<8>;

/// The local tasks of a thread.
pub(crate) type OwnedByOne = Owned<1>;

pub(crate) struct Owned<const SHARDS: usize> {
    shards: [Lock<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    tasks: Slab<Task>,
    closed: bool,
}

impl Shard {
    #[inline]
    fn push<const SHARDS: usize>(&mut self, task: Task, index: usize) {
        let key = self.tasks.vacant_key() * SHARDS + index;
        // Relaxed: the push to a run queue orders it before any reader.
        task.header().owned_key.store(key, Relaxed);
        self.tasks.insert(task);
    }
}

impl<const SHARDS: usize> Owned<SHARDS> {
    pub(crate) fn new() -> Owned<SHARDS> {
        Owned {
            shards: std::array::from_fn(|_| Lock::default()),
        }
    }

    /// Takes the list's reference to a new task and writes down where it is.
    ///
    /// # Errors
    ///
    /// Gives the task back if the list is closed: it must not run.
    #[inline]
    pub(crate) fn insert(&self, task: Task) -> Result<(), Task> {
        let index = Self::shard_of(task.header().id);
        let mut shard = self.shard(index);
        if shard.closed {
            return Err(task);
        }
        shard.push::<SHARDS>(task, index);
        Ok(())
    }

    /// Takes a complete task in again, although the list may be closed.
    pub(crate) fn keep(&self, task: Task) {
        let index = Self::shard_of(task.header().id);
        self.shard(index).push::<SHARDS>(task, index);
    }

    /// Takes a completed task out.
    #[inline]
    pub(crate) fn remove(&self, key: usize) -> Option<Task> {
        self.shard(key % SHARDS).tasks.try_remove(key / SHARDS)
    }

    /// Refuses tasks from now on.
    pub(crate) fn close(&self) {
        for index in 0..SHARDS {
            self.shard(index).closed = true;
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

    /// The tasks on the list: all that are there from the beginning to the end.
    pub(crate) fn snapshot(&self) -> Vec<Task> {
        /// Places looked at under a lock that others wait for by turning.
        const AT_ONCE: usize = 256;
        let mut tasks = Vec::new();
        for index in 0..SHARDS {
            let mut places = 0..0;
            loop {
                let shard = self.shard(index);
                if places.end >= shard.tasks.capacity() {
                    break;
                }
                places = places.end..places.end + AT_ONCE;
                tasks.extend(places.clone().filter_map(|at| shard.tasks.get(at).cloned()));
            }
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

    pub(crate) fn len(&self) -> usize {
        (0..SHARDS).map(|index| self.shard(index).tasks.len()).sum()
    }

    /// No foreign code runs under the lock.
    #[inline]
    fn shard(&self, index: usize) -> Guard<'_, Shard> {
        self.shards[index].lock()
    }

    /// Threads take ids in blocks of 256, so the shards follow the threads.
    #[inline]
    fn shard_of(id: Id) -> usize {
        ((id.get() - 1) / 256) as usize % SHARDS
    }
}
