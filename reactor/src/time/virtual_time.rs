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
//! 4 `Step::To`      auto-advance; not while a job or an operation is in flight
//! 5 `Step::Stay`    nothing to wait for but the world
//!
//! # What is promised
//!
//! - **Exact.** A timer fires when the clock shows its deadline, to the
//!   nanosecond. Timers of one deadline fire together, in the order of their
//!   registration; what they woke runs until it waits before time goes on.
//! - **Only when all is blocked.** Time moves when no task is ready and none
//!   has yielded. A task that is always ready therefore stops it.
//! - **Jobs are work.** Auto-advance waits for blocking jobs, queued or running,
//!   and for operations of [`op`](crate::op), as those come to an end by
//!   themselves; the end of the last one wakes a sleeping thread. [`advance`]
//!   does not wait for them, since its caller has said what time it is.
//! - **Free when unused.** A runtime that never pauses pays one load and one
//!   branch where it reads the clock, and one branch in a turn.
//!
//! # Sockets and other threads
//!
//! The kernel is asked before each step, without waiting, and what it reports
//! goes first. But it is not part of this world: a packet on its way is no
//! work that anyone could count, and a thread of the program's own is not
//! known here either. So a task that waits for a socket counts as blocked, and a timeout around
//! it may fire at once. What was written to a loopback socket is usually there
//! at the next look, which is no promise. A test of code with sockets keeps
//! the time of its sockets real, puts a pipe of its own in their place, or
//! turns [`auto_advance`] off while bytes are under way.
//!
//! # Where it works
//!
//! On the thread of a runtime with one worker: there is one place that knows
//! that all is blocked. Elsewhere, and with more workers, [`pause`] panics. A
//! `block_on` that runs beside the worker, on another thread, goes by the real
//! clock; blocking jobs see the runtime's.

use crate::clock;
use crate::current;
use crate::harvest::Harvest;
use crate::inbox::Message;
use crate::metrics::add;
use crate::reactor::Core;
use crate::remote::Home;
use crate::steps::{self, Id, Step};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wakeline_context::{Kind, waiting_on};

/// Stops the clock of this runtime: from here on time passes only when all is
/// blocked, and then at once.
///
/// Then it jumps to the next deadline. A test that sleeps for hours takes
/// milliseconds, and the moments it sees are the same in each run. The rules are in
/// the table below; code must look at the clock by [`now`](super::now).
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
/// no operation is in flight.
///
/// It returns before paused time moves on. It works with time that is not
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

/// The future of [`advance`].
#[derive(Debug)]
#[must_use = "time moves only while this is awaited"]
pub struct Advance {
    duration: Duration,
    wait: Wait,
    location: &'static Location<'static>,
}

/// The future of [`wait_all_blocked`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct WaitAllBlocked {
    wait: Wait,
    location: &'static Location<'static>,
}

/// A future that waits for a step: `New`, then `Listed`, then `Over`.
#[derive(Debug)]
enum Wait {
    New,
    Listed(Entry),
    /// Its step was taken.
    Over,
}

/// A place among those who wait; removed when this is dropped.
#[derive(Debug)]
struct Entry {
    home: u64,
    id: Id,
}

impl Future for Advance {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.wait, Wait::New) {
            let waker = cx.waker().clone();
            let core = paused_core("time::advance");
            let target = clock::after(core.now_nanos(), self.duration).min(steps::LAST);
            let id = core.steps.borrow_mut().wait_for_moment(target, waker);
            self.wait = core.listed(id);
        }
        let location = self.location;
        self.wait.poll(cx, "time::advance", location)
    }
}

impl Future for WaitAllBlocked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.wait, Wait::New) {
            let waker = cx.waker().clone();
            let core = core("wait_all_blocked");
            let id = core.steps.borrow_mut().wait_for_quiet(waker);
            self.wait = core.listed(id);
        }
        let location = self.location;
        self.wait.poll(cx, "wait_all_blocked", location)
    }
}

