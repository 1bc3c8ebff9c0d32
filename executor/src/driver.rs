//! `Driver`: what a worker blocks in, and the executor's whole contract with the outside.
//!
//! The executor knows no file descriptor. When a worker has nothing to run it
//! takes a *turn* of its driver, which may sleep; when another thread has work
//! for it, that thread *interrupts* the turn. A reactor implements the two in
//! a few lines, a test with a parked thread, as [`ParkDriver`] does.

use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// What an idle worker blocks in. Each belongs to one thread.
pub trait Driver {
    /// Delivers what has happened, and sleeps until something does.
    ///
    /// `None` sleeps until an event or an interrupt, `Some(limit)` at most so
    /// long, `Some(Duration::ZERO)` not at all. A turn may end early. Wakers
    /// are called, and foreign code is run, only at its end, after the sleep:
    /// what they queue is looked at before the next turn.
    ///
    /// # Errors
    ///
    /// If the driver is broken for good; the worker then ends with a panic.
    fn turn(&mut self, limit: Option<Duration>) -> io::Result<()>;

    /// The same for the only worker, when all of its tasks wait.
    ///
    /// `jobs` tells whether blocking jobs are queued or run. Once it said so,
    /// the driver is interrupted when the last of them has ended. A driver
    /// whose time moves by itself must know, as they may still wake someone.
    ///
    /// # Errors
    ///
    /// As `turn`.
    fn turn_idle(&mut self, limit: Option<Duration>, jobs: &dyn Fn() -> bool) -> io::Result<()> {
        let _ = jobs;
        self.turn(limit)
    }

    /// The means to end a turn from another thread.
    fn interrupt(&self) -> Arc<dyn Interrupt>;

    /// The means to do for this driver, from another thread, what cannot wait while its
    /// own runs one task for long. Asked for once, before the first turn.
    fn deputy(&self) -> Option<Arc<dyn Deputy>> {
        None
    }

    /// The thread begins to run tasks: make the driver findable for them.
    fn enter(&mut self) {}

    /// The thread stops to run tasks, until the next `enter`.
    fn leave(&mut self) {}

    /// The same, of a thread that will be back soon: what needs no more than turns
    /// may stay.
    fn pause(&mut self) {
        self.leave();
    }

    /// Ends what is in flight, within `limit`, and tells what could not be.
    fn shutdown(&mut self, limit: Duration) -> DriverReport {
        let _ = limit;
        DriverReport::default()
    }
}

/// Ends a driver's turn from any thread.
pub trait Interrupt: Send + Sync {
    /// Ends the turn in progress; if there is none, the next one does not
    /// sleep. Several interrupts before a turn count as one.
    fn interrupt(&self);
}

/// Does what cannot wait, while the driver's own thread does not turn it.
pub trait Deputy: Send + Sync {
    /// Delivers what has happened, as far as that is possible here, and does not wait.
    /// Wakers are called by the calling thread, at the end.
    fn look(&self);
}

/// What a driver could not bring to an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriverReport {
    /// Operations that the kernel still held, whose memory was leaked for it.
    pub leaked_operations: usize,
}

/// The least driver: no events, it sleeps until it is interrupted.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline_executor::{Driver, ParkDriver};
///
/// let mut driver = ParkDriver::new();
/// driver.interrupt().interrupt();
/// driver.turn(None)?; // does not sleep: it was interrupted before
/// driver.turn(Some(Duration::from_millis(1)))?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Default)]
pub struct ParkDriver {
    signal: Arc<Signal>,
}

#[derive(Default)]
struct Signal {
    interrupted: Mutex<bool>,
    changed: Condvar,
}

impl ParkDriver {
    /// A driver that nothing has interrupted yet.
    #[must_use]
    pub fn new() -> ParkDriver {
        ParkDriver::default()
    }
}

impl Driver for ParkDriver {
    fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let interrupted = self
            .signal
            .interrupted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let sleeps = |interrupted: &mut bool| !*interrupted;
        let mut interrupted = match limit {
            Some(limit) => {
                let waited = self
                    .signal
                    .changed
                    .wait_timeout_while(interrupted, limit, sleeps);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let waited = self.signal.changed.wait_while(interrupted, sleeps);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        };
        *interrupted = false;
        Ok(())
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        Arc::clone(&self.signal) as _
    }
}

impl Interrupt for Signal {
    fn interrupt(&self) {
        *self
            .interrupted
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}

impl fmt::Debug for ParkDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ParkDriver")
    }
}
