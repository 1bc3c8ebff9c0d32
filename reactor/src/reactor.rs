//! One thread's reactor, and its turn.
//!
//! ```text
//!   turn(limit):
//!    1 mail     what other threads asked for
//!    2 timers   those due go to the harvest
//!    3 driver   flush what is staged, sleep if there is nothing to do, reap;
//!               where that was asked for, look a few times before a sleep
//!    4 timers   again, if it slept
//!    5 release  every borrow ends here
//!    6 finish   drop what was let go of, wake who has something to do
//! ```

use crate::clock::Clock;
use crate::config::{Backend, Config, Offload};
use crate::current::Entered;
use crate::driver::{Beside, Driver, Sleep, Turning, probe};
use crate::error::ForkedRuntime;
use crate::harvest::{Garbage, Harvest};
use crate::inbox::Message;
use crate::metrics::{Counts, Metrics, add};
use crate::op::{AnyOp, Ticket};
use crate::remote::{Home, Remote};
use crate::source::{Armed, Shared};
use crate::spin::Spin;
use crate::state::Direction;
use crate::steps::{Step, Steps};
use crate::timers::Timers;
use crate::{clock, current, sys};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long the end of a reactor waits for its operations, if nobody called
/// [`Reactor::drain`] before.
const LAST_DRAIN: Duration = Duration::from_millis(100);

/// What a reactor consists of; the handles share it on one thread.
pub(crate) struct Core {
    pub(crate) home: Arc<Home>,
    pub(crate) offload: Option<Arc<dyn Offload>>,
    pub(crate) timers: RefCell<Timers>,
    /// Set if time may be paused here.
    pub(crate) clock: Option<Clock>,
    /// Who waits for a step of time, or for a pause in the work.
    pub(crate) steps: RefCell<Steps>,
    /// The clock is not the real one, or `steps` is not empty: a turn must look.
    pub(crate) special: Cell<bool>,
    pub(crate) driver: RefCell<Driver>,
    backend: Backend,
    pub(crate) counts: Counts,
    pub(crate) spin: Spin,
    /// Empty between turns; kept for its allocations.
    harvest: Cell<Harvest>,
    mail: Cell<Vec<Message>>,
    generation: u32,
}

/// Turns kernel events into wakes, for one thread.
///
/// A handle: clones are the same reactor. When the last one is gone, and no
/// [`Entered`] guard is left, its sources are disarmed and their waiters woken;
/// they arm again on the reactor of the thread that polls them next.
///
/// It stays on its thread: the rings are touched by no other.
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<wakeline_reactor::Reactor>();
/// ```
#[derive(Clone)]
pub struct Reactor {
    pub(crate) core: Rc<Core>,
}

/// What one turn did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Turn {
    /// Events and completions taken from the kernel.
    pub events: usize,
    /// Timers that fired.
    pub timers: usize,
    /// Wakers woken.
    pub woken: usize,
    /// Whether it went to sleep.
    pub slept: bool,
    /// Whether [`Remote::interrupt`] ended the sleep or forbade it.
    pub interrupted: bool,
}

/// How [`Reactor::drain`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Drained {
    /// The kernel holds nothing of ours any more.
    Clean,
    /// The kernel did not let go in time: the memory and descriptors of `ops`
    /// requests are leaked when the reactor goes, so that it cannot write into
    /// anything else.
    Leaked {
        /// How many requests.
        ops: usize,
    },
}

impl Reactor {
    /// Makes a reactor for this thread; it is found by leaves once entered.
    ///
    /// The thread's timer slack becomes 1 ns: by default the kernel adds 50 us
    /// to each sleep.
    ///
    /// # Errors
    ///
    /// When the driver asked for cannot be set up; the inner error is a
    /// [`SetupError`](crate::SetupError) that says what to try.
    pub fn new(config: &Config) -> io::Result<Reactor> {
        sys::watch_forks();
        let home = Home::new()?;
        let (driver, backend) = probe::open(config, &home)?;
        sys::sharpen_sleep();
        let clock = config.clock.clone();
        let stopped = clock.as_ref().filter(|clock| !clock.is_real());
        let exact = stopped.map(|clock| clock::nanos(clock.now()));
        let core = Core {
            home,
            offload: config.offload.clone(),
            timers: RefCell::new(Timers::new(exact)),
            steps: RefCell::default(),
            special: Cell::new(exact.is_some()),
            clock,
            driver: RefCell::new(driver),
            backend,
            counts: Counts::default(),
            spin: Spin::new(config.spin),
            harvest: Cell::default(),
            mail: Cell::default(),
            generation: sys::process_generation(),
        };
        Ok(Reactor {
            core: Rc::new(core),
        })
    }

