//! What a reactor is asked to be, and what it came out as.

use crate::clock::Clock;
use crate::error::SetupError;
use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use wakeline_context::LateWake;

/// Which way of talking to the kernel to use.
///
/// # Example
///
/// ```
/// use wakeline_reactor::DriverKind;
///
/// assert_eq!("epoll".parse::<DriverKind>()?, DriverKind::Epoll);
/// assert_eq!(DriverKind::default().to_string(), "auto");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DriverKind {
    /// io_uring if this kernel and sandbox allow it, else epoll.
    #[default]
    Auto,
    /// io_uring, or an error that says why not.
    Uring,
    /// epoll.
    Epoll,
}

impl fmt::Display for DriverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DriverKind::Auto => "auto",
            DriverKind::Uring => "uring",
            DriverKind::Epoll => "epoll",
        })
    }
}

impl FromStr for DriverKind {
    type Err = io::Error;

    /// Reads `auto`, `uring` or `epoll`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for anything else.
    fn from_str(name: &str) -> io::Result<DriverKind> {
        match name {
            "auto" => Ok(DriverKind::Auto),
            "uring" => Ok(DriverKind::Uring),
            "epoll" => Ok(DriverKind::Epoll),
            other => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("driver {other:?}: it is one of auto, uring, epoll"),
            )),
        }
    }
}

/// Threads that may block, given by whoever has a pool of them.
///
/// Used by [`offload`](crate::offload()) and, under epoll, by the operations
/// of [`op`](crate::op) that have no non-blocking form.
pub trait Offload: Send + Sync {
    /// Runs `job` on a thread that may block, soon; and then wakes whom it
    /// returns, if anybody: by [`LateWake::take`], or by letting it go.
    ///
    /// A wake must not wait for another job: it may be what this thread does before it
    /// looks for one.
    ///
    /// # Errors
    ///
    /// When the job was not accepted; it is dropped then. Of kind `Other` if the pool has
    /// ended: what is refused so was stopped with its runtime (see
    /// [`op::was_stopped`](crate::op::was_stopped)).
    fn offload(&self, job: Box<dyn FnOnce() -> LateWake + Send>) -> io::Result<()>;
}

/// How to make a [`Reactor`](crate::Reactor).
///
/// # Example
///
/// ```
/// use wakeline_reactor::{Config, DriverKind, Reactor};
///
/// let reactor = Reactor::new(&Config::default().driver(DriverKind::Epoll))?;
/// assert_eq!(reactor.backend().name(), "epoll");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Which driver; default [`DriverKind::Auto`].
    pub driver: DriverKind,
    /// Where blocking jobs run; default none, so that such jobs are an error.
    pub offload: Option<Arc<dyn Offload>>,
    /// Submission entries of a ring, a power of two; completions have four
    /// times as many. Default 256. Fewer are used where memory is short.
    pub ring_entries: u32,
    /// Completion entries of a ring; default none, which is four times
    /// `ring_entries`.
    pub ring_completions: Option<u32>,
    /// How long to look again before a sleep; default zero: not at all.
    pub spin: Duration,
    /// The clock of this one reactor, if its time may be paused; default none.
    pub clock: Option<Clock>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            driver: DriverKind::Auto,
            offload: None,
            ring_entries: 256,
            ring_completions: None,
            spin: Duration::ZERO,
            clock: None,
        }
    }
}

impl Config {
    /// Sets which driver to use.
    #[must_use]
    pub fn driver(mut self, driver: DriverKind) -> Config {
        self.driver = driver;
        self
    }

    /// Sets where blocking jobs run.
    #[must_use]
    pub fn offload(mut self, offload: Arc<dyn Offload>) -> Config {
        self.offload = Some(offload);
        self
    }

    /// Sets the submission entries of a ring; at least 8, rounded up to a power of two.
    #[must_use]
    pub fn ring_entries(mut self, entries: u32) -> Config {
        self.ring_entries = entries.clamp(8, 32_768).next_power_of_two();
        self
    }

    /// Sets the completion entries of a ring; not fewer than its submission
    /// entries, and rounded up to a power of two.
    ///
    /// A ring that is too small loses nothing: the kernel keeps what has no
    /// room, which takes more calls; see
    /// [`Metrics::overflows`](crate::Metrics::overflows).
    #[must_use]
    pub fn ring_completions(mut self, entries: u32) -> Config {
        self.ring_completions = Some(entries.clamp(8, 65_536).next_power_of_two());
        self
    }

    /// Sets how long a turn that would sleep looks again instead: for who is
    /// answered within microseconds, and has a processor to spare.
    ///
    /// Where that finds nothing several times in a row it is done more rarely.
    #[must_use]
    pub fn spin(mut self, limit: Duration) -> Config {
        self.spin = limit;
        self
    }

    /// Sets a clock that can be stopped: for one reactor only, as time must not
    /// jump while another's futures are at work.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Config {
        self.clock = Some(clock);
        self
    }

    /// The driver asked for, where `Auto` may be decided by the environment.
    pub(crate) fn wanted(&self) -> io::Result<DriverKind> {
        if self.driver != DriverKind::Auto {
            return Ok(self.driver);
        }
        let Some(name) = std::env::var_os("WAKELINE_DRIVER") else {
            return Ok(DriverKind::Auto);
        };
        name.to_string_lossy().parse().map_err(|source| {
            SetupError::new(
                "read WAKELINE_DRIVER",
                source,
                "unset it or use one of these names",
            )
            .into()
        })
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("driver", &self.driver)
            .field("offload", &self.offload.is_some())
            .field("ring_entries", &self.ring_entries)
            .field("ring_completions", &self.ring_completions)
            .field("spin", &self.spin)
            .field("clock", &self.clock)
            .finish()
    }
}

/// The driver a reactor runs on, and why this one.
///
/// Its `Display` is for a start-up log line, such as
/// `epoll (io_uring refused: Operation not permitted (os error 1): a seccomp filter or sysctl kernel.io_uring_disabled)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    pub(crate) kind: DriverKind,
    pub(crate) reason: Arc<str>,
}

impl Backend {
    pub(crate) fn new(kind: DriverKind, reason: impl Into<Arc<str>>) -> Backend {
        debug_assert_ne!(kind, DriverKind::Auto);
        Backend {
            kind,
            reason: reason.into(),
        }
    }

    /// Which driver it is; never [`DriverKind::Auto`].
    #[must_use]
    pub fn kind(&self) -> DriverKind {
        self.kind
    }

    /// `"io_uring"` or `"epoll"`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.kind {
            DriverKind::Uring => "io_uring",
            _ => "epoll",
        }
    }

    /// Why it was chosen.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_reads_back_as_it_is_written() {
        for kind in [DriverKind::Auto, DriverKind::Uring, DriverKind::Epoll] {
            assert_eq!(kind.to_string().parse::<DriverKind>().unwrap(), kind);
        }
        let error = "kqueue".parse::<DriverKind>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "driver \"kqueue\": it is one of auto, uring, epoll"
        );
    }

    #[test]
    fn ring_entries_are_a_power_of_two_in_range() {
        for (asked, got) in [(0, 8), (8, 8), (100, 128), (u32::MAX, 32_768)] {
            assert_eq!(
                Config::default().ring_entries(asked).ring_entries,
                got,
                "{asked}"
            );
        }
    }
}
