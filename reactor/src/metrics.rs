//! Figures of one reactor.

use crate::current;
use std::cell::Cell;
use std::io;

/// What a reactor has done and holds; a copy, taken by [`Reactor::metrics`](crate::Reactor::metrics).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Turns made.
    pub turns: u64,
    /// Turns that slept in the kernel.
    pub sleeps: u64,
    /// Calls of `io_uring_enter` or `epoll_wait`.
    pub waits: u64,
    /// Calls of `epoll_ctl`; always 0 under io_uring.
    pub controls: u64,
    /// Calls of `timerfd_settime`; always 0 under io_uring.
    pub alarms: u64,
    /// Writes to the eventfd by other threads.
    pub rings: u64,
    /// Events and completions taken from the kernel.
    pub events: u64,
    /// Those whose slot was no longer the one they were about.
    pub stale: u64,
    /// Timers fired.
    pub timers_fired: u64,
    /// Timers waiting.
    pub timers: u64,
    /// Watches that exist: a direction of a source under io_uring, a source under epoll.
    pub armed: u64,
    /// One-shot operations that the driver still holds.
    pub ops_in_flight: u64,
    /// Turns that found completions beyond the completion queue's size.
    pub overflows: u64,
    /// Sends without a copy; see [`ZeroCopy`](crate::op::ZeroCopy).
    pub zero_copy_sends: u64,
}

/// The figures of this thread's reactor, such as that of the worker which runs
/// the task that asks.
///
/// # Errors
///
/// [`NoRuntime`](crate::NoRuntime) on a thread without a reactor.
///
/// # Example
///
/// ```
/// use wakeline_reactor::{Config, Reactor, current_metrics};
///
/// assert!(current_metrics().is_err());
/// let reactor = Reactor::new(&Config::default())?;
/// let _entered = reactor.enter();
/// assert_eq!(current_metrics()?.turns, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn current_metrics() -> io::Result<Metrics> {
    current::get().map(|core| core.metrics())
}

/// The counters behind it, for the owner's thread.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) turns: Cell<u64>,
    pub(crate) sleeps: Cell<u64>,
    pub(crate) waits: Cell<u64>,
    pub(crate) controls: Cell<u64>,
    pub(crate) alarms: Cell<u64>,
    pub(crate) events: Cell<u64>,
    pub(crate) stale: Cell<u64>,
    pub(crate) timers_fired: Cell<u64>,
    pub(crate) overflows: Cell<u64>,
    pub(crate) zero_copy_sends: Cell<u64>,
}

/// Adds to a counter.
#[inline]
pub(crate) fn add(cell: &Cell<u64>, n: u64) {
    cell.set(cell.get().wrapping_add(n));
}
