//! Runs tasks: queues, workers, join handles, and a pool for what blocks.
//!
//! A *task* is a spawned future. A *worker* is a thread that takes tasks from
//! queues and polls them; when it has none it takes a turn of its [`Driver`],
//! which may sleep. A *waker*, called on any thread, puts its task back into a
//! queue. That is all; sockets and timers are the driver's.
//!
//! ```text
//!   spawn ──▶ queue ──▶ worker polls ──▶ ready: output to the JoinHandle
//!               ▲            │
//!               │            └─▶ pending: idle, until
//!               └──────────────── its waker is called
//! ```
//!
//! It knows no file descriptor and no clock but std's, so that its parts can be
//! model-checked and the whole run with a driver of ten lines:
//!
//! ```
//! use wakeline_executor::{Executor, spawn};
//!
//! let executor = Executor::builder().workers(1).build()?; // drivers that only park
//! let total: u64 = executor.block_on(async {
//!     let tasks: Vec<_> = (1..=10).map(|n| spawn(async move { n * n })).collect();
//!     let mut total = 0;
//!     for task in tasks {
//!         total += task.await.unwrap();
//!     }
//!     total
//! });
//! assert_eq!(total, 385);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Read in this order
//!
//! `task/state.rs` (the life of a task), `task/run.rs` (one run of it),
//! `context.rs` (where a wake goes), `worker.rs` (a worker's day), `idle.rs`
//! (who sleeps, who searches), `block_on.rs`, `blocking.rs`, `end.rs` (the end
//! of it all). `task/cancel.rs` tells how a task learns why it must end.

#![deny(unsafe_code)]

mod block_on;
mod blocking;
mod builder;
#[allow(
    unsafe_code,
    reason = "makes handles and queue entries from what `task` and `queue` gave"
)]
mod context;
pub mod debug;
mod driver;
mod end;
mod executor;
#[allow(unsafe_code, reason = "a lock; its table tells whose the value is")]
mod favour;
#[allow(unsafe_code, reason = "makes the handles of blocking jobs")]
mod handle;
#[allow(
    unsafe_code,
    reason = "counts that local tasks of a thread hand on to each other"
)]
mod home;
mod idle;
pub mod join_set;
mod metrics;
mod padded;
mod poll_once;
#[allow(
    unsafe_code,
    reason = "queues of pointers; each file has its table of rights"
)]
mod queue;
mod report;
#[allow(unsafe_code, reason = "makes the handles of tasks")]
mod shared;
mod shield;
mod sync;
#[allow(
    unsafe_code,
    reason = "the memory of a task; the module's doc has the table of rights"
)]
pub mod task;
pub mod trace;
mod unobserved;
mod vigil;
mod worker;
mod yield_now;

use std::future::Future;
use std::panic::Location;

pub use builder::Builder;
pub use driver::{Deputy, Driver, DriverReport, Interrupt, ParkDriver};
pub use executor::Executor;
pub use handle::{EnterGuard, Handle};
pub use join_set::JoinSet;
pub use metrics::{Metrics, WorkerMetrics};
pub use poll_once::Turn;
pub use report::ShutdownReport;
pub use shield::{TryShield, shield, try_shield};
pub use task::{AbortHandle, AbortOnDrop, JoinError, JoinHandle};
pub use unobserved::{Unobserved, Witness};
pub use yield_now::{YieldNow, yield_now};

/// Queues `future` as a task of the current runtime.
///
/// It is not polled before the caller suspends or ends. With several workers
/// any of them may run it. Its output waits in the handle.
///
/// It is no part of what surrounds the caller: it has the caller's values
/// ([`context_local!`](wakeline_context::context_local)), and no cancel token. What is to
/// hear the caller's belongs into a scope, or is given it.
///
/// # Panics
///
/// Outside of a runtime; [`Handle::spawn`] works from anywhere.
///
/// # Cancellation
///
/// Dropping the handle detaches the task; [`JoinHandle::abort`] ends it.
///
/// # Example
///
/// ```
/// use wakeline_executor::{Executor, spawn};
///
/// let executor = Executor::builder().workers(2).build()?;
/// let output = executor.block_on(async { spawn(async { "hello" }).await });
/// assert_eq!(output.unwrap(), "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let here = Location::caller();
    match context::only(|_| true) {
        Some(local) => shared::Shared::spawn_by_only(future, local, || task::Origin::here(here)),
        None => shared::Shared::spawn_here(future, task::Origin::here(here)),
    }
}

/// Queues `future` as a task that stays on this thread; it need not be `Send`.
///
/// A local task of a `block_on` that is no worker ends with that `block_on`.
///
/// # Panics
///
/// Outside of a `block_on` and of a worker.
///
/// # Example
///
/// ```
/// use std::rc::Rc;
/// use wakeline_executor::{Executor, spawn_local};
///
/// let executor = Executor::builder().workers(1).build()?;
/// let shared = Rc::new(1);
/// let sum = executor.block_on(async {
///     let theirs = Rc::clone(&shared);
///     spawn_local(async move { *theirs + 1 }).await.unwrap()
/// });
/// assert_eq!(sum, 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let here = Location::caller();
    context::spawn_local(future, || task::Origin::here(here))
}

/// Makes `future` a task that stays on this thread, and polls it before this returns.
///
/// As [`spawn_local`], but what the future does up to its first wait is done inside of
/// this call, as by asyncio's eager tasks: one that does not wait has ended when the
/// handle is there, and was in no queue. What surrounds the call is not the task's: it
/// has its own id, the values of a new task, no cancel token but its own, its own budget,
/// and a panic of it is its handle's.
///
/// It runs on the caller's stack, in the midst of what the caller does: so no lock may be
/// held over this call that the future takes, and a task that spawns in this way what
/// spawns in this way needs a stack as deep. Where neither is wanted, and always where
/// the order of things is to be that of the queue, [`spawn_local`] is right.
///
/// # Panics
///
/// Outside of a `block_on` and of a worker.
///
/// # Example
///
/// ```
/// use wakeline_executor::{Executor, spawn_eager, spawn_local};
///
/// let executor = Executor::builder().workers(1).build()?;
/// executor.block_on(async {
///     assert!(spawn_eager(async { 1 }).is_finished());
///     assert!(!spawn_local(async { 1 }).is_finished());
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn spawn_eager<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let here = Location::caller();
    context::spawn_eager(future, || task::Origin::here(here))
}

/// Runs `job` on a thread that may block.
///
/// Jobs start in the order of these calls, as many at once as
/// [`Builder::blocking_threads`] allows. If no thread can be started for the
/// job, the handle resolves to an error that says so.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// Aborting takes a queued job out and drops it; one that runs cannot be
/// stopped, only its result is lost with the handle. It can ask for itself
/// whether it is still wanted: [`task::is_cancelled`]. Unlike a task it is under
/// the cancel token of its spawner, and is told when that one is cancelled.
///
/// # Example
///
/// ```
/// use wakeline_executor::{Executor, spawn_blocking};
///
/// let executor = Executor::builder().workers(1).build()?;
/// let lines = executor.block_on(async {
///     spawn_blocking(|| "some\nlong\nfile".lines().count()).await.unwrap()
/// });
/// assert_eq!(lines, 3);
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn spawn_blocking<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    Handle::current().spawn_blocking(job)
}
