//! Time: sleeping, limiting and repeating.
//!
//! | file          | what is there                                                    |
//! |---------------|------------------------------------------------------------------|
//! | `sleep.rs`    | [`Sleep`]: done at a moment                                      |
//! | `timeout.rs`  | [`Timeout`]: a future with a limit                               |
//! | `interval.rs` | [`Interval`]: a moment after the other                           |
//! | `virtual_time.rs` | [`pause`], [`advance`]: time that passes only when all waits |
//! | `timer.rs`    | what sleeps, timeouts and intervals share: a deadline and its place in a wheel |
//! | `wheel.rs`    | which wakers are due at a tick, and when to look again; pure data |
//! | `entries.rs`  | the memory of the wheel                                          |
//!
//! # From a deadline to a wake
//!
//! ```text
//!  sleep(d)  ─▶ deadline = now + d                          nothing is registered yet
//!  poll      ─▶ tick = deadline rounded up ─▶ wheel.insert(tick, waker)    Pending
//!               ...
//!  Reactor::turn(limit)
//!    1 waits in the kernel: at most `limit`, at most until wheel.next_tick()
//!    2 wheel.advance(now rounded down) ─▶ the wakers that are due
//!    3 every borrow is released, then they are woken
//!  poll      ─▶ the entry is gone from the wheel: the deadline has passed  Ready
//! ```
//!
//! Every thread that runs futures has a wheel, and a timer is registered in the
//! one of the thread that polls it first. No lock is taken and no other thread
//! told. A future that moves to another thread takes its timer along at its
//! next poll; the old thread forgets its entry by a message.
//!
//! # What is promised
//!
//! - **Never early.** Deadlines are rounded up to a tick of 1.024 us and the
//!   present is rounded down. Late by a tick, or, if others are due within the same 16,
//!   until these have passed; by what the kernel adds, and by as long as the thread's
//!   tasks keep it from its reactor.
//! - **In order.** Timers of one thread fire by deadline, those of the same tick
//!   in the order in which they were registered. Where time is paused a tick is
//!   a nanosecond, so there the order is exact.
//! - **Nothing overflows.** `Duration::MAX` means never, a moment in the past
//!   means at once.
//! - **A dropped timer is gone**: its entry is freed by the drop, and the loop is
//!   not woken for it.
//!
//! # Time that stands still
//!
//! A program's tests need not wait. Where time is [paused](pause) it passes only
//! when nothing can run, and then at once; `virtual_time.rs` has the rules. Code
//! that takes part reads the clock by [`now`], and not by `Instant::now`.
//!
//! # Example
//!
//! ```
//! use std::future::Future;
//! use std::pin::pin;
//! use std::task::{Context, Waker};
//! use std::time::Duration;
//! use wakeline_reactor::time::{interval, timeout};
//! use wakeline_reactor::{Config, Reactor};
//!
//! let reactor = Reactor::new(&Config::default())?;
//! let _entered = reactor.enter();
//!
//! let three_beats = async {
//!     let mut beat = interval(Duration::from_millis(1));
//!     for _ in 0..3 {
//!         beat.tick().await;
//!     }
//! };
//! let mut in_time = pin!(timeout(Duration::from_secs(60), three_beats));
//! // What an executor does, with one task:
//! let mut cx = Context::from_waker(Waker::noop());
//! while in_time.as_mut().poll(&mut cx).is_pending() {
//!     reactor.turn(None)?; // sleeps until the next beat
//! }
//! # Ok::<(), std::io::Error>(())
//! ```

mod entries;
mod interval;
mod sleep;
mod timeout;
mod timer;
mod virtual_time;
pub(crate) mod wheel;

pub use interval::{Interval, MissedTick, Tick, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};

pub use virtual_time::{
    Advance, WaitAllBlocked, advance, auto_advance, is_paused, pause, resume, wait_all_blocked,
};

pub use std::time::{Duration, Instant};

/// The present, by the clock that timers go by.
///
/// It differs from `Instant::now()` where time is or was [paused](pause): there
/// only this one goes with the timers. On the threads of a runtime's blocking
/// jobs it is the runtime's.
///
/// # Example
///
/// ```
/// use wakeline_reactor::time;
///
/// let before = time::now();
/// assert!(time::now() >= before);
/// ```
#[must_use]
#[inline]
pub fn now() -> Instant {
    crate::clock::now()
}

/// `delay` from `start`, or `None`, never, where that is beyond what the clock
/// can tell.
#[inline]
fn after(start: Instant, delay: Duration) -> Option<Instant> {
    start.checked_add(delay)
}
