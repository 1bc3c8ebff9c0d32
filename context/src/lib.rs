//! The poll in progress: what it may still do, and what it waits for.
//!
//! A leaf (a socket read, a sleep, a lock) and the executor must agree on two
//! things without knowing each other: how much more work this poll may do
//! before it yields, and, when it parks, what for and at which line. Both live
//! here, in words of the thread (`now.rs`) that the executor sets and the leaf reads.
//!
//! ```text
//!  executor             this crate                     leaf
//!  ────────             ──────────                     ────
//!  Polling::begin ────▶ budget = 128, waiting = none
//!  future.poll(cx) ───────────────────────────────────▶ budget::poll_proceed(cx)
//!                       waiting = (kind, id, line) ◀─── waiting_on(..), Poll::Pending
//!  Polling::end ◀────── waiting
//! ```
//!
//! `poll.rs` has these two. Beside them stand the id of the task being polled (`task.rs`), the values
//! and the cancel token that surround it (`ambient.rs`), the words in which a
//! cancellation says why (`reason.rs`), and variables made of all this (`local/`);
//! whose thread this is (`home.rs`); and how to call what may panic (`quiet.rs`).
//!
//! There is no lock here, and every function may be called at any time, also
//! while a thread is ending.
//!
//! # Example
//!
//! ```
//! use std::panic::Location;
//! use wakeline_context::{Kind, Polling, waiting_on};
//!
//! let polling = Polling::begin();
//! waiting_on(Kind::Timer, 7, Location::caller()); // what a leaf does before `Pending`
//! let waiting = polling.end().expect("the leaf said what it waits for");
//! assert_eq!((waiting.kind, waiting.id), (Kind::Timer, 7));
//! ```

#![forbid(unsafe_code)]

mod ambient;
pub mod budget;
pub mod chance;
mod home;
mod late;
pub mod local;
mod now;
mod poll;
mod quiet;
mod reason;
mod task;
mod waiting;

pub use ambient::{
    Ambient, AnyToken, InstalledLocals, InstalledToken, Key, Locals, current_token, install_token,
    outlive_the_rest, replace_locals,
};
pub use home::{home, is_home, replace_home};
pub use late::LateWake;
pub use poll::{Aside, Polling};
pub use quiet::quietly;
pub use reason::{Cause, Reason};
pub use task::{current_task, level, replace_level, replace_task, runs_tasks, set_runs_tasks};
pub use waiting::{Kind, WaitingOn, beside, waiting_at, waiting_on};
