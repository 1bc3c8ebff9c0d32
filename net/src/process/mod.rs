//! Child processes: started, waited for, fed and read without blocking.
//!
//! ```text
//!   Command::spawn ──1──▶ running ──2──▶ ended ──3──▶ reaped
//!                            │             │
//!                            └──────4──────┴──▶ orphan ──5──▶ reaped
//! ```
//! 1 `Command::spawn`  the standard library forks and execs; we open a pidfd
//! 2 the kernel makes the pidfd readable: the reactor wakes who waits
//! 3 `Exit::reap`      the poll of [`Child::wait`] takes the status and keeps it
//! 4 `Owner::drop`     the [`Child`] is dropped; it is killed first, if
//!                     [`kill_on_drop`](Command::kill_on_drop) says so
//! 5 `orphans.rs`      a thread reaps what nobody waits for: no zombie stays
//!
//! # What is promised
//!
//! - **Waiting loses nothing.** A dropped [`wait`](Child::wait) can be begun
//!   again, and the status stays in the [`Child`] when it is there.
//! - **A signal reaches this child or nobody**, also when it comes late and the
//!   pid belongs to another process by then.
//! - **No handler is installed.** What the program does with SIGCHLD is its own
//!   matter. If it ignores the signal, the kernel keeps no status, and `wait`
//!   says so once the child has ended.
//! - **A spawn that fails leaves nothing**: no descriptor, no zombie; and the
//!   error says which program, and what to do.
//! - **A child gets no descriptor of ours** but its stdin, stdout and stderr, and not the
//!   timer slack of 1 ns that a worker has. (`std::process` passes that on.)
//!
//! # Spawning blocks, for a moment
//!
//! [`spawn`](Command::spawn) forks in the thread that calls it, which waits
//! until the program is loaded: half a millisecond, more if its file comes over
//! a network. A pool thread would do the same and add two hops; who starts
//! thousands from one task may call it inside `spawn_blocking`, where it works
//! just as well.
//!
//! # Example
//!
//! ```
//! use wakeline_net::process::Command;
//!
//! # wakeline_net::testing::block_on(async {
//! let status = Command::new("sh").args(["-c", "exit 3"]).spawn()?.wait().await?;
//! assert_eq!(status.code(), Some(3));
//! # std::io::Result::Ok(())
//! # })?;
//! # Ok::<(), std::io::Error>(())
//! ```

mod child;
mod command;
mod error;
mod handle;
mod orphans;
mod output;
mod slack;
mod talk;
mod wait;

pub use child::Child;
pub use command::Command;
pub use output::{Communicate, RunOutput, RunStatus};
#[doc(no_inline)]
pub use std::process::{ExitStatus, Output, Stdio};
pub use wait::{Kill, UntilEnded, Wait};

/// The stdin of a child, as seen from here: a pipe to write to.
pub type ChildStdin = crate::pipe::Sender;
/// The stdout of a child, as seen from here: a pipe to read from.
pub type ChildStdout = crate::pipe::Receiver;
/// The stderr of a child, as seen from here: a pipe to read from.
pub type ChildStderr = crate::pipe::Receiver;

#[cfg(test)]
mod tests;
