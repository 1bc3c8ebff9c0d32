//! Several futures at once: all of them, the first, or one after the other.
//!
//! ```text
//!              how many are known when the program is written?
//!                 │                                    │
//!               yes: macros, no heap          no: functions, one box a future
//!                 │                                    │
//!   all           join!   try_join!                    join_all  try_join_all
//!   the first     select!                              race  race_ok  staggered
//!   each          (select! in a loop)                  as_completed
//! ```
//!
//! These are futures of one task: they run in turns and not in parallel, may
//! borrow from the task, and are dropped with it. What should run in parallel
//! is spawned, and its handles are joined: [`JoinSet`](crate::JoinSet),
//! [`wait`], [`try_join_tasks`].
//!
//! Four rules hold for all of them.
//!
//! 1. **Nothing starts before the first poll**, and nothing goes on after the
//!    drop: dropping the whole drops every part.
//! 2. **The losers are gone before the winner is seen.** What they borrowed or
//!    locked is free when the call returns or the handler runs.
//! 3. **No future is polled again** after it was ready.
//! 4. **Nobody is first for ever.** The order of polls is drawn or rotates,
//!    unless it is said to be `biased`.
//!
//! Read `macros/select.rs` first.

mod all;
mod as_completed;
mod group;
mod macros;
mod race;
mod staggered;
mod tasks;
mod wait;

pub use all::{JoinAll, TryJoinAll, join_all, try_join_all};
pub use as_completed::{AsCompleted, as_completed};
pub use race::{Race, RaceOk, race, race_ok};
pub use staggered::{Outcome, Staggered, staggered};
pub use tasks::{Flatten, flatten, try_join_tasks};
pub use wait::{Wait, WaitFor, When, try_wait, wait};

pub(crate) use group::Group;

#[doc(hidden)]
pub use macros::support as __support;
