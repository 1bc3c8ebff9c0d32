//! Who sleeps and who searches, so that no task waits while all workers sleep,
//! and no worker is woken for a task that another is about to find.
//!
//! For executors of two workers or more. Each is in one state:
//!
//! ```text
//!                 ┌─────────1─────────┐
//!                 ▼                   │
//!             Searching ──────2────▶ Running
//!               │   ▲                 │   ▲
//!               3   └──4──┐           3   │
//!               │         │           │   │
//!               └────▶ Sleeping ◀─────┘   │
//!                         └───────5───────┘
//! ```
//! 1 `start_search`  its own queue is empty: it looks into those of others
//! 2 `stop_search`   it found a task; the last searcher has to `notify_one`
//! 3 `sleep`         it found nothing, or enough others search already
//! 4 `notify_one`    someone queued a task: this sleeper shall look for it
//! 5 `wake_up`       it woke by itself: an event, a timer, or the look back below
//!
//! `wake_up` tells a worker which of 4 and 5 it was. `idle` never interrupts a
//! driver: who calls `notify_one` interrupts the worker that it names.
//!
//! # Why no task is forgotten
//!
//! A pusher queues, passes a fence, and looks at the counts. A worker that goes to
//! sleep counts itself asleep, passes a fence, and looks at *all* queues again.
//! The fences have an order, so at least one of the two sees the other:
//!
//! - The pusher sees a sleeper and no searcher: it wakes the sleeper (4).
//! - It sees a searcher: that one finds the task, or is the last to find another
//!   one and then notifies (2), or goes to sleep and looks back (3).
//! - It sees neither: all are running, and look back when they go to sleep.
//!
//! A worker whose look back finds something calls `wake_up` and goes on as after
//! any other turn. The notifier counts the worker as searching before that one
//! knows, so that a burst of pushes wakes one worker, which wakes the next.

use std::fmt;
use std::ptr::NonNull;

use crate::queue::Owner;
use crate::sync::{
    Lock,
    atomic::{
        AtomicU32,
        Ordering::{Relaxed, SeqCst},
        fence,
    },
};

/// One searcher, in the low half of the word.
const SEARCHING: u32 = 1;
/// One sleeper, in the high half.
const SLEEPING: u32 = 1 << 16;
/// Workers that a half can count.
pub(crate) const MOST_WORKERS: usize = u16::MAX as usize;

/// The states of all workers: see the module.
pub(crate) struct Idle {
    /// How many search, how many sleep. Changed by read-modify-write only, so the
    /// latest value decides, and Relaxed: it is the fences that order it against
    /// the queues, and the lock that orders it against `sleepers`.
    counts: AtomicU32,
    /// Who sleeps, the latest on top: its caches are the warmest. As many as
    /// `counts` says, whenever the lock is free.
    sleepers: Lock<Vec<usize>>,
    workers: u32,
}

/// Who ended a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a worker woken by a notifier is searching, and has to `stop_search` or `sleep`"]
pub(crate) enum WokenBy {
    /// `notify_one`, which has counted the worker as searching.
    Notifier,
    /// Nobody: the worker is running.
    Itself,
}

impl Idle {
    /// For `workers` workers, all running.
    ///
    /// # Panics
    ///
    /// If there are more than 65,535.
    pub(crate) fn new(workers: usize) -> Idle {
        assert!(
            workers <= MOST_WORKERS,
            "{workers} workers are more than 65,535"
        );
        Idle {
            counts: AtomicU32::new(0),
            sleepers: Lock::new(Vec::with_capacity(workers)),
            workers: workers as u32,
        }
    }

    /// A worker that is busy queues what another may take; names the worker to interrupt.
    #[inline]
    #[must_use = "the worker is counted as searching: it has to be interrupted"]
    pub(crate) fn offer<T>(&self, queue: &Owner<T>, entry: NonNull<T>) -> Option<usize> {
        queue.push(entry);
        // Whatever waited there before: who was told of that may have taken it, and
        // sleep by now.
        self.notify_one()
    }

