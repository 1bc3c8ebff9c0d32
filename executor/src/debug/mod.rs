//! Debug mode: what a program does wrong without an error, told while it runs.
//!
//! [`Builder::debug`](crate::Builder::debug) or `WAKELINE_DEBUG=1` turns it on.
//! Then four things are reported, a line each on stderr or wherever
//! [`DebugConfig::on_report`] says:
//!
//! 1. a single poll took long, so that its thread ran nothing else meanwhile;
//! 2. a task has failed, and its handle and its result are gone unseen. A panic
//!    always counts; an error, if the output is `Result<(), E>` and `E` is one of
//!    `io::Error`, `Box<dyn Error>` (also with `Send`, or `Send + Sync`), `String`,
//!    `&'static str` and [`JoinError`](crate::JoinError). What was awaited was seen,
//!    and an abort is no failure;
//! 3. a task, or a child of a scope, ended and had never been polled, as its
//!    runtime ended or its owner was dropped;
//! 4. the finalizer of a guard that borrows was dropped with its scope, as who had awaited
//!    that was dropped: by a `timeout` around it, a lost `select!`, an abort.
//!
//! A future that was not given to anybody cannot be seen here: that one is the
//! compiler's `unused_must_use`. Nor are futures like a sleep that are dropped
//! unpolled, which is what every `select!` does.
//!
//! ```
//! use std::sync::mpsc;
//! use wakeline_executor::debug::{DebugConfig, Finding};
//! use wakeline_executor::{Executor, spawn, yield_now};
//!
//! let (reports, told) = mpsc::channel();
//! let debug = DebugConfig::new().on_report(move |report| drop(reports.send(report.clone())));
//! let executor = Executor::builder().workers(1).debug(debug).build()?;
//! executor.block_on(async {
//!     drop(spawn(async { Err::<(), _>("disk full") })); // nobody will see it
//!     yield_now().await;
//!     drop(spawn(async {})); // and this one has no time to run
//! });
//! drop(executor);
//!
//! let error = told.try_recv().unwrap();
//! assert!(error.to_string().ends_with(": disk full"));
//! assert!(matches!(told.try_recv().unwrap().finding, Finding::NeverPolled { .. }));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! What runs and what it waits for is in [`Dump`], with or without debug mode.
//!
//! # How it is made
//!
//! ```text
//!   run.rs        a poll was slow ───────────┐
//!   block_on.rs   so was one of the root ────┤           ┌─▶ `on_report`
//!   complete.rs   a failure is dropped ──────┼▶ Reporter ┤
//!                 unseen                     │  limits   └─▶ or a line to stderr
//!   run.rs        a future is dropped, and ──┤
//!   scopes.rs     never was polled           │
//!   scopes.rs     so is a finalizer ─────────┘
//! ```
//!
//! It is on or off for the whole life of an executor. Off it is a `None` beside
//! the queues: a poll looks at it once, reads no clock, and a task is not a byte
//! larger. On, a poll reads the clock twice.
//!
//! `config.rs` has the choices, `report.rs` what is told, `hook.rs` to whom and
//! how often. The task list, which needs no debug mode, is in `dump.rs`.

mod config;
mod dump;
mod errors;
mod hook;
mod report;
mod scopes;
#[cfg(all(test, not(loom)))]
mod tests;
mod watch;

pub use config::{DebugConfig, DebugMode};
pub use dump::{Cycle, Dump};
pub use report::{Finding, Report, Subject, SubjectKind, Then};
pub use scopes::{Unpolled, finalizer_dropped};

pub(crate) use dump::{EnteredRoot, Roots};
pub(crate) use errors::error_in;
pub(crate) use hook::Reporter;
pub(crate) use watch::Began;
