//! Cancelling in words: asking running code to stop, and telling it why.
//!
//! Dropping a future ends it at once, wherever it waits. That cannot be refused,
//! and nothing can be awaited on the way out. A [`CancelToken`] asks instead:
//! code sees the request where it chooses to look, and returns by itself.
//!
//! ```text
//!   token.cancel("why") ─▶ Node (wakeline-sync) ─▶ all below, up to a shield
//!   a deadline passed ───▶      │
//!                               ├─▶ checkpoint()?         between two steps
//!                               ├─▶ op.or_cancelled()     around one operation
//!                               └─▶ token.cancelled()     in a select of one's own
//! ```
//!
//! The request is a level, not an edge: once there, each later look finds it
//! again, so it cannot be lost by code that has caught it once. It goes down the
//! tree and never up, and it never goes away.
//!
//! # Which token
//!
//! [`current_token`] finds the one in force: that of the innermost
//! [`with_token`](crate::FutureExt::with_token), else the task's own, else a fresh one
//! that nobody will cancel. A scope puts its own in force for its children; tasks that
//! are spawned do not have that of the code which spawns them.
//!
//! To abort a task cancels its own token, none that was put in force inside of it; such a
//! task ends at its next wait, and [`checkpoint`] tells whichever is in force.
//!
//! # Deadlines
//!
//! A token may have one; for those below, the earliest counts. Nothing watches
//! it by itself: whoever waits holds a timer, and whoever looks compares with
//! [`time::now`](crate::time::now). Either of them cancels the token whose
//! deadline it was, so that all agree from then on.
//!
//! | file       | what is there                                                    |
//! |------------|------------------------------------------------------------------|
//! | `token.rs` | [`CancelToken`] and [`DropGuard`]                                |
//! | `wait.rs`  | [`UntilCancelled`]: a node's cancel or its deadline              |
//! | `ext.rs`   | [`OrCancelled`], [`WithToken`]: two methods of futures           |
//! | `error.rs` | [`Cancelled`]: the error that says why                           |
//! | `run.rs`   | [`run`](crate::run): a `main` that Ctrl-C cancels                |

mod error;
mod ext;
mod run;
mod token;
mod wait;

pub use error::Cancelled;
pub use ext::{OrCancelled, WithToken};
pub use run::run;
pub use token::{CancelToken, DropGuard};
pub use wait::UntilCancelled;
pub use wakeline_context::{Cause, Reason};

use std::time::Instant;

use wakeline_sync::cancel::Node;

/// The token in force: what tells the calling code to stop.
///
/// In a task with no token of its own, and outside of tasks, it is one that
/// nobody cancels.
///
/// # Example
///
/// ```
/// use wakeline::{FutureExt, CancelToken, current_token};
///
/// let token = CancelToken::new();
/// let inside = token.clone();
/// wakeline::block_on(
///     async move {
///         assert!(!current_token().is_cancelled());
///         inside.cancel("enough");
///         assert!(current_token().is_cancelled());
///     }
///     .with_token(token),
/// );
/// ```
pub fn current_token() -> CancelToken {
    CancelToken::from_node(in_force().unwrap_or_else(Node::root))
}

/// The deadline in force: the earliest of the [current token](current_token)
/// and of those above it, up to the first shield.
///
/// `None` means there is none. Where the token is cancelled it is the present
/// moment: whatever is started now is too late.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline::{FutureExt, CancelToken, current_deadline, time};
///
/// wakeline::block_on(async {
///     assert_eq!(current_deadline(), None);
///     let at = time::now() + Duration::from_secs(5);
///     let token = CancelToken::new().with_deadline(at);
///     let seen = async { current_deadline() }.with_token(token).await;
///     assert_eq!(seen, Some(at));
/// });
/// ```
#[must_use]
pub fn current_deadline() -> Option<Instant> {
    CancelToken::from_node(in_force()?).deadline()
}

/// An error if the [current token](current_token) is cancelled, or the running task was
/// aborted and would end at its next wait: for loops that do much between two waits.
///
/// # Errors
///
/// [`Cancelled`], with the reason, each time once it is cancelled.
///
/// # Example
///
/// ```
/// use wakeline::{FutureExt, CancelToken, Cancelled, checkpoint};
///
/// async fn sum(numbers: &[u64]) -> Result<u64, Cancelled> {
///     let mut sum = 0;
///     for number in numbers {
///         checkpoint()?;
///         sum += number;
///     }
///     Ok(sum)
/// }
///
/// let token = CancelToken::new();
/// assert_eq!(wakeline::block_on(sum(&[1, 2]).with_token(token.clone())), Ok(3));
/// token.cancel("not needed any more");
/// let error = wakeline::block_on(sum(&[1, 2]).with_token(token)).unwrap_err();
/// assert_eq!(error.to_string(), "cancelled: not needed any more");
/// ```
pub fn checkpoint() -> Result<(), Cancelled> {
    if let Some(node) = in_force() {
        CancelToken::from_node(node).check()?;
    }
    // A token in force is none that an abort of the task would cancel.
    match wakeline_executor::task::abort_reason() {
        Some(reason) => Err(Cancelled::new(reason)),
        None => Ok(()),
    }
}

/// The node of the token in force, else of the task.
fn in_force() -> Option<Node> {
    match wakeline_context::current_token() {
        Some(token) => token.downcast_ref::<Node>().cloned(),
        None => wakeline_executor::task::cancel_node(),
    }
}
