//! The owned list: every task that has been spawned and is not complete.
//!
//! It keeps a reference to each, so that run queues need not count, and it is
//! how a shutdown finds those who wait for something. Where several workers spawn
//! it is split into shards, so that two of them do not meet at one lock.

use std::ptr;
use std::sync::atomic::Ordering::Relaxed;

use wakeline_context::{Reason, quietly};
use wakeline_sync::lock::Lock;

use super::cell::Header;
use super::{Task, TaskInfo, TaskState};
use crate::favour::Favour;
use crate::padded::Padded;

/// The tasks of an executor, which several threads spawn.
pub(crate) type OwnedByMany = Owned<Padded<Lock<Shard>>, 8>;

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

    /// For those who spawn tasks and end them, who always have the shard.
    fn with_own<R>(&self, f: impl FnOnce(&mut Shard) -> R) -> R;
}

#[derive(Default)]
pub(crate) struct Shard {
    /// In no order. Each knows its key, which is where it stands here: the last one
    /// takes the place of one that goes.
    tasks: Vec<Task>,
    closed: bool,
}

/// The key of a task that is on no list.
pub(super) const NO_KEY: usize = usize::MAX;

impl Shard {
    #[inline]
    fn push(&mut self, task: Task) {
        // Relaxed, here and below: keys are looked at under the lock alone.
        task.header().owned_key.store(self.tasks.len(), Relaxed);
        self.tasks.push(task);
    }

    /// As `push`, if the list is open and there is room; else the task stays.
    #[inline]
    fn push_at_once(&mut self, task: &mut Option<Task>) {
        if !self.closed && self.tasks.len() < self.tasks.capacity() {
            task.take().into_iter().for_each(|task| self.push(task));
        }
    }

    #[inline]
    fn remove(&mut self, task: &Header) -> Option<Task> {
        let key = task.owned_key.load(Relaxed);
        if key >= self.tasks.len() {
            return None;
        }
        let removed = self.tasks.swap_remove(key);
        debug_assert!(ptr::eq(removed.header(), task), "a key of another task");
        task.owned_key.store(NO_KEY, Relaxed);
        if let Some(moved) = self.tasks.get(key) {
            moved.header().owned_key.store(key, Relaxed);
        }
        Some(removed)
    }
}

impl Guarded for Padded<Lock<Shard>> {
    fn new() -> Self {
        Padded::default()
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut Shard) -> R) -> Option<R> {
        Some(self.with_own(f))
    }

    #[inline]
    fn with_own<R>(&self, f: impl FnOnce(&mut Shard) -> R) -> R {
        f(&mut self.0.lock())
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

    #[inline(always)]
    fn with_own<R>(&self, f: impl FnOnce(&mut Shard) -> R) -> R {
        Favour::with_own(self, f)
    }
}

impl OwnedByOne {
    /// Whose the list is; before others know of it.
    pub(crate) fn favour(&mut self, home: usize) {
        let [shard] = &mut self.shards;
        shard.favour(home);
    }

    /// As `insert`, where there is nobody to wait for and no room to be made; else
    /// nothing is done, and `insert` knows why.
    #[inline(always)]
    pub(crate) fn insert_at_once(&self, task: Task) -> Result<(), Task> {
        let [shard] = &self.shards;
        let mut task = Some(task);
        let _ = shard.with_at_once(|shard| shard.push_at_once(&mut task));
        task.map_or(Ok(()), Err)
    }
}

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
    pub(crate) fn insert(&self, task: Task) -> Result<(), Task> {
        self.shard_of(task.header()).with_own(|shard| {
            if shard.closed {
                return Err(task);
            }
            shard.push(task);
            Ok(())
        })
    }

    /// Takes a complete task in again, although the list may be closed.
    pub(crate) fn keep(&self, task: Task) {
        let shard = self.shard_of(task.header());
        shard.with_own(|shard| shard.push(task));
    }

    /// Takes a completed task out; nothing if it is not there.
    #[inline(always)]
    pub(crate) fn remove(&self, task: &Header) -> Option<Task> {
        self.shard_of(task).with_own(|shard| shard.remove(task))
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
                // Their wakers' panics are nobody's: a runtime or a `block_on` ends.
                Some(reason) => quietly(|| task.cancel(reason.clone())),
                None => task.abort(),
            }
        }
    }

    /// The tasks on the list, by their ids: all that are there from the beginning to the
    /// end, if the list can be had.
    pub(crate) fn snapshot(&self) -> Vec<Task> {
        /// Tasks looked at under a lock that others wait for by turning.
        const AT_ONCE: usize = 256;
        let mut tasks = Vec::new();
        for shard in &self.shards {
            // From the end, as what moves meanwhile moves to the front: it is met there,
            // if need be a second time.
            let mut above = usize::MAX;
            let mut look = |shard: &mut Shard| {
                let end = shard.tasks.len().min(above);
                above = end.saturating_sub(AT_ONCE);
                tasks.extend(shard.tasks[above..end].iter().rev().cloned());
                above > 0
            };
            while shard.with(&mut look) == Some(true) {}
        }
        // Mostly that is in order.
        tasks.reverse();
        tasks.sort_by_key(|task| task.header().id);
        tasks.dedup_by_key(|task| task.header().id);
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
        let len = |shard: &L| shard.with(|shard| shard.tasks.len()).unwrap_or(0);
        self.shards.iter().map(len).sum()
    }

    /// Threads take ids in blocks of 256, so the shards follow the threads.
    #[inline]
    fn shard_of(&self, task: &Header) -> &L {
        &self.shards[((task.id.get() - 1) / 256) as usize % SHARDS]
    }
}
