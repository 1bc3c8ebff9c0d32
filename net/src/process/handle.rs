//! One child as the kernel knows it: how its end is seen, how it is reaped,
//! how a signal reaches it and no other process.
//!
//! A pid is a number that the kernel uses again once the child is reaped. A
//! *pidfd* is not: it is a descriptor of that very process, readable when it
//! has ended. So the child is one more source of the reactor, and a signal
//! that comes too late reaches nobody.
//!
//! Before Linux 5.4, and where a sandbox denies it, there is none that could be
//! waited for; each spawn tries that first. Then a thread waits for the child,
//! without reaping it, and closes its end of a pipe; the other end is the
//! source. Signals go by pid there, and only while the child is not reaped: so
//! long its number is not used again.

use super::error;
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpid, kill_process,
    kill_process_group, pidfd_open, pidfd_send_signal, waitid,
};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;
use wakeline_context::quietly;
use wakeline_reactor::Source;

/// How the end of a child is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// The source is a pidfd.
    Pidfd,
    /// The source is a pipe, which a waiting thread closes.
    Thread,
    /// Not at all: somebody else has reaped the child, or the kernel has.
    Lost,
}

/// A descriptor taken before the child is started, so that a process without
/// free descriptors finds out in time.
#[derive(Debug)]
pub(super) struct Reserved(OwnedFd, Seen);

impl Reserved {
    pub(super) fn new() -> io::Result<Reserved> {
        match pidfd_open(getpid(), PidfdFlags::empty()) {
            Ok(fd) if can_be_awaited(&fd) => Ok(Reserved(fd, Seen::Pidfd)),
            Ok(fd) => {
                drop(fd);
                Reserved::without()
            }
            Err(Errno::NOSYS | Errno::PERM | Errno::ACCESS | Errno::INVAL) => Reserved::without(),
            Err(error) => Err(error.into()),
        }
    }

    /// As if the kernel had no pidfd.
    pub(super) fn without() -> io::Result<Reserved> {
        let (read, _write) = pipe_with(PipeFlags::CLOEXEC)?;
        Ok(Reserved(read, Seen::Thread))
    }
}

/// Whether the kernel waits by pidfd: Linux 5.3 has them, and does not; a
/// sandbox may deny it. This process is not its own child, and only one that
/// knows the way gets as far as that.
fn can_be_awaited(this: &OwnedFd) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    matches!(waitid(WaitId::PidFd(this.as_fd()), look), Err(Errno::CHILD))
}

/// A child, and the source that tells of its end.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) source: Source,
    pub(super) exit: Exit,
}

