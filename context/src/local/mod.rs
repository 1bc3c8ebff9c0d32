//! Values that belong to a future and not to a thread: two sorts of them.
//!
//! ```text
//!                      task_local!                context_local!
//!   X.scope(v, fut)    around each poll and the drop of `fut`, on whatever thread
//!   spawned in there   sees nothing               sees what was there at the spawn
//!   blocking job       sees nothing               sees what was there at the spawn
//!   the value is       the scope's own: it need   shared: `Send + Sync`
//!                      be neither Send nor Sync
//! ```
//!
//! A transaction must not be inherited, a request's id must: so each variable
//! says by its macro which it is. Both are changed only by a scope, never in
//! place; what a child sets its parent does not see.
//!
//! How it works: a task local is a thread-local slot that the scope fills for
//! the length of a poll, by swapping; it says for which level, as another task may
//! run in the midst of that ([`Aside`](crate::Aside)). A context local is a key of
//! the list of values ([`Locals`]) that the executor hands from task to task.

mod context_local;
mod task_local;

#[cfg(test)]
mod tests;

use std::fmt;

pub use crate::ambient::Locals;
pub use context_local::{ContextLocal, ContextScope};
pub use task_local::{Slot, TaskLocal, TaskScope};

/// No value: no scope of this variable surrounds the running code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessError(());

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the variable has no value here: no `scope` of it surrounds this code")
    }
}

impl std::error::Error for AccessError {}
