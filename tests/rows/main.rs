//! The programming model, concept by concept, as a user sees it.
//!
//! One module a concept. What touches I/O or time runs on both backends, and
//! everything on one worker and on two: see `on_every_runtime`.

#[path = "../support/mod.rs"]
mod support;

use std::future::Future;

use support::for_each_backend;
use wakeline::Runtime;

/// Runs what `test` makes on both backends, on one worker and on two; on two it
/// is a task, so that a worker polls it and not the thread that waits.
#[track_caller]
pub(crate) fn on_every_runtime<F>(test: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for_each_backend(|backend| {
        for workers in [1, 2] {
            eprintln!("-- {workers} worker(s)");
            let runtime = backend.runtime(workers);
            let result = runtime.block_on(async { wakeline::spawn(test()).await });
            if let Err(error) = result {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    });
}

/// Runs `test` with a runtime of each sort: both backends, one worker and two.
#[track_caller]
pub(crate) fn with_every_runtime(test: impl Fn(Runtime)) {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            eprintln!("-- {workers} worker(s)");
            test(backend.runtime(workers));
        }
    });
}

mod row_06_futures;
mod row_11_oneshot;
mod row_14_join;
mod row_14_join_all;
mod row_15_join_results;
mod row_16_cancel_or_complete;
mod row_17_wait;
mod row_18_as_completed;
mod row_19_race;
mod row_19_select;
mod row_32_streams;
mod row_33_generators;