    /// Which driver it runs on, and why.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.core.backend
    }

    /// A handle by which other threads end its sleep.
    #[must_use]
    pub fn remote(&self) -> Remote {
        Remote {
            home: Arc::clone(&self.core.home),
        }
    }

    /// Makes it this thread's reactor until the guard is dropped.
    ///
    /// Then nothing stays watched by it: who waits is woken, and the sources
    /// are armed again where they are polled next.
    pub fn enter(&self) -> Entered {
        Entered::new(Rc::clone(&self.core))
    }

    /// Takes what the kernel has, fires the timers due, and wakes.
    ///
    /// `None` sleeps until an event, a timer or an interrupt; a limit sleeps no
    /// longer than that; `Some(Duration::ZERO)` never sleeps. A sleep may also
    /// end early with nothing to show, by a signal, so call it in a loop. No
    /// waker runs while anything of the reactor is borrowed or locked.
    ///
    /// # Errors
    ///
    /// What the kernel's wait returned, except for interruptions by a signal;
    /// [`ForkedRuntime`] in a forked child.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline_reactor::{Config, Reactor};
    ///
    /// let reactor = Reactor::new(&Config::default())?;
    /// let turn = reactor.turn(Some(Duration::ZERO))?;
    /// assert!(!turn.slept);
    /// assert_eq!(reactor.metrics().turns, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn turn(&self, limit: Option<Duration>) -> io::Result<Turn> {
        self.core.turn(limit, &|| false)
    }

    /// [`turn`](Reactor::turn) of a thread that has threads for blocking jobs:
    /// `jobs` tells whether some are queued or run.
    ///
    /// It is asked where [time is paused](crate::time::pause), since that does
    /// not pass while there are any. If it says so, the reactor must be
    /// interrupted when the last of them has ended.
    ///
    /// # Errors
    ///
    /// As `turn`.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline_reactor::{Config, Reactor};
    ///
    /// let reactor = Reactor::new(&Config::default())?;
    /// let no_jobs = || false;
    /// reactor.turn_beside(Some(Duration::from_millis(1)), &no_jobs)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn turn_beside(
        &self,
        limit: Option<Duration>,
        jobs: &dyn Fn() -> bool,
    ) -> io::Result<Turn> {
        self.core.turn(limit, jobs)
    }

    /// Stops watching, cancels every operation, and waits until the kernel has
    /// let go of all, at most for `limit`.
    ///
    /// For the end of a runtime: sources may be armed again afterwards.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline_reactor::{Config, Drained, Reactor};
    ///
    /// let reactor = Reactor::new(&Config::default())?;
    /// assert_eq!(reactor.drain(Duration::from_secs(1)), Drained::Clean);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn drain(&self, limit: Duration) -> Drained {
        self.core.drain(limit)
    }

    /// A copy of its figures.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.core.metrics()
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("id", &self.core.home.id)
            .field("backend", &self.core.backend.name())
            .finish_non_exhaustive()
    }
}

impl Core {
    fn turn(&self, limit: Option<Duration>, jobs: &dyn Fn() -> bool) -> io::Result<Turn> {
        self.check_process()?;
        add(&self.counts.turns, 1);
        let mut harvest = self.harvest.take();
        self.read_mail(&mut harvest);
        let mut timers = self.fire_timers(&mut harvest);

        let nothing_to_do = harvest.is_empty();
        let mut step = Step::Stay;
        if nothing_to_do && self.special.get() && limit != Some(Duration::ZERO) {
            step = self.next_step(jobs);
        }
        let sleep = if nothing_to_do && step == Step::Stay {
            self.until(limit)
        } else {
            Sleep::No
        };
        let mut turning = Turning {
            sleep,
            home: &self.home,
            harvest: &mut harvest,
            counts: &self.counts,
            events: 0,
            slept: false,
            interrupted: false,
        };
        let result = match self.spin(&mut turning) {
            Ok(false) => self.driver.borrow_mut().turn(&mut turning),
            found => found.map(drop),
        };
        let Turning {
            events,
            slept,
            interrupted,
            ..
        } = turning;
        if slept {
            add(&self.counts.sleeps, 1);
            timers += self.fire_timers(&mut harvest);
        }
        if step != Step::Stay && events == 0 && harvest.is_empty() {
            timers += self.take_step(step, &mut harvest);
        }
        add(&self.counts.events, events as u64);

        debug_assert!(
            self.driver.try_borrow_mut().is_ok(),
            "wakers are foreign code"
        );
        debug_assert!(
            self.timers.try_borrow_mut().is_ok(),
            "wakers are foreign code"
        );
        let woken = harvest.finish();
        self.keep(harvest);
        result.map(|()| Turn {
            events,
            timers,
            woken,
            slept,
            interrupted,
        })
    }

