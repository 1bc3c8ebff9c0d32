//! Connections that the kernel accepted before anybody asked: io_uring's
//! multishot accept, into a queue of the listener's.
//!
//! ```text
//!   backlog ──1──▶ queue ──2──▶ accept
//!      ▲             │
//!      │             └──3──▶ stop; what is not accepted stays in the backlog
//!      └──4── the queue is empty again, and somebody waits
//! ```
//! 1 a completion brings a descriptor: `push`, before any user code runs
//! 2 `take`, in the poll of whoever waits
//! 3 `push` says that the bound is reached: the driver cancels the request
//!   in its next flush. What the kernel had accepted by then comes, too, at most
//!   about as many as the ring has completion entries
//! 4 the next wait arms it again, as it arms any watch
//!
//! The queue belongs to the source. A future that is dropped leaves it as it
//! is, and a listener that is dropped closes what is in it, at the latest when
//! the driver has let go. An error ends the request and is not kept: whoever
//! asks next calls accept(2) itself and is told, as everybody else is.

use crate::sync::Lock;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;

/// What [`Source::take_accepted`](crate::Source::take_accepted) found.
#[derive(Debug)]
pub enum Accepted {
    /// A connection, non-blocking and closed on exec.
    Connection(OwnedFd),
    /// None; one that comes will be an event.
    None,
    /// Nobody accepts ahead just now: call accept(2).
    Ask,
}

#[derive(Debug)]
pub(crate) struct Accepts {
    queue: Lock<Queue>,
    bound: usize,
}

#[derive(Debug, Default)]
struct Queue {
    fds: VecDeque<OwnedFd>,
    /// Requests in the kernel: more than one while a watch moves to another
    /// reactor.
    armed: usize,
    unsupported: bool,
}

impl Accepts {
    pub(crate) fn new(bound: usize) -> Accepts {
        Accepts {
            queue: Lock::new(Queue::default()),
            bound: bound.max(1),
        }
    }

    pub(crate) fn is_supported(&self) -> bool {
        !self.queue.lock().unsupported
    }

    /// The kernel cannot wait for connections of a non-blocking listener.
    pub(crate) fn refuse(&self) {
        self.queue.lock().unsupported = true;
    }

    /// The kernel has a request.
    pub(crate) fn armed(&self) {
        self.queue.lock().armed += 1;
    }

    /// A request has ended.
    pub(crate) fn ended(&self) {
        let mut queue = self.queue.lock();
        debug_assert!(queue.armed > 0, "it was armed");
        queue.armed -= 1;
    }

    /// Transition 1; `true`: transition 3.
    pub(crate) fn push(&self, fd: OwnedFd) -> bool {
        let mut queue = self.queue.lock();
        queue.fds.push_back(fd);
        queue.fds.len() >= self.bound
    }

    /// Transition 2.
    pub(crate) fn take(&self) -> Accepted {
        let mut queue = self.queue.lock();
        match queue.fds.pop_front() {
            Some(fd) => Accepted::Connection(fd),
            None if queue.armed > 0 => Accepted::None,
            None => Accepted::Ask,
        }
    }
}
