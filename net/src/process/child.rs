//! [`Child`]: a program that runs, and what can be done about it.

use super::error;
use super::handle::Owner;
use super::output::Communicate;
use super::wait::{Kill, Reap, UntilEnded, Wait};
use super::{ChildStderr, ChildStdin, ChildStdout};
use crate::leaf::Operation;
use crate::pipe::{Receiver, Sender};
use crate::signal::unix::SignalKind;
use rustix::process::Signal;
use std::io;
use std::panic::Location;
use std::process::{self, ExitStatus};
use std::task::{Context, Poll};
use wakeline_reactor::Direction;

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
///
/// A program that is talked to, line by line:
///
/// ```
/// use wakeline_net::io::{AsyncWriteExt, BufReader};
/// use wakeline_net::process::{Command, Stdio};
///
/// # wakeline_net::testing::block_on(async {
/// let mut command = Command::new("cat");
/// let mut cat = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// let mut stdin = cat.stdin.take().expect("it is piped");
/// let mut lines = BufReader::new(cat.stdout.take().expect("it is piped"));
/// stdin.write_all(b"hello\n").await?;
/// let mut line = String::new();
/// lines.read_line(&mut line).await?;
/// assert_eq!(line, "hello\n");
/// drop(stdin);
/// assert!(cat.wait().await?.success());
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Child {
    /// The writing end of its stdin, if that is [`Stdio::piped`]. Drop it, and
    /// the child sees the end.
    ///
    /// [`Stdio::piped`]: super::Stdio::piped
    pub stdin: Option<ChildStdin>,
    /// The reading end of its stdout, if that is piped.
    pub stdout: Option<ChildStdout>,
    /// The reading end of its stderr, if that is piped.
    pub stderr: Option<ChildStderr>,
    pub(super) owner: Owner,
}

impl Child {
    /// With the pipes of `std`, which is not used further.
    pub(super) fn new(owner: Owner, std: process::Child) -> io::Result<Child> {
        let stdin = std
            .stdin
            .map(|pipe| Sender::from_owned_fd_unchecked(pipe.into()));
        let stdout = std
            .stdout
            .map(|pipe| Receiver::from_owned_fd_unchecked(pipe.into()));
        let stderr = std
            .stderr
            .map(|pipe| Receiver::from_owned_fd_unchecked(pipe.into()));
        Ok(Child {
            stdin: stdin.transpose()?,
            stdout: stdout.transpose()?,
            stderr: stderr.transpose()?,
            owner,
        })
    }

    pub(super) fn close_pipes(&mut self) {
        (self.stdin, self.stdout, self.stderr) = (None, None, None);
    }

    pub(super) fn program(&self) -> &str {
        &self.owner.get().exit.program
    }

    /// The end, for who polls several things; one waker at a time.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        let process = self.owner.get_mut();
        let mut op = Reap {
            exit: &mut process.exit,
        };
        if let Some(known) = op.at_once() {
            return Poll::Ready(known);
        }
        let end = process.source.poll_io(cx, Direction::Read, |fd| op.run(fd));
        end.map(io::Result::flatten)
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
        Wait::new(source, exit, &mut self.stdin, Location::caller())
    }

    /// Waits until the child has ended, and leaves it to be reaped by
    /// [`wait`](Child::wait): until then its pid and its group stay its own, so
    /// that [`signal_group`](Child::signal_group) still reaches what it has
    /// started.
    ///
    /// # Errors
    ///
    /// As of `wait`.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::process::Command;
    /// use wakeline_net::signal::unix::SignalKind;
    ///
    /// # wakeline_net::testing::block_on(async {
    /// let mut child = Command::new("sh").args(["-c", "sleep 1000 &"]).process_group(0).spawn()?;
    /// child.until_ended().await?;
    /// child.signal_group(SignalKind::terminate())?; // ends the `sleep`
    /// assert!(child.wait().await?.success());
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn until_ended(&self) -> UntilEnded<'_> {
        let process = self.owner.get();
        UntilEnded::new(&process.source, &process.exit, Location::caller())
    }

    /// The status, if the child has ended. Its stdin stays open.
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
        Kill::new(source, exit, &mut self.stdin, Location::caller())
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
    /// [`process_group(0)`](super::Command::process_group); `ESRCH`, in words,
    /// once the child is reaped: a group has the number of the process that
    /// leads it, which may be another group's from then on. Wait by
    /// [`until_ended`](Child::until_ended) while this is still to be called.
    /// Else as of [`signal`](Child::signal).
    pub fn signal_group(&self, kind: SignalKind) -> io::Result<()> {
        self.owner.get().signal_group(named(kind)?)
    }

    /// Closes its stdin, collects what it writes to stdout and stderr, as far
    /// as these are pipes, and waits for its end.
    ///
    /// Both are read at the same time, so neither can block the child. All of
    /// it is kept in memory; [`limit`](Communicate::limit) sets a bound.
    ///
    /// # Errors
    ///
    /// As of [`wait`](Child::wait); `FileTooLarge` beyond the limit.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the child, and what was read until then.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::process::{Command, Stdio};
    ///
    /// # wakeline_net::testing::block_on(async {
    /// let mut echo = Command::new("sh");
    /// echo.args(["-c", "echo out; echo err >&2"]);
    /// let child = echo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    /// let output = child.wait_with_output().await?;
    /// assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn wait_with_output(self) -> Communicate {
        Communicate::new(self, Vec::new(), None, Location::caller())
    }

    /// Writes `input` to its stdin and closes that, collects what it writes
    /// meanwhile, and waits for its end.
    ///
    /// A child that does not read all of it is no error. Reading and writing
    /// happen at the same time, so both may be longer than a pipe.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if there is something to be written and its stdin is no
    /// pipe, or was taken; else as of [`wait_with_output`](Child::wait_with_output).
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the child, and what was read until then.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::process::{Command, Stdio};
    ///
    /// # wakeline_net::testing::block_on(async {
    /// let mut sort = Command::new("sort");
    /// let child = sort.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    /// let output = child.communicate("b\na\n").await?;
    /// assert_eq!(output.stdout, b"a\nb\n");
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn communicate(self, input: impl Into<Vec<u8>>) -> Communicate {
        let input = input.into();
        let deaf = !input.is_empty() && self.stdin.is_none();
        let error = deaf.then(|| error::no_stdin(self.program()));
        Communicate::new(self, input, error, Location::caller())
    }
}

fn named(kind: SignalKind) -> io::Result<Signal> {
    Signal::from_named_raw(kind.as_raw()).ok_or_else(|| {
        let text = format!("{kind} has no name: only signals with one can be sent to a child");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })
}
