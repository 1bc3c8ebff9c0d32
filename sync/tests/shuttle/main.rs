//! Scenarios too rich for a model: several threads that wait, give up and close,
//! ten thousand random schedules each, and some chosen by PCT, which finds bugs
//! of a given number of preemptions with a known probability.
//!
//! ```text
//! RUSTFLAGS='--cfg shuttle' CARGO_TARGET_DIR=target/shuttle \
//!     cargo test -p wakeline-sync --release --test shuttle
//! ```
//!
//! A thread that would wait for ever is a deadlock, which shuttle reports. Each
//! scenario names the bugs it was seen to find, by their patches in `mutants/`.
#![cfg(shuttle)]

mod channels;
mod crowds;
mod locks;
mod meetings;
mod trees;

use shuttle::rand::Rng;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

pub(crate) use shuttle::future::block_on;
pub(crate) use shuttle::thread;
pub(crate) use std::sync::Arc;
/// std's: what only the checks use is no point at which a schedule may switch.
pub(crate) use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const SCHEDULES: usize = 10_000;
const PCT_SCHEDULES: usize = 2_000;
const PREEMPTIONS: usize = 3;

/// Runs the scenario under each schedule.
pub(crate) fn explore(scenario: impl Fn() + Clone + Send + Sync + 'static) {
    shuttle::check_random(scenario.clone(), SCHEDULES);
    shuttle::check_pct(scenario, PCT_SCHEDULES, PREEMPTIONS);
}

/// A number below `end`, which is part of the schedule.
pub(crate) fn pick(end: usize) -> usize {
    shuttle::rand::thread_rng().gen_range(0..end)
}

pub(crate) fn coin() -> bool {
    pick(2) == 0
}

/// Waits for `future` and gives up after a few polls: `None` then, and the
/// future is dropped with whatever it was granted since the last of them.
pub(crate) fn with_patience<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    block_on(async move {
        let mut future = pin!(future);
        for _ in 0..polls {
            let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
            if let Poll::Ready(output) = polled {
                return Some(output);
            }
            thread::yield_now();
        }
        None
    })
}

/// As long as it takes, or a few polls: by chance.
pub(crate) fn perhaps<F: Future>(future: F) -> Option<F::Output> {
    match pick(4) {
        0 | 1 => Some(block_on(future)),
        polls => with_patience(polls - 1, future),
    }
}