    /// Puts a harvest back. Wakers and drops that ran meanwhile may have left
    /// something in its place.
    fn keep(&self, mut harvest: Harvest) {
        harvest.append(self.harvest.take());
        self.harvest.set(harvest);
    }

    /// Every entry from outside asks this first: a forked child must not touch
    /// the parent's ring or epoll.
    #[inline]
    pub(crate) fn check_process(&self) -> io::Result<()> {
        if self.generation == sys::process_generation() {
            return Ok(());
        }
        Err(io::Error::other(ForkedRuntime))
    }

    fn read_mail(&self, harvest: &mut Harvest) {
        let mut mail = self.mail.take();
        self.home.inbox.take(&mut mail);
        for message in mail.drain(..) {
            self.read_message(message, harvest);
        }
        self.mail.set(mail);
    }

    fn read_message(&self, message: Message, harvest: &mut Harvest) {
        match message {
            Message::Release(key) => self.driver.borrow_mut().release(key, harvest, &self.counts),
            Message::CancelOp(key) => self.driver.borrow_mut().cancel(key, harvest, &self.counts),
            Message::CancelTimer(key) => {
                // Its drop is foreign code and may queue work without an
                // interrupt: as garbage, it keeps this turn from sleeping.
                let removed = self.timers.borrow_mut().remove(key);
                harvest.garbage.extend(removed.map(Garbage::Waker));
            }
            Message::CancelStep(id) => {
                let removed = self.remove_step(id);
                harvest.garbage.extend(removed.map(Garbage::Waker));
            }
            Message::FireTimer(key) => harvest.wakers.extend(self.timers.borrow_mut().remove(key)),
        }
    }

    /// Has the driver watch a direction of `source`, or both; `other` tells where
    /// the other one is watched.
    pub(crate) fn arm(
        &self,
        source: &Arc<Shared>,
        direction: Direction,
        other: Option<&Armed>,
    ) -> io::Result<(Armed, bool)> {
        let beside = match other {
            None => Beside::Nothing,
            Some(armed) if armed.home.id == self.home.id => Beside::Here(armed.key),
            Some(_) => Beside::Elsewhere,
        };
        let (key, both) = self
            .driver
            .borrow_mut()
            .arm(source, direction, beside, &self.counts)?;
        Ok((
            Armed {
                home: Arc::clone(&self.home),
                key,
            },
            both,
        ))
    }

    /// Ends a watch, here or by mail. `at_once`: do not leave the kernel's part
    /// of it to the next turn.
    pub(crate) fn release(armed: &Armed, at_once: bool) {
        let here = current::if_home(armed.home.id, |core| {
            if core.check_process().is_err() {
                return;
            }
            let mut harvest = core.harvest.take();
            let mut driver = core.driver.borrow_mut();
            driver.release(armed.key, &mut harvest, &core.counts);
            if at_once {
                driver.flush(&mut harvest, &core.counts);
            }
            drop(driver);
            // Other futures' wakers do not run in the drop of a source: they
            // stay for the next turn, which does not sleep then.
            harvest.garbage.clear();
            core.keep(harvest);
        });
        if here.is_none() {
            armed.home.send(Message::Release(armed.key));
        }
    }

