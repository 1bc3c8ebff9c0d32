//! [`Command`]: what is to be run, and how.

use super::child::Child;
use super::error;
use super::handle::{Exit, Owner, Process, Reserved};
use super::orphans;
use super::output::{RunOutput, RunStatus};
use super::slack::UsualSlack;
use crate::pipe;
use rustix::process::{Pid, Signal};
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::panic::Location;
use std::path::Path;
use std::process::{self, Stdio};

/// A program to be run, with arguments, environment and so on.
///
/// It is [`std::process::Command`], and its methods mean the same; what it
/// starts is an asynchronous [`Child`].
///
/// # Example
///
/// ```
/// use wakeline_net::process::Command;
///
/// # wakeline_net::testing::block_on(async {
/// let mut command = Command::new("sh");
/// command.args(["-c", "test \"$NAME\" = value"]).env("NAME", "value");
/// let status = command.spawn()?.wait().await?;
/// assert!(status.success());
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Command {
    std: process::Command,
    /// Which of stdin, stdout and stderr were set here.
    set: [bool; 3],
    kill_on_drop: bool,
    own_group: bool,
}

impl Command {
    /// Runs `program`: a path, or a name that is looked up in `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        Command::from(process::Command::new(program))
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        self.std.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Command {
        self.std.args(args);
        self
    }

    /// Sets the name that the program is told to have, its argument 0.
    pub fn arg0(&mut self, name: impl AsRef<OsStr>) -> &mut Command {
        self.std.arg0(name);
        self
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.std.env(key, value);
        self
    }

