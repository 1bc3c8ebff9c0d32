//! Where executor and reactor meet: an idle thread takes a turn of its reactor.
//!
//! The executor asks for two things, to take a turn and to be woken from
//! another thread; the reactor offers both. Nothing else connects them but
//! std's `Waker`.
//!
//! A [`Worker`] has its reactor from the start. A thread that only passes by,
//! in a `block_on` beside the workers, is a [`Guest`]: it parks as any thread
//! does, until a leaf of its future needs a reactor; from then on it turns that.

use std::io;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::fence;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wakeline_executor::{Deputy, Driver, DriverReport, Handle, Interrupt, ParkDriver};
use wakeline_reactor::{
    Config, Drained, Entered, LateWake, LazyEntered, Offload, Reactor, Remote, enter_lazy,
};

/// A worker's driver: its reactor.
pub(crate) struct Worker {
    // Left before the reactor is dropped: fields drop in this order.
    entered: Option<Entered>,
    reactor: Reactor,
}

impl Worker {
    pub(crate) fn new(config: &Config) -> io::Result<Worker> {
        Ok(Worker {
            entered: None,
            reactor: Reactor::new(config)?,
        })
    }
}

impl Driver for Worker {
    fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.reactor.turn(limit).map(drop)
    }

    fn turn_idle(&mut self, limit: Option<Duration>, jobs: &dyn Fn() -> bool) -> io::Result<()> {
        self.reactor.turn_beside(limit, jobs).map(drop)
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        Arc::new(Wake(self.reactor.remote()))
    }

    fn deputy(&self) -> Option<Arc<dyn Deputy>> {
        Some(Arc::new(Look(self.reactor.deputy())))
    }

    fn enter(&mut self) {
        self.entered = Some(self.reactor.enter());
    }

    fn leave(&mut self) {
        self.entered = None;
    }

    fn pause(&mut self) {
        if let Some(entered) = self.entered.take() {
            entered.pause();
        }
    }

    fn shutdown(&mut self, limit: Duration) -> DriverReport {
        drain(&self.reactor, limit)
    }
}

fn drain(reactor: &Reactor, limit: Duration) -> DriverReport {
    let mut report = DriverReport::default();
    if let Drained::Leaked { ops } = reactor.drain(limit) {
        report.leaked_operations = ops;
    }
    report
}

struct Wake(Remote);

impl Interrupt for Wake {
    fn interrupt(&self) {
        self.0.interrupt();
    }
}

struct Look(wakeline_reactor::Deputy);

impl Deputy for Look {
    fn look(&self) {
        // What it cannot tell now, the worker's own turn will.
        let _ = self.0.look();
    }
}

/// The driver of a thread that is no worker: a reactor only if one is needed.
pub(crate) struct Guest {
    config: Arc<Config>,
    park: ParkDriver,
    wake: Arc<GuestWake>,
    entered: Option<LazyEntered>,
}

struct GuestWake {
    park: Arc<dyn Interrupt>,
    remote: OnceLock<Remote>,
}

impl Guest {
    pub(crate) fn new(config: Arc<Config>) -> Guest {
        let park = ParkDriver::new();
        let wake = Arc::new(GuestWake {
            park: park.interrupt(),
            remote: OnceLock::new(),
        });
        Guest {
            config,
            park,
            wake,
            entered: None,
        }
    }

    fn reactor(&self) -> Option<Reactor> {
        self.entered.as_ref().and_then(LazyEntered::reactor)
    }
}

impl Driver for Guest {
    fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
        match self.reactor() {
            Some(reactor) => reactor.turn(limit).map(drop),
            None => self.park.turn(limit),
        }
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        Arc::clone(&self.wake) as _
    }

    fn enter(&mut self) {
        let wake = Arc::clone(&self.wake);
        let on_create = move |reactor: &Reactor| {
            // The first reactor of a guest is its only one.
            drop(wake.remote.set(reactor.remote()));
            // Who interrupts sees the remote, or we see what it pushed before:
            // so the first turn must not sleep. Pairs with the fence below.
            fence(SeqCst);
            reactor.remote().interrupt();
        };
        self.entered = Some(enter_lazy(Arc::clone(&self.config), Box::new(on_create)));
    }

    fn leave(&mut self) {
        self.entered = None;
    }

    fn shutdown(&mut self, limit: Duration) -> DriverReport {
        self.reactor()
            .map_or_else(DriverReport::default, |reactor| drain(&reactor, limit))
    }
}

impl Interrupt for GuestWake {
    fn interrupt(&self) {
        self.park.interrupt();
        // Pairs with the fence in `enter`.
        fence(SeqCst);
        if let Some(remote) = self.remote.get() {
            remote.interrupt();
        }
    }
}

/// The blocking pool of whichever runtime the calling thread is in.
pub(crate) struct BlockingPool;

impl Offload for BlockingPool {
    fn offload(&self, job: Box<dyn FnOnce() -> LateWake + Send>) -> io::Result<()> {
        match Handle::try_current() {
            Some(handle) => handle.offload(job),
            None => Err(io::Error::other(
                "no runtime on this thread: call this inside `block_on` or a task",
            )),
        }
    }
}
