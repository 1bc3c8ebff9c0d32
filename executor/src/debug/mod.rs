//! Debug mode: what a program does wrong without an error, told while it runs.
//!
//! ```text
//!   raw.rs        a poll was slow ───────────┐
//!   block_on.rs   so was one of the root ────┤           ┌─▶ `on_report`
//!   raw.rs        a failure is dropped ──────┼▶ Reporter ┤
//!                 unseen                     │  limits   └─▶ or a line to stderr
//!   raw.rs        a future is dropped, and ──┘
//!                 never was polled
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
#[cfg(all(test, not(loom)))]
mod tests;
mod watch;

pub use config::{DebugConfig, DebugMode};
pub use dump::{Cycle, Dump};
pub use report::{Finding, Report, Subject, Then};

pub(crate) use dump::{EnteredRoot, Roots};
pub(crate) use errors::error_in;
pub(crate) use hook::Reporter;
pub(crate) use watch::Began;