    /// The thread leaves this reactor, perhaps for ever. So nothing stays
    /// watched by it: who waits is woken, and arms again on the reactor that
    /// polls it next, which may be this one. What was dropped is closed now.
    pub(crate) fn leave(&self) {
        if self.check_process().is_ok() {
            let mut harvest = self.harvest.take();
            self.read_mail(&mut harvest);
            let mut driver = self.driver.borrow_mut();
            driver.disarm(&mut harvest, &self.counts);
            if driver.has_cancels() {
                driver.flush(&mut harvest, &self.counts);
            }
            drop(driver);
            harvest.finish();
            self.keep(harvest);
        }
    }

    /// Starts a one-shot operation; `None` if the driver does not hold it.
    pub(crate) fn submit(&self, op: Arc<dyn AnyOp>) -> Option<Ticket> {
        let mut driver = self.driver.borrow_mut();
        let key = driver.submit(&op, &self.counts);
        drop(driver);
        match key {
            Ok(Some(key)) => {
                return Some(Ticket {
                    home: Arc::clone(&self.home),
                    key,
                });
            }
            Ok(None) => op.run_on(self.offload.as_ref()),
            Err(error) => op.complete_alone(Err(error)),
        }
        None
    }

    /// Starts an operation that tells its first result within this call;
    /// `false` if this driver cannot do that.
    pub(crate) fn submit_now(&self, op: &Arc<dyn AnyOp>) -> bool {
        let mut harvest = self.harvest.take();
        let mut driver = self.driver.borrow_mut();
        let taken = driver.submit_now(op, &mut harvest, &self.counts);
        drop(driver);
        // Other futures' wakers do not run in a future's poll: they stay for
        // the next turn, which does not sleep then.
        self.keep(harvest);
        taken
    }

    /// Asks for the end of an operation, here or by mail.
    pub(crate) fn cancel(ticket: &Ticket) {
        let here = current::if_home(ticket.home.id, |core| {
            if core.check_process().is_err() {
                return;
            }
            let mut harvest = Harvest::default();
            core.driver
                .borrow_mut()
                .cancel(ticket.key, &mut harvest, &core.counts);
            harvest.finish();
        });
        if here.is_none() {
            ticket.home.send(Message::CancelOp(ticket.key));
        }
    }

    fn drain(&self, limit: Duration) -> Drained {
        if self.check_process().is_err() {
            return Drained::Clean;
        }
        // With what a release has left for the next turn: there may be none.
        let mut harvest = self.harvest.take();
        self.read_mail(&mut harvest);
        let deadline = clock::after(clock::now_nanos(), limit);
        let left = self
            .driver
            .borrow_mut()
            .drain(deadline, &mut harvest, &self.counts);
        harvest.finish();
        if left == 0 {
            Drained::Clean
        } else {
            Drained::Leaked { ops: left }
        }
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let (armed, ops) = self.driver.borrow().held();
        let counts = &self.counts;
        Metrics {
            turns: counts.turns.get(),
            sleeps: counts.sleeps.get(),
            waits: counts.waits.get(),
            controls: counts.controls.get(),
            alarms: counts.alarms.get(),
            rings: self.home.rings(),
            events: counts.events.get(),
            stale: counts.stale.get(),
            timers_fired: counts.timers_fired.get(),
            timers: self.timers.borrow().len() as u64,
            armed: armed as u64,
            ops_in_flight: ops as u64,
            overflows: counts.overflows.get(),
            zero_copy_sends: counts.zero_copy_sends.get(),
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if self.check_process().is_err() {
            // The ring, its memory and the registrations are the parent's.
            std::mem::forget(std::mem::replace(self.driver.get_mut(), Driver::Gone));
            return;
        }
        // With what a release has left for a turn that does not come any more.
        let mut harvest = self.harvest.take();
        // Nothing is sent to a closed inbox, so nobody counts on it from here.
        for message in self.home.inbox.close() {
            self.read_message(message, &mut harvest);
        }
        let deadline = clock::after(clock::now_nanos(), LAST_DRAIN);
        let mut driver = std::mem::replace(self.driver.get_mut(), Driver::Gone);
        let left = driver.drain(deadline, &mut harvest, &self.counts);
        if left > 0 {
            // The kernel may still write: what it was given must never be freed.
            driver.leak(&mut harvest);
        }
        drop(driver);
        self.timers.get_mut().drain(&mut harvest.wakers);
        self.steps.get_mut().drain(&mut harvest.wakers);
        harvest.finish();
    }
}
