//! The finalizers of a scope: in the order of the drops for each child, those
//! of different children side by side.
//!
//! ```text
//!   child 3:  flush ──▶ close            the first of each line runs,
//!   child 5:  rollback                   the others wait for it
//! ```

use std::collections::{HashMap, VecDeque};
use std::panic::Location;

use super::shared::Finalizer;

/// The lines. A line is there while one of it runs.
pub(super) struct Lines<F> {
    waiting: HashMap<u64, VecDeque<Finalizer<F>>>,
}

impl<F> Lines<F> {
    pub(super) fn new() -> Lines<F> {
        Lines {
            waiting: HashMap::new(),
        }
    }

    /// The finalizer, if it is the first of its line: the caller runs it.
    pub(super) fn push(&mut self, finalizer: Finalizer<F>) -> Option<Finalizer<F>> {
        if let Some(line) = self.waiting.get_mut(&finalizer.origin) {
            line.push_back(finalizer);
            return None;
        }
        self.waiting.insert(finalizer.origin, VecDeque::new());
        Some(finalizer)
    }

    /// The one that runs is done: the next of its line.
    pub(super) fn next(&mut self, origin: u64) -> Option<Finalizer<F>> {
        let next = self.waiting.get_mut(&origin).and_then(VecDeque::pop_front);
        if next.is_none() {
            self.waiting.remove(&origin);
        }
        next
    }

    /// Whether none runs.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// All that wait, line by line.
    pub(super) fn take(&mut self) -> Vec<(u64, VecDeque<Finalizer<F>>)> {
        let mut lines: Vec<_> = self.waiting.drain().collect();
        lines.sort_by_key(|(origin, _)| *origin);
        lines
    }
}

/// One finalizer that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    pub(super) origin: u64,
    pub(super) location: &'static Location<'static>,
}
