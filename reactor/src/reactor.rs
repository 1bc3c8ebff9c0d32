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

mod end;
mod requests;
mod turn;

use crate::clock::Clock;
use crate::config::{Backend, Config, Offload};
use crate::current::Entered;
use crate::driver::{Driver, probe};
use crate::harvest::Harvest;
use crate::inbox::Message;
use crate::metrics::{Counts, Metrics};
use crate::remote::{Home, Remote};
use crate::spin::Spin;
use crate::steps::Steps;
use crate::timers::Timers;
use crate::watched::Deputy;
use crate::{clock, sys};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

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

    /// Another thread's means to look after its sources while this one does not turn.
    ///
    /// From here on what is watched is also listed for it: a lock for the first wait of a
    /// source and one for its end.
    ///
    /// # Panics
    ///
    /// If something is watched already.
    ///
    /// # Example
    ///
    /// See [`Deputy`].
    #[must_use]
    pub fn deputy(&self) -> Deputy {
        let watched = Arc::default();
        self.core.driver.borrow_mut().enlist(Arc::clone(&watched));
        Deputy { watched }
    }

    /// Makes it this thread's reactor until the guard is dropped.
    ///
    /// Then nothing stays with it: who waits is woken, and sources are armed, timers
    /// set and operations begun again where they are polled next. What the kernel
    /// works on has a moment to end; after that it is told when the reactor turns
    /// again, or with its end. [`Entered::pause`] leaves timers and operations.
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
    /// [`ForkedRuntime`](crate::ForkedRuntime) in a forked child.
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
