//! Virtual time: the clock stands still while code runs, and jumps when
//! nothing can run.
//!
//! ```text
//!           ┌──────────── the thread's loop ────────────┐
//!           ▼                                           │
//!   run every ready task ──▶ turn: kernel, jobs? ──1────┤  something came
//!   (the clock stands still)     │ nothing              │
//!                                ├──2─▶ wake who waits for quiet
//!                                ├──3─▶ a deadline by the target of an `advance`: the
//!                                │      clock shows it, its timers fire; none: the
//!                                │      clock shows the target, the `advance` is done
//!                                ├──4─▶ a deadline: the clock shows it, its timers fire
//!                                └──5─▶ sleep until an event, a job's end, a wake
//! ```
//! 1 `Core::turn`    events, mail, a notification: no step
//! 2 `Step::Settle`  [`wait_all_blocked`], before any move of time
//! 3 `Step::To`      [`advance`]
//! 4 `Step::To`      auto-advance; not while there is a job, or an operation that
//!                   ends by itself
//! 5 `Step::Stay`    nothing to wait for but the world
//!
//! # What is promised
//!
//! - **Exact.** A timer fires when the clock shows its deadline, to the
//!   nanosecond. Timers of one deadline fire together, in the order of their
//!   registration; what they woke runs until it waits before time goes on.
//!   (A task is queued then; the future of `block_on` is no task and is polled
//!   before the queue.)
//! - **Only when all is blocked.** Time moves when no task is ready and none
//!   has yielded. A task that is always ready therefore stops it.
//! - **Jobs are work.** Auto-advance waits for blocking jobs, queued or running,
//!   and for those operations of [`op`](crate::op) that come to an end by
//!   themselves, as a file's do; the end of the last one wakes a sleeping thread.
//!   [`advance`] does not wait for them, since its caller has said what time it is.
//! - **Free when unused.** A runtime that never pauses pays one load and one
//!   branch where it reads the clock, and one branch in a turn.
//!
//! # Sockets and other threads
//!
//! The kernel is asked before each step, without waiting, and what it reports
//! goes first. But it is not part of this world: a packet on its way is no
//! work that anyone could count, and a thread of the program's own is not
//! known here either. So a task that waits for a socket or a pipe counts as blocked,
//! whether by a source or by an operation, and a timeout around it may fire at once. What was written to a loopback socket
//! is usually there at the next look, which is no promise. A test of code with
//! sockets keeps its time real, puts a channel in their place, or turns
//! [`auto_advance`] off while bytes are under way.
//!
//! # Where it works
//!
//! On the thread of a runtime with one worker: there is one place that knows
//! that all is blocked. Elsewhere, and with more workers, [`pause`] panics. A
//! `block_on` that runs beside the worker, on another thread, goes by the real
//! clock; blocking jobs see the runtime's.

mod futures;

pub use futures::{Advance, WaitAllBlocked};

use crate::current;
use crate::reactor::Core;
use futures::Wait;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// Stops the clock of this runtime: from here on time passes only when all is
/// blocked, and then at once.
///
/// Then it jumps to the next deadline. A test that sleeps for hours takes
/// milliseconds, and the moments it sees are the same in each run, if it looks
/// at the clock by [`now`](super::now).
///
/// | what happens                        | does time move?                     |
/// |-------------------------------------|-------------------------------------|
/// | a task is ready, or has yielded     | no                                  |
/// | a blocking job is queued or runs    | no; its end is waited for           |
/// | someone is in `wait_all_blocked`    | no; that returns first              |
/// | someone is in [`advance`]           | to the next deadline by its target  |
/// | every task waits, a timer is set    | to the next deadline                |
/// | every task waits, and not for time  | no; it sleeps until an event        |
///
/// Sockets are the world's: a task that waits for one counts as blocked, also
/// while a packet is under way. With [`auto_advance`] off, only [`advance`]
/// moves the time.
///
/// # Panics
///
/// If time is paused already; on a thread where no runtime is; in a runtime
/// with several workers; in a `block_on` beside the worker's.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline_reactor::time::{self, sleep};
/// # use wakeline_reactor::{Clock, Config, Reactor};
/// # use std::{future::Future, pin::pin, task::{Context, Waker}};
/// # let reactor = Reactor::new(&Config::default().clock(Clock::new()))?;
/// # let _entered = reactor.enter();
///
/// let a_day = async {
///     time::pause();
///     let start = time::now();
///     sleep(Duration::from_secs(86_400)).await; // a jump
///     assert_eq!(time::now() - start, Duration::from_secs(86_400));
/// };
/// # let mut a_day = pin!(a_day);
/// # while a_day.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
/// #     reactor.turn(None)?;
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn pause() {
    let core = core("time::pause");
    let stopped = match &core.clock {
        Some(clock) if !clock.is_stopped() => {
            clock.stop();
            true
        }
        _ => false,
    };
    assert!(stopped, "time::pause: time is paused already");
    core.restart_timers(true);
}

