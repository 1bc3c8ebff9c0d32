//! What a process has once, and what serves it is a thread: a forked child has its own.
//!
//! A fork copies the word that there is such a thread, and not the thread; and a lock as
//! it is, held by a thread that stayed behind. So each generation has a place of its own.

use wakeline_reactor::process_generation;

/// A child of a child .. of so many shares the last place.
pub(crate) const GENERATIONS: usize = 8;

#[derive(Debug)]
pub(crate) struct PerProcess<T>([T; GENERATIONS]);

impl<T> PerProcess<T> {
    pub(crate) const fn new(of_each: [T; GENERATIONS]) -> PerProcess<T> {
        PerProcess(of_each)
    }

    /// This process's.
    pub(crate) fn get(&self) -> &T {
        let generation = process_generation() as usize;
        &self.0[generation.min(GENERATIONS - 1)]
    }
}