    /// Called after a push: names the worker to interrupt, if one has to be.
    /// That worker now counts as searching.
    #[inline]
    #[must_use = "the worker is counted as searching: it has to be interrupted"]
    pub(crate) fn notify_one(&self) -> Option<usize> {
        // Pairs with the fence in `sleep`: either this load sees the sleeper, or
        // the sleeper's look back sees the push.
        fence(SeqCst);
        if wants_searcher(self.counts.load(Relaxed)) {
            self.wake_one()
        } else {
            None
        }
    }

    #[cold]
    fn wake_one(&self) -> Option<usize> {
        let mut sleepers = self.sleepers.lock();
        // Again, under the lock: of two pushers at once, one wakes a worker.
        if !wants_searcher(self.counts.load(Relaxed)) {
            return None;
        }
        let worker = sleepers.pop()?;
        self.counts
            .fetch_add(SEARCHING.wrapping_sub(SLEEPING), Relaxed);
        Some(worker)
    }

    /// A running worker asks to search; `false` if half of the workers do: it
    /// would only be in their way, and goes to sleep.
    pub(crate) fn start_search(&self) -> bool {
        let allowed = |counts| 2 * searching(counts) < self.workers;
        self.counts
            .fetch_update(Relaxed, Relaxed, |counts| {
                allowed(counts).then(|| counts + SEARCHING)
            })
            .is_ok()
    }

    /// A searching worker found a task and runs it. `true` if it was the last
    /// searcher: then it has to call `notify_one`, as pushers relied on it.
    #[must_use = "the last searcher has to call `notify_one`"]
    pub(crate) fn stop_search(&self) -> bool {
        let before = self.counts.fetch_sub(SEARCHING, Relaxed);
        debug_assert!(searching(before) > 0, "nobody searches");
        searching(before) == 1
    }

    /// Counts a worker as asleep. It must then look at all queues again, and if
    /// there is something call `wake_up` instead of going to sleep.
    pub(crate) fn sleep(&self, worker: usize, was_searching: bool) {
        let leaves = if was_searching { SEARCHING } else { 0 };
        {
            let mut sleepers = self.sleepers.lock();
            debug_assert!(!sleepers.contains(&worker), "worker {worker} is asleep");
            sleepers.push(worker);
            // One step: between two, a pusher could see neither.
            let before = self
                .counts
                .fetch_add(SLEEPING.wrapping_sub(leaves), Relaxed);
            debug_assert!(searching(before) >= leaves, "nobody searches");
        }
        // Pairs with the fence in `notify_one`.
        fence(SeqCst);
    }

    /// One of those who sleep, if anybody does; it goes on counting as asleep.
    pub(crate) fn a_sleeper(&self) -> Option<usize> {
        self.sleepers.lock().last().copied()
    }

    /// Counts a worker as awake, after its driver's turn or when the look back
    /// found something.
    pub(crate) fn wake_up(&self, worker: usize) -> WokenBy {
        let mut sleepers = self.sleepers.lock();
        let Some(at) = sleepers.iter().position(|&sleeper| sleeper == worker) else {
            return WokenBy::Notifier;
        };
        // The order of the others is how long they have slept: keep it.
        sleepers.remove(at);
        self.counts.fetch_sub(SLEEPING, Relaxed);
        WokenBy::Itself
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts.load(Relaxed);
        f.debug_struct("Idle")
            .field("workers", &self.workers)
            .field("searching", &searching(counts))
            .field("sleeping", &sleeping(counts))
            .finish_non_exhaustive()
    }
}

fn searching(counts: u32) -> u32 {
    counts & (SLEEPING - 1)
}

fn sleeping(counts: u32) -> u32 {
    counts / SLEEPING
}

/// Nobody searches, and someone could.
fn wants_searcher(counts: u32) -> bool {
    searching(counts) == 0 && sleeping(counts) > 0
}

#[cfg(test)]
mod tests;