/// Lets the clock go again, from the moment that it shows.
///
/// Who is in an [`advance`] returns. The clock stays ahead of (or behind) the
/// real one by what it was moved.
///
/// # Panics
///
/// If time is not paused, or cannot be.
///
/// # Example
///
/// ```
/// # use wakeline_reactor::{Clock, Config, Reactor};
/// use wakeline_reactor::time;
/// # let reactor = Reactor::new(&Config::default().clock(Clock::new()))?;
/// # let _entered = reactor.enter();
/// time::pause();
/// assert!(time::is_paused());
/// time::resume();
/// assert!(!time::is_paused());
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn resume() {
    let core = paused_core("time::resume");
    if let Some(clock) = &core.clock {
        clock.go();
    }
    core.restart_timers(false);
}

/// Whether this thread's time is paused; `false` where there is no runtime.
///
/// # Example
///
/// ```
/// assert!(!wakeline_reactor::time::is_paused()); // no runtime here
/// ```
#[must_use]
pub fn is_paused() -> bool {
    current::clock().is_some_and(|clock| clock.is_stopped())
}

/// Says whether paused time jumps by itself when all is blocked: `true` from
/// the start. It takes effect with the next turn.
///
/// Off, only [`advance`] moves it, and a runtime whose tasks all wait for
/// timers sleeps until something else wakes them.
///
/// # Panics
///
/// If time is not paused, or cannot be.
///
/// # Example
///
/// ```
/// # use wakeline_reactor::{Clock, Config, Reactor};
/// use wakeline_reactor::time;
/// # let reactor = Reactor::new(&Config::default().clock(Clock::new()))?;
/// # let _entered = reactor.enter();
/// time::pause();
/// time::auto_advance(false); // the time is what the test says
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn auto_advance(on: bool) {
    let core = paused_core("time::auto_advance");
    core.steps.borrow_mut().set_auto(on);
}

/// Moves the paused time on by `duration`, and runs what is due on the way.
///
/// The clock stops at each deadline by then: its timers fire, and whoever they
/// woke runs until all is blocked. With the last of that done the clock shows
/// the end of `duration`, and the future is ready. So when it returns,
/// everything that was due has happened. Zero runs what can run now. Blocking
/// jobs are not waited for.
///
/// It counts from the first poll. What is beyond the clock's end, 584 years
/// after the start, is cut to that.
///
/// # Panics
///
/// Polling it panics if time is not paused, or cannot be.
///
/// # Cancellation
///
/// Dropping the future stops the time where it is then.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline_reactor::time;
/// # use wakeline_reactor::{Clock, Config, Reactor};
/// # use std::{future::Future, pin::pin, task::{Context, Waker}};
/// # let reactor = Reactor::new(&Config::default().clock(Clock::new()))?;
/// # let _entered = reactor.enter();
/// # let future = async {
/// time::pause();
/// let start = time::now();
/// time::advance(Duration::from_secs(5)).await;
/// assert_eq!(time::now() - start, Duration::from_secs(5));
/// # };
/// # let mut future = pin!(future);
/// # while future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
/// #     reactor.turn(None)?;
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn advance(duration: Duration) -> Advance {
    Advance {
        duration,
        wait: Wait::New,
        location: Location::caller(),
    }
}

/// Waits until every other task waits, no blocking job is queued or runs, and
/// no operation is in flight that ends by itself.
///
/// It returns before paused time moves on, so a task that asks again and again
/// stops the time. It works with time that is not
/// paused, too: until the thread has nothing to do at this moment. If several
/// wait, all of them go on.
///
/// # Panics
///
/// Polling it panics where time cannot be paused, as [`pause`] does.
///
/// # Cancellation
///
/// Dropping the future changes nothing.
///
/// # Example
///
/// ```
/// use wakeline_reactor::time::wait_all_blocked;
/// # use wakeline_reactor::{Clock, Config, Reactor};
/// # use std::{future::Future, pin::pin, task::{Context, Waker}};
/// # let reactor = Reactor::new(&Config::default().clock(Clock::new()))?;
/// # let _entered = reactor.enter();
/// # let future = async {
/// // After spawning what a test needs:
/// wait_all_blocked().await;
/// // ... each of these tasks is at its first wait.
/// # };
/// # let mut future = pin!(future);
/// # while future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
/// #     reactor.turn(None)?;
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn wait_all_blocked() -> WaitAllBlocked {
    WaitAllBlocked {
        wait: Wait::New,
        location: Location::caller(),
    }
}

/// This thread's reactor, if its time may be paused.
///
/// # Panics
///
/// If there is none, or if it may not.
#[track_caller]
fn core(what: &str) -> Rc<Core> {
    let core = match current::get() {
        Ok(core) => core,
        Err(error) => panic!("{what}: {error}"),
    };
    assert!(
        core.clock.is_some(),
        "{what}: this thread's time cannot be paused: that needs a runtime with one worker, and the thread that \
         runs its tasks (`Runtime::builder().workers(1)`, and the first `block_on`)"
    );
    core
}

/// The same, and it is paused.
#[track_caller]
fn paused_core(what: &str) -> Rc<Core> {
    let core = core(what);
    let paused = core.clock.as_ref().is_some_and(|clock| clock.is_stopped());
    assert!(
        paused,
        "{what}: time is not paused: call `time::pause` first"
    );
    core
}
