//! The programming model, concept by concept, as a user sees it.
//!
//! One module a concept. What touches I/O or time runs on both backends, and
//! everything on one worker and on two: see `on_every_runtime`.

#[path = "../support/mod.rs"]
mod support;

use std::future::Future;
use std::sync::mpsc;

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

/// The same with runtimes that write down the failures which nobody has looked at.
#[track_caller]
pub(crate) fn with_every_telling_runtime(test: impl Fn(Runtime, mpsc::Receiver<String>)) {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            eprintln!("-- {workers} worker(s)");
            let (tell, told) = mpsc::channel();
            let builder = backend.builder().workers(workers);
            let runtime = builder
                .on_unobserved(move |failure| tell.send(failure.to_string()).unwrap())
                .build();
            test(runtime.expect("a runtime"), told);
        }
    });
}

mod row_01_lifetime;
mod row_02_turn_order;
mod row_03_from_sync;
mod row_04_loop_control;
mod row_05_ctrl_c;
mod row_06_futures;
mod row_07_spawn;
mod row_08_cancel;
mod row_09_no_counters;
mod row_10_outcome;
mod row_10_untold;
mod row_11_oneshot;
mod row_12_current;
mod row_13_context;
mod row_14_join;
mod row_14_join_all;
mod row_15_join_results;
mod row_16_cancel_or_complete;
mod row_17_wait;
mod row_18_as_completed;
mod row_19_race;
mod row_19_select;
mod row_19_select_syntax;
mod row_20_scope_shield;
mod row_20_shield;
mod row_21_sleep;
mod row_22_timeout;
mod row_23_nested_timeouts;
mod row_24_deadline_tokens;
mod row_24_rescheduling;
mod row_25_intervals;
mod row_26_virtual_time;
mod row_26_virtual_time_and_the_world;
mod row_27_scope;
mod row_27_scope_exit_table;
mod row_27_scope_random;
mod row_27_scope_share;
mod row_28_start;
mod row_29_cancel_tokens;
mod row_30_spawn_into_cancelled;
mod row_31_guards;
mod row_32_streams;
mod row_32_timed_streams;
mod row_33_emitters;
mod row_33_generators;
mod row_34_mutex;
mod row_35_rate_limiter;
mod row_35_semaphore_limiter;
mod row_36_event_notify;
mod row_37_condvar;
mod row_38_barrier_rwlock_once_cell;
mod row_39_mpsc;
mod row_39_queue;
mod row_40_join;
mod row_41_channel_close;
mod row_41_shutdown;
mod row_42_broadcast_watch;
mod row_43_blocking;
mod row_44_debug;
mod row_45_timeline;
mod row_52_pool;
mod row_53_retry;
