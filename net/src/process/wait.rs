//! Waiting for a child's end: the futures of [`Child`](super::Child).
//!
//! The descriptor of the child is readable when it has ended, so these are
//! leaves like a read of a socket; what they try is `waitid` without blocking.
//! The status is kept in the [`Exit`], not in the future.

use super::ChildStdin;
use super::handle::Exit;
use crate::leaf::{Leaf, Operation};
use rustix::process::Signal;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::Location;
use std::pin::Pin;
use std::process::ExitStatus;
use std::task::{Context, Poll};
use wakeline_context::Kind;
use wakeline_reactor::{Direction, Done, Source};

/// Takes the status, when there is one.
#[derive(Debug)]
pub(super) struct Reap<'a> {
    pub(super) exit: &'a mut Exit,
}

impl Operation for Reap<'_> {
    type Output = io::Result<ExitStatus>;

    fn at_once(&mut self) -> Option<Self::Output> {
        self.exit.known()
    }

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<Self::Output>> {
        match self.exit.reap(Some(fd)) {
            Ok(Some(status)) => Ok(Done::Full(Ok(status))),
            Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Ok(Done::Full(Err(error))),
        }
    }
}

/// Looks whether there is a status.
#[derive(Debug)]
struct Look<'a> {
    exit: &'a Exit,
}

impl Operation for Look<'_> {
    type Output = io::Result<()>;

    fn at_once(&mut self) -> Option<Self::Output> {
        Some(self.exit.known()?.map(drop))
    }

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<Self::Output>> {
        match self.exit.has_ended(fd) {
            Ok(true) => Ok(Done::Full(Ok(()))),
            Ok(false) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Ok(Done::Full(Err(error))),
        }
    }
}

/// The future of [`Child::until_ended`](super::Child::until_ended).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct UntilEnded<'a> {
    leaf: Leaf<'a, Look<'a>>,
}

impl<'a> UntilEnded<'a> {
    pub(super) fn new(
        source: &'a Source,
        exit: &'a Exit,
        location: &'static Location<'static>,
    ) -> UntilEnded<'a> {
        let op = Look { exit };
        UntilEnded {
            leaf: Leaf::new(source, Direction::Read, Kind::Process, location, op),
        }
    }
}

impl Future for UntilEnded<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.leaf).poll(cx).map(io::Result::flatten)
    }
}

/// The future of [`Child::wait`](super::Child::wait).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Wait<'a> {
    stdin: &'a mut Option<ChildStdin>,
    leaf: Leaf<'a, Reap<'a>>,
}

impl<'a> Wait<'a> {
    pub(super) fn new(
        source: &'a Source,
        exit: &'a mut Exit,
        stdin: &'a mut Option<ChildStdin>,
        location: &'static Location<'static>,
    ) -> Wait<'a> {
        let op = Reap { exit };
        Wait {
            stdin,
            leaf: Leaf::new(source, Direction::Read, Kind::Process, location, op),
        }
    }
}

impl Future for Wait<'_> {
    type Output = io::Result<ExitStatus>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        *self.stdin = None;
        Pin::new(&mut self.leaf).poll(cx).map(io::Result::flatten)
    }
}

/// The future of [`Child::kill`](super::Child::kill).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Kill<'a> {
    source: &'a Source,
    wait: Wait<'a>,
    sent: bool,
}

impl<'a> Kill<'a> {
    pub(super) fn new(
        source: &'a Source,
        exit: &'a mut Exit,
        stdin: &'a mut Option<ChildStdin>,
        location: &'static Location<'static>,
    ) -> Kill<'a> {
        Kill {
            source,
            wait: Wait::new(source, exit, stdin, location),
            sent: false,
        }
    }
}

impl Future for Kill<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if !this.sent {
            let exit = &this.wait.leaf.op_mut().exit;
            exit.signal(Some(this.source.as_fd()), Signal::KILL)?;
            this.sent = true;
        }
        Pin::new(&mut this.wait).poll(cx).map_ok(drop)
    }
}
