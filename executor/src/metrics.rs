//! Counters of the workers: what they did since the start.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// One worker's counters. Written by its own thread only, so a store will do
/// where a shared counter needs a read-modify-write.
#[derive(Default)]
pub(crate) struct WorkerCounters {
    pub(crate) polls: Counter,
    pub(crate) turns: Counter,
    pub(crate) parks: Counter,
    pub(crate) steals: Counter,
    pub(crate) looks: Counter,
}

/// A counter with a single writer.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// By the writer's thread only.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        // Relaxed: a figure for people; nobody else writes.
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What the workers of an executor have done since they started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// One entry a worker.
    pub workers: Vec<WorkerMetrics>,
}

/// What one worker has done since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerMetrics {
    /// Polls of tasks.
    pub polls: u64,
    /// Turns of the driver, sleeping or not.
    pub turns: u64,
    /// Turns that were allowed to sleep.
    pub parks: u64,
    /// Times it took tasks from another worker.
    pub steals: u64,
    /// Times it looked for the events of another worker, which had run tasks for long
    /// without a turn.
    pub looks: u64,
}

impl Metrics {
    pub(crate) fn read<'a>(workers: impl IntoIterator<Item = &'a Arc<WorkerCounters>>) -> Metrics {
        let read = |counters: &Arc<WorkerCounters>| WorkerMetrics {
            polls: counters.polls.get(),
            turns: counters.turns.get(),
            parks: counters.parks.get(),
            steals: counters.steals.get(),
            looks: counters.looks.get(),
        };
        Metrics {
            workers: workers.into_iter().map(read).collect(),
        }
    }
}
