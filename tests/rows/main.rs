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

mod row_11_oneshot;
mod row_39_mpsc;
mod row_41_channel_close;
mod row_42_broadcast_watch;
