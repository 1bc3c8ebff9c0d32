//! Signals of the operating system, as futures.
//!
//! ```text
//!   signal ──▶ handler: one byte into each listener's pipe
//!                                 │
//!                  reactor ◀── readable
//!                     └──wake──▶ Signal::recv: drains the pipe, returns once
//! ```
//!
//! A handler may do almost nothing, so it only writes a byte (`signal-hook` owns
//! that part). Each listener has a pipe of its own: all are woken, one that is
//! dropped takes nothing from the others, and a signal that comes while nobody
//! polls stays in the pipe. Several that come before a `recv` are one. A forked
//! child writes into the same pipe, so the handler also leaves a mark in memory,
//! which is the process's own: a byte without it is not ours.
//!
//! After the first listener for a signal, its default action is gone for the
//! rest of the process, also when every listener has been dropped: `Ctrl-C`
//! then ends nothing by itself.

pub mod unix;

use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Waits for `Ctrl-C` (SIGINT).
///
/// It listens from its first poll on. In a loop, where it would be dropped and
/// made anew, hold a [`unix::Signal`] instead, so that nothing is missed
/// in between.
///
/// # Errors
///
/// When the pipe cannot be made.
///
/// # Cancellation
///
/// Dropping the future stops listening.
///
/// # Example
///
/// ```no_run
/// # async fn serve() {}
/// # async fn example() -> std::io::Result<()> {
/// wakeline_net::signal::ctrl_c().await?;
/// println!("shutting down");
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn ctrl_c() -> CtrlC {
    CtrlC {
        signal: None,
        location: Location::caller(),
    }
}

/// The future of [`ctrl_c`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct CtrlC {
    signal: Option<unix::Signal>,
    location: &'static Location<'static>,
}

impl Future for CtrlC {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let signal = match &mut this.signal {
            Some(signal) => signal,
            none => none.insert(unix::signal(unix::SignalKind::interrupt())?),
        };
        signal.poll_at(cx, this.location)
    }
}
