//! [`Child`]: a program that runs, and what can be done about it.

use super::handle::{Exit, Owner};
use crate::leaf::{Leaf, Operation};
use crate::signal::unix::SignalKind;
use rustix::process::Signal;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::Location;
use std::pin::Pin;
use std::process::ExitStatus;
use std::task::{Context, Poll};
use wakeline_context::Kind;
use wakeline_reactor::{Direction, Done, Source};

/// A program that runs, or has run.
///
/// Dropping it lets the program run on, and reaps it when it ends; with
/// [`kill_on_drop`](super::Command::kill_on_drop) it is killed.
///
/// # Example
///
/// ```
/// use std::os::unix::process::ExitStatusExt;
/// use wakeline_net::process::Command;
///
/// # wakeline_net::testing::block_on(async {
/// let mut child = Command::new("sleep").arg("1000").spawn()?;
/// assert!(child.try_wait()?.is_none());
/// child.kill().await?;
/// let status = child.wait().await?; // as often as one likes
/// assert_eq!(status.signal(), Some(9));
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Child {
    owner: Owner,
}

impl Child {
    pub(super) fn new(owner: Owner, _std: &mut std::process::Child) -> Child {
        Child { owner }
    }

    /// It is handed out: its drop is the caller's.
    pub(super) fn keep(mut self, kill_on_drop: bool) -> Child {
        self.owner.kill_on_drop = kill_on_drop;
        self
    }

    /// The pid, or `None` once the child is reaped: from then on the number may
    /// be another process's.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        let exit = &self.owner.get().exit;
        let pid = exit.pid.as_raw_nonzero().get();
        (!exit.is_over()).then(|| pid.unsigned_abs())
    }

    /// Waits until the child has ended.
    ///
    /// Its stdin is closed first, if it is still here: a child that reads it to
    /// its end would wait for ever.
    ///
    /// # Errors
    ///
    /// `ECHILD`, in words, if the status is lost: SIGCHLD is ignored in this
    /// process, or other code has reaped the child. It has ended then.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: wait again, and the status is there.
    #[track_caller]
    pub fn wait(&mut self) -> Wait<'_> {
        let process = self.owner.get_mut();
        let (source, exit) = (&process.source, &mut process.exit);
        Wait::new(source, exit, Location::caller())
    }

    /// The status, if the child has ended.
    ///
    /// # Errors
    ///
    /// As of [`wait`](Child::wait).
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.owner.get_mut().try_reap()
    }

    /// Sends SIGKILL, and does not wait.
    ///
    /// A child that has ended is no error, and nobody else gets the signal.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` if the child has become another user.
    pub fn start_kill(&mut self) -> io::Result<()> {
        self.owner.get().signal(Signal::KILL)
    }

    /// Sends SIGKILL, and waits for the end.
    ///
    /// # Errors
    ///
    /// As of [`start_kill`](Child::start_kill) and [`wait`](Child::wait).
    ///
    /// # Cancellation
    ///
    /// The signal is sent by the first poll; after that, as of `wait`.
    #[track_caller]
    pub fn kill(&mut self) -> Kill<'_> {
        let process = self.owner.get_mut();
        let (source, exit) = (&process.source, &mut process.exit);
        Kill {
            source,
            wait: Wait::new(source, exit, Location::caller()),
            sent: false,
        }
    }

    /// Sends a signal.
    ///
    /// A child that has ended is no error, and nobody else gets the signal.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a number that has no name (real-time signals);
    /// `PermissionDenied` if the child has become another user.
    ///
    /// # Example
    ///
    /// ```
    /// use std::os::unix::process::ExitStatusExt;
    /// use wakeline_net::process::Command;
    /// use wakeline_net::signal::unix::SignalKind;
    ///
    /// # wakeline_net::testing::block_on(async {
    /// let mut child = Command::new("sleep").arg("1000").spawn()?;
    /// child.signal(SignalKind::terminate())?;
    /// assert_eq!(child.wait().await?.signal(), Some(15));
    /// child.signal(SignalKind::terminate())?; // too late, and harmless
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn signal(&self, kind: SignalKind) -> io::Result<()> {
        self.owner.get().signal(named(kind)?)
    }

    /// Sends a signal to the child and to all that it has started, as far as
    /// they have stayed in its process group.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the child was not started with
    /// [`process_group(0)`](super::Command::process_group); else as of
    /// [`signal`](Child::signal).
    pub fn signal_group(&self, kind: SignalKind) -> io::Result<()> {
        self.owner.get().signal_group(named(kind)?)
    }
}

fn named(kind: SignalKind) -> io::Result<Signal> {
    Signal::from_named_raw(kind.as_raw()).ok_or_else(|| {
        let text = format!("{kind} has no name: only signals with one can be sent to a child");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })
}

/// Takes the status, when there is one.
#[derive(Debug)]
struct Reap<'a> {
    exit: &'a mut Exit,
}

impl Operation for Reap<'_> {
    type Output = io::Result<ExitStatus>;

    fn at_once(&mut self) -> Option<Self::Output> {
        self.exit.known()
    }

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<Self::Output>> {
        match self.exit.reap(fd) {
            Ok(Some(status)) => Ok(Done::Full(Ok(status))),
            Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Ok(Done::Full(Err(error))),
        }
    }
}

/// The future of [`Child::wait`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Wait<'a> {
    leaf: Leaf<'a, Reap<'a>>,
}

impl<'a> Wait<'a> {
    fn new(
        source: &'a Source,
        exit: &'a mut Exit,
        location: &'static Location<'static>,
    ) -> Wait<'a> {
        let op = Reap { exit };
        Wait {
            leaf: Leaf::new(source, Direction::Read, Kind::Process, location, op),
        }
    }
}

impl Future for Wait<'_> {
    type Output = io::Result<ExitStatus>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.leaf).poll(cx).map(io::Result::flatten)
    }
}

/// The future of [`Child::kill`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Kill<'a> {
    source: &'a Source,
    wait: Wait<'a>,
    sent: bool,
}

impl Future for Kill<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if !this.sent {
            let exit = &this.wait.leaf.op_mut().exit;
            exit.signal(this.source.as_fd(), Signal::KILL)?;
            this.sent = true;
        }
        Pin::new(&mut this.wait).poll(cx).map_ok(drop)
    }
}