    /// Sets variables of the environment.
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        &mut self,
        vars: impl IntoIterator<Item = (K, V)>,
    ) -> &mut Command {
        self.std.envs(vars);
        self
    }

    /// Takes a variable out of the environment.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Command {
        self.std.env_remove(key);
        self
    }

    /// Begins with an empty environment.
    pub fn env_clear(&mut self) -> &mut Command {
        self.std.env_clear();
        self
    }

    /// Sets the working directory. A relative path of the program is then best
    /// avoided: it is looked up from there.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Command {
        self.std.current_dir(directory);
        self
    }

    /// Sets the user.
    pub fn uid(&mut self, id: u32) -> &mut Command {
        self.std.uid(id);
        self
    }

    /// Sets the group.
    pub fn gid(&mut self, id: u32) -> &mut Command {
        self.std.gid(id);
        self
    }

    /// Puts the child into a process group: 0 for one of its own, which
    /// [`Child::signal_group`] then reaches as a whole. `Ctrl-C` on a terminal
    /// does not reach a group of its own.
    pub fn process_group(&mut self, group: i32) -> &mut Command {
        self.std.process_group(group);
        self.own_group = group == 0;
        self
    }

    /// Sets what the child reads from: inherited, unless this is called.
    ///
    /// An end of a [pipe](crate::pipe), as another child's output is, becomes one by
    /// `Stdio::try_from`; a file by [`into_std`](crate::fs::File::into_std).
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Command {
        self.std.stdin(stdin);
        self.set[0] = true;
        self
    }

    /// Sets what the child writes to: inherited, unless this is called.
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Command {
        self.std.stdout(stdout);
        self.set[1] = true;
        self
    }

    /// Sets where the child reports errors: inherited, unless this is called.
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Command {
        self.std.stderr(stderr);
        self.set[2] = true;
        self
    }

    /// Whether the child is killed when its [`Child`] is dropped before it has
    /// ended. It is not, unless this is called: it then runs on, and a thread
    /// reaps it when it ends.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::process::Command;
    ///
    /// # wakeline_net::testing::block_on(async {
    /// let child = Command::new("sleep").arg("1000").kill_on_drop(true).spawn()?;
    /// drop(child); // killed and reaped
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Command {
        self.kill_on_drop = kill;
        self
    }

    /// The command as the standard library has it: for what has no method here,
    /// such as `pre_exec`.
    ///
    /// What is set there for the process group is not seen here, nor is it for
    /// stdin, stdout and stderr: see [`output`](Command::output).
    pub fn as_std_mut(&mut self) -> &mut process::Command {
        &mut self.std
    }

    /// The command as the standard library has it.
    #[must_use]
    pub fn as_std(&self) -> &process::Command {
        &self.std
    }

    /// Starts the program; stdin, stdout and stderr are those of this process,
    /// unless they were set.
    ///
    /// It can be called on any thread, with or without a runtime, and as often
    /// as one likes. It waits until the program is loaded, or could not be: see
    /// the module.
    ///
    /// # Errors
    ///
    /// When it cannot be run. The message names the program and the cause: it,
    /// its working directory or its interpreter does not exist or may not be
    /// used, its arguments are too long, a limit is reached. Nothing is left
    /// behind then. The kind is the standard library's.
    ///
    /// # Example
    ///
    /// ```
    /// use std::io;
    /// use wakeline_net::process::Command;
    ///
    /// let error = Command::new("/no/such/program").spawn().unwrap_err();
    /// assert_eq!(error.kind(), io::ErrorKind::NotFound);
    /// assert!(error.to_string().starts_with("run `/no/such/program`: "));
    /// ```
    pub fn spawn(&mut self) -> io::Result<Child> {
        orphans::tend();
        // What is needed later is had now, before the program runs.
        let reserved = pipe::prepare().and_then(|()| Reserved::new());
        let reserved = reserved.map_err(|error| error::spawn(&self.std, error))?;
        let usual = UsualSlack::new();
        let spawned = self.std.spawn();
        drop(usual);
        let mut child = spawned.map_err(|error| error::spawn(&self.std, error))?;
        let pid = Pid::from_child(&child);
        let process = match Process::watch(pid, error::quoted(self.std.get_program()), reserved) {
            Ok(process) => process,
            Err(error) => {
                // Its place among the descriptors was taken by another thread.
                give_up(&mut child, error::quoted(self.std.get_program()));
                return Err(error::watch(&self.std, error));
            }
        };
        let mut owner = Owner::new(process);
        owner.get_mut().exit.leads_group = self.own_group;
        let mut child = Child::new(owner, child)?;
        child.owner.kill_on_drop = self.kill_on_drop;
        Ok(child)
    }

    /// Runs the program to its end, with the stdin, stdout and stderr of this
    /// process unless they were set. Pipes to it are closed at once.
    ///
    /// # Errors
    ///
    /// As of [`spawn`](Command::spawn) and [`Child::wait`].
    ///
    /// # Cancellation
    ///
    /// The program is started by the first poll. Dropping the future after that
    /// drops the child, which [`kill_on_drop`](Command::kill_on_drop) kills.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::process::Command;
    ///
    /// # wakeline_net::testing::block_on(async {
    /// let status = Command::new("false").status().await?;
    /// assert_eq!(status.code(), Some(1));
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn status(&mut self) -> RunStatus<'_> {
        RunStatus::new(self, Location::caller())
    }

    /// Runs the program to its end, and collects what it writes to stdout and
    /// stderr. Its stdin is empty. Each of the three may be set to something
    /// else, by the methods of this type: what was set on the standard library's
    /// command cannot be seen, so `output` replaces it, and what comes after it
    /// inherits.
    ///
    /// It is over when the program has ended *and* nobody has its outputs open
    /// any more: what it has left in the background keeps them open.
    ///
    /// All of it is kept in memory; [`limit`](RunOutput::limit) sets a bound.
    ///
    /// # Errors
    ///
    /// As of [`spawn`](Command::spawn) and [`Child::wait`]; `FileTooLarge`
    /// beyond the limit.
    ///
    /// It borrows the command and starts nothing before it is awaited: as a task of its own
    /// it goes with its command, `spawn(async move { command.output().await })`.
    ///
    /// # Cancellation
    ///
    /// As of [`status`](Command::status); what was read until then is lost.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::process::Command;
    ///
    /// # wakeline_net::testing::block_on(async {
    /// let output = Command::new("echo").arg("hello").output().await?;
    /// assert!(output.status.success());
    /// assert_eq!(output.stdout, b"hello\n");
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn output(&mut self) -> RunOutput<'_> {
        RunOutput::new(self, Location::caller())
    }

    /// Starts it with pipes in the places of the outputs that were not set.
    pub(super) fn spawn_captured(&mut self) -> io::Result<Child> {
        let [stdin, stdout, stderr] = self.set;
        if !stdin {
            self.std.stdin(Stdio::null());
        }
        if !stdout {
            self.std.stdout(Stdio::piped());
        }
        if !stderr {
            self.std.stderr(Stdio::piped());
        }
        let child = self.spawn();
        // What was not set is as it was, for the next spawn.
        if !stdin {
            self.std.stdin(Stdio::inherit());
        }
        if !stdout {
            self.std.stdout(Stdio::inherit());
        }
        if !stderr {
            self.std.stderr(Stdio::inherit());
        }
        child
    }
}

/// Ends a child that nobody could wait for.
pub(super) fn give_up(child: &mut process::Child, program: String) {
    let exit = Exit::by_number(Pid::from_child(child), program);
    match exit.signal(None, Signal::KILL) {
        // Killed, it ends at once. An error: other code has reaped it.
        Ok(()) => drop(child.wait()),
        // It has become another user, and ends when it likes.
        Err(_denied) => orphans::adopt(exit, None),
    }
}

/// As it is: its stdin, stdout and stderr are used by
/// [`spawn`](Command::spawn) and [`status`](Command::status). The standard
/// library does not tell whether they were set, so for
/// [`output`](Command::output), set them again.
impl From<process::Command> for Command {
    fn from(std: process::Command) -> Command {
        Command {
            std,
            set: [false; 3],
            kill_on_drop: false,
            own_group: false,
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("std", &self.std)
            .field("kill_on_drop", &self.kill_on_drop)
            .finish_non_exhaustive()
    }
}