impl Wait {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        what: &str,
        location: &'static Location<'static>,
    ) -> Poll<()> {
        let Wait::Listed(entry) = self else {
            return Poll::Ready(());
        };
        let mut waker = cx.waker().clone();
        let listed = current::if_home(entry.home, |core| {
            match core.steps.borrow_mut().get_mut(entry.id) {
                Some(listed) => std::mem::swap(listed, &mut waker),
                None => return false,
            }
            true
        });
        drop(waker); // the older one, after the borrow
        match listed {
            None => {
                panic!("{what}, made at {location}, was polled on another thread than at first")
            }
            Some(true) => {
                waiting_on(Kind::Timer, 0, location);
                Poll::Pending
            }
            Some(false) => {
                *self = Wait::Over;
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let found = current::if_home(self.home, |core| {
            let removed = core.remove_step(self.id);
            drop(removed); // after the borrow: it is foreign code
        });
        if found.is_none() {
            Home::send_to(self.home, Message::CancelStep(self.id));
        }
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

/// The steps of time, as a turn takes them.
impl Core {
    /// What this turn will do if it finds nothing.
    #[cold]
    pub(crate) fn next_step(&self, jobs: &dyn Fn() -> bool) -> Step {
        let paused = self.clock.as_ref().is_some_and(|clock| clock.is_stopped());
        let first = paused.then(|| self.timers.borrow().first_deadline());
        let in_flight = || self.driver.borrow().held().1 > 0 || jobs();
        let quiet = || steps::is_quiet(&self.home.parker, in_flight);
        self.steps.borrow().decide(paused, first.flatten(), quiet)
    }

    /// The turn found nothing; returns how many timers fired.
    #[cold]
    pub(crate) fn take_step(&self, step: Step, harvest: &mut Harvest) -> usize {
        if self.home.parker.is_notified() {
            // Another thread has queued something meanwhile: the loop looks
            // for it before time moves. The mark is taken, as by a sleep.
            self.home.parker.unpark();
            return 0;
        }
        let wakers = &mut harvest.wakers;
        let mut fired = 0;
        match step {
            Step::Stay => {}
            Step::Settle => self.steps.borrow_mut().settle(wakers),
            Step::To(moment) => {
                if let Some(clock) = &self.clock {
                    clock.set(moment);
                }
                self.timers.borrow_mut().advance(moment, wakers);
                fired = wakers.len();
                add(&self.counts.timers_fired, fired as u64);
                if fired == 0 {
                    self.steps.borrow_mut().arrive(moment, wakers);
                }
            }
        }
        self.update_special();
        fired
    }

    pub(crate) fn remove_step(&self, id: Id) -> Option<Waker> {
        let removed = self.steps.borrow_mut().remove(id);
        self.update_special();
        removed
    }

    fn listed(&self, id: Id) -> Wait {
        self.update_special();
        Wait::Listed(Entry {
            home: self.home.id,
            id,
        })
    }

    fn update_special(&self) {
        let real = self.clock.as_ref().is_none_or(|clock| clock.is_real());
        self.special.set(!real || !self.steps.borrow().is_empty());
    }

    /// When the real clock shows `nanos` of this one; `None` if it is stopped.
    #[cold]
    pub(crate) fn real_nanos(&self, nanos: u64) -> Option<u64> {
        match &self.clock {
            Some(clock) => clock.real_nanos(nanos),
            None => Some(nanos),
        }
    }

    /// The clock was stopped or set going: wakes who has a timer, so that they
    /// set it anew.
    fn restart_timers(&self, exact: bool) {
        self.update_special();
        let mut harvest = Harvest::default();
        if !exact {
            self.steps.borrow_mut().give_up(&mut harvest.wakers);
            self.update_special();
        }
        let now = self.now_nanos();
        self.timers
            .borrow_mut()
            .restart(now, exact, &mut harvest.wakers);
        harvest.finish();
    }
}
