//! An async runtime meant to be read: the line from a kernel event to the task
//! it wakes, on io_uring and on epoll.
//!
//! ```text
//!  kernel ──▶ reactor ──▶ waker ──▶ executor ──▶ task ──▶ your read returns
//!            (io_uring,            (queues,
//!             epoll)                workers)
//! ```
//!
//! This crate joins the parts and re-exports what a program uses:
//!
//! | crate | what it does | where to begin |
//! |---|---|---|
//! | `wakeline-reactor` | turns kernel events into wakes; timers | `reactor/src/source.rs` |
//! | `wakeline-executor` | runs tasks; the blocking pool | `executor/src/task/state.rs` |
//! | `wakeline-net` | sockets, files, pipes, child processes, signals and buffered I/O | `net/src/tcp/stream.rs` |
//! | `wakeline-sync` | locks, channels, queues, the cancel tree | `sync/src/lib.rs` |
//! | `wakeline-context` | what surrounds the poll in progress | `context/src/lib.rs` |
//!
//! Examples in the documentation of re-exported items name the crate that they live in
//! (`wakeline_net`, `wakeline_sync`, ..); in a program, which depends on `wakeline` alone,
//! the same items are found under `wakeline`.
//!
//! Where to look for what:
//!
//! | you want to | here it is |
//! |---|---|
//! | run something | [`block_on`], [`run`](fn@run) (with Ctrl-C), [`Runtime`], [`spawn`], [`spawn_blocking`] |
//! | wait for several | [`join!`], [`try_join!`], [`select!`], [`future`], [`JoinSet`] |
//! | wait for a while | [`time`], [`FutureExt::timeout`] |
//! | keep what belongs together together | [`scope`](mod@scope) |
//! | stop something, and say why | [`CancelToken`], [`checkpoint`], [`JoinHandle::cancel`] |
//! | share and signal | [`sync`]: locks, semaphores, events, channels, job queues, rate limits |
//! | carry values along | [`task_local!`], [`context_local!`] |
//! | go through a sequence | [`stream`] |
//! | talk to the world | [`net`], [`fs`], [`io`], [`pipe`], [`process`], [`signal`] |
//! | try again, or share what is dear | [`retry`](mod@retry), [`pool`] |
//! | see what runs, what it waits for, and what nobody saw fail | [`debug`], [`Handle::dump`], [`Builder::on_unobserved`] |
//! | see what ran when, and who woke whom | [`trace`] |
//! | test it without waiting | [`Builder::start_paused`], [`test`](mod@test) |
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use wakeline::FutureExt;
//! use wakeline::time::sleep;
//!
//! let answer = wakeline::block_on(async {
//!     let slow = wakeline::spawn(async {
//!         sleep(Duration::from_millis(1)).await;
//!         42
//!     });
//!     slow.timeout(Duration::from_secs(10)).await
//! });
//! assert_eq!(answer.expect("in time").expect("no panic"), 42);
//! ```

#![forbid(unsafe_code)]

pub mod cancel;
mod driver;
pub mod future;
mod future_ext;
pub mod pool;
mod rate_limiter;
pub mod retry;
mod runtime;
pub mod scope;
mod serve;
pub mod stream;

pub use cancel::{
    CancelToken, Cancelled, Cause, Reason, checkpoint, current_deadline, current_token, run,
};
pub use future_ext::FutureExt;
pub use pool::Pool;
pub use retry::retry;
pub use runtime::{Builder, Runtime, block_on};
pub use scope::{
    Child, ChildError, Errors, Guard, OnPanic, Scope, ScopeError, ScopeFut, StartError, scope,
    scope_local,
};
pub use wakeline_context::{context_local, local, task_local};
pub use wakeline_executor::debug;
pub use wakeline_executor::trace;
pub use wakeline_executor::{
    AbortHandle, AbortOnDrop, EnterGuard, Handle, JoinError, JoinHandle, JoinSet, Metrics,
    ShutdownReport, TryShield, Turn, Unobserved, WorkerMetrics, join_set, shield, spawn,
    spawn_blocking, spawn_eager, spawn_local, task, try_shield, yield_now,
};
pub use wakeline_net::fs;
pub use wakeline_net::io;
pub use wakeline_net::pipe;
pub use wakeline_net::process;
pub use wakeline_net::signal;
pub use wakeline_reactor::time;
pub use wakeline_reactor::{Backend, DriverKind as Driver};

/// Sockets: TCP, UDP and Unix, names looked up, and the accept loop of a server.
pub mod net {
    pub use crate::serve::{Listener, Serve, ServeError, ServeReport, serve};
    pub use wakeline_net::{
        Bind, Context, LookupHost, TcpListener, TcpSocket, TcpStream, ToSocketAddrs, UdpSocket,
        UnixDatagram, UnixListener, UnixStream, lookup_host, tcp, udp, unix,
    };
}

/// What tests of asynchronous code need.
///
/// Time without waiting for it is in [`time`]: [`pause`](time::pause),
/// [`advance`](time::advance), [`Builder::start_paused`].
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline::{Runtime, spawn, test::wait_all_blocked, time};
///
/// let runtime = Runtime::builder().start_paused(true).build()?;
/// runtime.block_on(async {
///     let minute = spawn(time::sleep(Duration::from_secs(60)));
///     wait_all_blocked().await; // it sleeps by now, and no time has passed
///     time::advance(Duration::from_secs(59)).await;
///     assert!(!minute.is_finished());
///     time::advance(Duration::from_secs(1)).await;
///     assert!(minute.is_finished());
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub mod test {
    pub use wakeline_reactor::time::{WaitAllBlocked, wait_all_blocked};
}

/// Synchronisation of tasks: first come, first served, and nothing is lost by
/// giving up.
pub mod sync {
    pub use crate::rate_limiter::{AcquireRate, RateLimited, RateLimiter, UntilReady};
    pub use wakeline_sync::*;
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
