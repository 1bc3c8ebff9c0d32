//! Where executor and reactor meet: a worker's idle moment is a turn of its reactor.
//!
//! The executor asks for two things, to take a turn and to be woken from
//! another thread; the reactor offers both. Nothing else connects them but
//! std's `Waker`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use wakeline_executor::{self as executor, Handle};
use wakeline_reactor::{Config, Drained, Entered, Offload, Reactor, Remote};

/// A worker's driver: its reactor, entered on the worker's thread.
pub(crate) struct Worker {
    // Left before the reactor is dropped: fields drop in this order.
    _entered: Entered,
    reactor: Reactor,
}

impl Worker {
    pub(crate) fn new(config: &Config) -> io::Result<Worker> {
        let reactor = Reactor::new(config)?;
        Ok(Worker { _entered: reactor.enter(), reactor })
    }
}

impl executor::Driver for Worker {
    fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.reactor.turn(limit).map(drop)
    }

    fn interrupt(&self) -> Arc<dyn executor::Interrupt> {
        Arc::new(Wake(self.reactor.remote()))
    }

    fn shutdown(&mut self, limit: Duration) -> executor::DriverReport {
        match self.reactor.drain(limit) {
            Drained::Clean => executor::DriverReport::default(),
            Drained::Leaked { ops } => executor::DriverReport { leaked_operations: ops },
        }
    }
}

struct Wake(Remote);

impl executor::Interrupt for Wake {
    fn interrupt(&self) {
        self.0.interrupt();
    }
}

/// The blocking pool of whichever runtime the calling thread is in.
pub(crate) struct BlockingPool;

impl Offload for BlockingPool {
    fn offload(&self, job: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        match Handle::try_current() {
            Some(handle) => handle.offload(job),
            None => Err(io::Error::other("no runtime on this thread: call this inside `Runtime::block_on`")),
        }
    }
}