impl Process {
    /// Takes charge of the child `pid`, which nobody has reaped yet.
    pub(super) fn watch(pid: Pid, program: String, reserved: Reserved) -> io::Result<Process> {
        let Reserved(fd, mut seen) = reserved;
        let fd = match seen {
            Seen::Pidfd => {
                drop(fd); // its place is for the next one
                match pidfd_open(pid, PidfdFlags::empty()) {
                    Ok(fd) => fd,
                    // SIGCHLD is ignored, and it has ended already.
                    Err(Errno::SRCH) => {
                        seen = Seen::Lost;
                        pidfd_open(getpid(), PidfdFlags::empty())?
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Seen::Thread | Seen::Lost => {
                drop(fd);
                end_by_thread(pid)?
            }
        };
        let exit = Exit {
            seen,
            ..Exit::by_number(pid, program)
        };
        Ok(Process {
            source: Source::new(fd),
            exit,
        })
    }

    /// The status, if the child has ended.
    pub(super) fn try_reap(&mut self) -> io::Result<Option<ExitStatus>> {
        self.exit.reap(Some(self.source.as_fd()))
    }

    /// Sends a signal; a child that has ended takes it as nothing.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        self.exit.signal(Some(self.source.as_fd()), signal)
    }

    /// Sends a signal to every process of the group that the child leads.
    pub(super) fn signal_group(&self, signal: Signal) -> io::Result<()> {
        if !self.exit.leads_group {
            return Err(error::no_group(&self.exit.program));
        }
        // The number of a group stays taken while the leader is not reaped.
        if !self.exit.has_its_number(Some(self.source.as_fd())) {
            return Err(error::group_gone(&self.exit.program));
        }
        ended_is_fine(kill_process_group(self.exit.pid, signal))
    }
}

fn ended_is_fine(sent: rustix::io::Result<()>) -> io::Result<()> {
    match sent {
        Err(Errno::SRCH) => Ok(()),
        other => Ok(other?),
    }
}

/// What is known of the child's end.
#[derive(Debug)]
pub(super) struct Exit {
    pub(super) pid: Pid,
    /// Its name, in quotes, for messages.
    pub(super) program: String,
    seen: Seen,
    pub(super) status: Option<ExitStatus>,
    /// Its group has its number, and was made for it.
    pub(super) leads_group: bool,
}

impl Exit {
    /// Of a child that nobody has reaped yet.
    pub(super) fn by_number(pid: Pid, program: String) -> Exit {
        Exit {
            pid,
            program,
            seen: Seen::Thread,
            status: None,
            leads_group: false,
        }
    }

    /// Nothing is left to be reaped.
    pub(super) fn is_over(&self) -> bool {
        self.status.is_some() || self.seen == Seen::Lost
    }

    /// What is known without asking the kernel.
    pub(super) fn known(&self) -> Option<io::Result<ExitStatus>> {
        match self.status {
            Some(status) => Some(Ok(status)),
            None if self.seen == Seen::Lost => Some(Err(error::lost(&self.program, self.pid))),
            None => None,
        }
    }

    /// Sends a signal; `fd` is the source's, if there is one.
    pub(super) fn signal(&self, fd: Option<BorrowedFd<'_>>, signal: Signal) -> io::Result<()> {
        if self.is_over() {
            return Ok(());
        }
        ended_is_fine(match (self.seen, fd) {
            (Seen::Pidfd, Some(fd)) => pidfd_send_signal(fd, signal),
            _ if !self.has_its_number(fd) => return Ok(()),
            _ => kill_process(self.pid, signal),
        })
    }

    /// Whether the child is not reaped, by us, by other code of this process
    /// or by the kernel: so long its number is no other process's or group's.
    fn has_its_number(&self, fd: Option<BorrowedFd<'_>>) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        !self.is_over() && !matches!(self.ask(fd, look), Err(Errno::CHILD))
    }

    /// Asks the kernel, without blocking.
    fn ask(
        &self,
        fd: Option<BorrowedFd<'_>>,
        options: WaitIdOptions,
    ) -> rustix::io::Result<Option<WaitIdStatus>> {
        let which = match (self.seen, fd) {
            (Seen::Pidfd, Some(fd)) => WaitId::PidFd(fd),
            _ => WaitId::Pid(self.pid),
        };
        let options = options | WaitIdOptions::NOHANG;
        rustix::io::retry_on_intr(|| waitid(which.clone(), options))
    }

    /// Whether there is a status to be taken; it stays with the kernel.
    pub(super) fn has_ended(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        match self.ask(Some(fd), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(status) => Ok(status.is_some()),
            Err(Errno::CHILD) => Err(error::lost(&self.program, self.pid)),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the status from the kernel, if the child has ended; `fd` is the
    /// source's, if there is one. The status stays here.
    pub(super) fn reap(&mut self, fd: Option<BorrowedFd<'_>>) -> io::Result<Option<ExitStatus>> {
        if let Some(known) = self.known() {
            return known.map(Some);
        }
        match self.ask(fd, WaitIdOptions::EXITED) {
            Ok(None) => Ok(None),
            Ok(Some(status)) => {
                let signal = status.terminating_signal().map(|signal| {
                    let core = if status.dumped() { 0x80 } else { 0 };
                    signal | core
                });
                let code = status.exit_status().map(|code| (code & 0xff) << 8);
                // The form of wait(2): a code in the second byte, or a signal in the first.
                let raw = signal.or(code).unwrap_or_default();
                self.status = Some(ExitStatus::from_raw(raw));
                Ok(self.status)
            }
            Err(Errno::CHILD) => {
                self.seen = Seen::Lost;
                Err(error::lost(&self.program, self.pid))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// A pipe that is at its end when the child is: a thread of its own waits.
fn end_by_thread(pid: Pid) -> io::Result<OwnedFd> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    // NOWAIT: the child stays to be reaped, and so its number stays taken.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    thread::Builder::new()
        .name("wakeline-wait".into())
        .stack_size(128 << 10)
        .spawn(move || {
            // An error is "no such child": somebody has reaped it, so it has ended.
            let _ended = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), options));
            drop(write);
        })?;
    Ok(read)
}

/// A process that nobody waits for any more goes to the orphans, after a kill
/// if it was to be killed.
pub(super) struct Owner {
    process: Option<Process>,
    pub(super) kill_on_drop: bool,
}

impl Owner {
    pub(super) fn new(process: Process) -> Owner {
        Owner {
            process: Some(process),
            // Until the child is handed out: what fails on the way ends it.
            kill_on_drop: true,
        }
    }

    pub(super) fn get(&self) -> &Process {
        self.process.as_ref().expect("only the drop takes it")
    }

    pub(super) fn get_mut(&mut self) -> &mut Process {
        self.process.as_mut().expect("only the drop takes it")
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        if process.exit.is_over() {
            return;
        }
        if self.kill_on_drop {
            // It can fail for a child that has become another user; then it is
            // reaped when it ends by itself.
            let _denied = process.signal(Signal::KILL);
        }
        if let Ok(None) = process.try_reap() {
            let Process { source, exit } = process;
            // The watch ends here: it may hold the waker of a task that is long
            // gone, whose destructor is foreign code.
            let mut fd = None;
            quietly(|| fd = source.into_fd().ok());
            super::orphans::adopt(exit, fd);
        }
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner")
            .field("process", &self.process)
            .field("kill_on_drop", &self.kill_on_drop)
            .finish()
    }
}
