//! Scopes: all or nothing is left running, and nothing that went wrong is lost.

mod cancelled;
mod deadlines;
mod ends;
mod nested;
mod tasks;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wakeline::ScopeError;

type Plain<T> = Result<T, ScopeError<&'static str>>;

/// Counts its drops.
struct Drops(Arc<AtomicUsize>);

impl Drops {
    fn new() -> (Arc<AtomicUsize>, impl Fn() -> Drops) {
        let count = Arc::new(AtomicUsize::new(0));
        let made = Arc::clone(&count);
        (count, move || Drops(Arc::clone(&made)))
    }
}

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn errors<T: std::fmt::Debug>(result: Plain<T>) -> Vec<&'static str> {
    match result {
        Err(ScopeError::Failed(errors)) => errors.into_iter().collect(),
        other => panic!("{other:?}"),
    }
}
