//! A task: a future, its state, and who may touch what.
//!
//! One allocation holds the `Header` (what anyone may look at), the
//! scheduler that queues the task, and the stage: the future until it is done,
//! then its output. `state.rs` draws the life of a task; this table says which
//! part of the memory is whose at each point of it.
//!
//! | field        | who                                        | until                       |
//! |--------------|--------------------------------------------|-----------------------------|
//! | `state`      | anyone, atomically                         | the last reference is gone  |
//! | `link`       | whoever holds the `Runnable`             | it passes the `Runnable` on |
//! | `next`       | the queue of the thread that may run it    | it is popped                |
//! | `stage`      | the thread whose `start` set RUNNING       | its `pause` or `finish`     |
//! | `locals`     | the same thread                            | its `pause`, or the task's end |
//! | `stage`      | the `JoinHandle`, after COMPLETE with JOIN | it takes or drops the output|
//! | `join_waker` | the `JoinHandle`, while JOIN_WAKER is clear and COMPLETE is not set | it sets JOIN_WAKER |
//! | `join_waker` | the thread whose `finish` saw JOIN_WAKER   | it has woken it             |
//!
//! # References
//!
//! A `Task` is a counted reference. Counted are: the owned list (from spawn
//! until the task is complete), the `JoinHandle`, and every `Waker`. A
//! `Runnable`, the entry of a run queue, is not: while a task is queued it
//! is not complete, so the owned list keeps it alive. The waker lent to a poll
//! is not counted either, since a poll happens before completion.
//!
//! # Two flavours
//!
//! A *stealable* task's future is `Send`, and any worker may run it. A *local* task is
//! run and dropped by one thread only: because its future may be `!Send`, or because
//! the only worker there is has spawned it. They differ in where a wake goes: that of a
//! local one goes to its home, whoever wakes.
//!
//! And they differ in the state: what its own thread does to a local task costs no
//! atomic operation but one, at the end. `near.rs` draws that; `life.rs` chooses.
//! In the table "sets a flag" is then said of one of its two words, and while a
//! local task lies in the mailbox of its home the owned list keeps it, too. A
//! handle that is polled away from home leaves its waker in a slot of its own:
//!
//! | field        | who                                              | until           |
//! |--------------|--------------------------------------------------|-----------------|
//! | `join_waker` | of a local task: the thread at home              | COMPLETE        |
//! | `away_slot`  | the `JoinHandle` away, while JOIN_WAKER is clear and COMPLETE is not set | it sets JOIN_WAKER |
//! | `away_slot`  | the thread whose `finish` saw JOIN_WAKER         | it has woken it |

mod cancel;
mod cell;
mod complete;
mod coop;
mod current;
mod error;
mod id;
mod join;
mod life;
mod memory;
mod near;
mod node;
mod owned;
mod raw;
mod refs;
mod run;
mod running;
pub(crate) mod state;
mod waker;

#[cfg(all(test, loom))]
mod tests;

pub(crate) use cell::{Header, Origin};
pub(crate) use memory::keep_none as keep_no_memory;
pub(crate) use owned::{OwnedByMany, OwnedByOne};
pub(crate) use raw::{Schedule, new};
pub(crate) use refs::{Received, Runnable, Task, receive};
pub(crate) use run::end_panicked;
pub(crate) use running::{Aside, Listed, Root, is_root};

pub use crate::yield_now::{YieldNow, yield_now};
pub use cancel::{abort_reason, cancel_node, is_cancelled};
pub use coop::{ConsumeBudget, Unconstrained, consume_budget, unconstrained};
pub(crate) use current::subject_here;
pub use current::{Builder, Current, TaskInfo, TaskState, current, try_current};
pub use error::JoinError;
pub use id::Id;
pub use join::{AbortHandle, AbortOnDrop, JoinHandle};
pub use wakeline_context::{Kind, WaitingOn};
