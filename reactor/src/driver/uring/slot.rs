//! What a slot of the driver stands for, and its request.

use crate::op::AnyOp;
use crate::slots::{Key, Kind};
use crate::source::Shared;
use crate::state::Direction;
use io_uring::squeue::{Entry, Flags};
use io_uring::{opcode, types};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The kernel does not know of it.
    Staged,
    /// The kernel may have seen the request: what it names must live.
    InKernel,
    /// The terminal completion was reaped.
    Done,
}

pub(super) enum What {
    /// A watch. `released`: its source is gone, nothing is delivered any more.
    Watch {
        source: Arc<Shared>,
        direction: Direction,
        released: bool,
        /// It accepts, into the source's queue, instead of polling.
        accepts: bool,
    },
    /// An operation. `ends`: by itself, and not when a peer likes.
    Op {
        op: Arc<dyn AnyOp>,
        request: Request,
        ends: bool,
    },
}

/// What the kernel has, or is to have, of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Itself,
    /// A poll, since the descriptor is in non-blocking mode and had nothing.
    Poll(Direction),
    /// The question whether it has a thread: see `no_thread.rs`.
    Thread,
}

pub(super) struct Slot {
    pub(super) what: What,
    pub(super) stage: Stage,
    pub(super) cancel_asked: bool,
    /// It is cancelled as its thread leaves: if that stops it, its future has it back.
    pub(super) left: bool,
}

/// What is asked for. Not POLLPRI, for it would be of no use: a multishot poll
/// reports the bits that its wake-up came with and does not look at the socket
/// again, as epoll does; and the wake-up for data, of any kind, comes with
/// POLLIN and POLLPRI. So each message would look urgent. Who must know what
/// lies behind an urgent mark asks for the count: `inq.rs`.
fn poll_bits(direction: Direction) -> u32 {
    let bits = match direction {
        Direction::Read => libc::POLLIN | libc::POLLRDHUP,
        Direction::Write => libc::POLLOUT,
    };
    bits as u32
}

/// The question whether there is a thread for streams, or for all the rest.
fn thread(of_streams: bool, bell: RawFd) -> Entry {
    let nothing = if of_streams {
        // It may be written to at any time.
        opcode::PollAdd::new(types::Fd(bell), libc::POLLOUT as u32).build()
    } else {
        opcode::Nop::new().build()
    };
    nothing.flags(Flags::ASYNC)
}

impl Slot {
    pub(super) fn staged(what: What) -> Slot {
        Slot {
            what,
            stage: Stage::Staged,
            cancel_asked: false,
            left: false,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self.what {
            What::Watch { .. } => Kind::Source,
            What::Op { .. } => Kind::Op,
        }
    }

    /// Whether it is an operation that takes room from the others.
    pub(super) fn counts(&self) -> bool {
        matches!(self.what, What::Op { ends: true, .. })
    }

    /// Whether the kernel may be asked to stop what it has. The question for a thread
    /// is to be answered.
    pub(super) fn may_be_stopped(&self) -> bool {
        match &self.what {
            What::Watch { .. } => true,
            What::Op { op, request, .. } => op.stops() && *request != Request::Thread,
        }
    }

    /// The request was not sent: the kernel does not know of it after all.
    #[cold]
    pub(super) fn withdraw(&mut self) {
        self.stage = Stage::Staged;
        if let What::Op {
            op,
            request: Request::Itself,
            ..
        } = &self.what
        {
            op.unsent();
        }
    }

    /// The request that this slot stands for now. `bell` is any eventfd.
    pub(super) fn entry(&self, key: Key, bell: RawFd) -> Entry {
        let entry = match &self.what {
            What::Watch {
                source,
                accepts: true,
                ..
            } => opcode::AcceptMulti::new(types::Fd(source.fd.as_raw_fd()))
                .flags(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
                .build(),
            What::Watch {
                source, direction, ..
            } => {
                let fd = types::Fd(source.fd.as_raw_fd());
                let multi = *direction == Direction::Read;
                opcode::PollAdd::new(fd, poll_bits(*direction))
                    .multi(multi)
                    .build()
            }
            What::Op { op, request, .. } => match request {
                Request::Itself => op.entry(),
                Request::Poll(direction) => {
                    opcode::PollAdd::new(types::Fd(op.raw_fd()), poll_bits(*direction)).build()
                }
                Request::Thread => thread(op.direction().is_some(), bell),
            },
        };
        entry.user_data(key.pack(self.kind()))
    }
}
