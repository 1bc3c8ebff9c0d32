//! The two ways of talking to the kernel, behind one enum.
//!
//! A driver knows two nouns: a *source*, which it watches until released, and
//! an *operation*, which it starts once and completes once. epoll does not
//! emulate completions for sockets and io_uring does not emulate epoll: each
//! does it in its own way, and one predicted branch chooses.

mod epoll;
mod old;
pub(crate) mod probe;
mod ring;
mod uring;

use crate::error::ring_failed;
use crate::harvest::Harvest;
use crate::metrics::Counts;
use crate::op::AnyOp;
use crate::remote::Home;
use crate::slots::Key;
use crate::source::Shared;
use crate::state::Direction;
use crate::watched::Watched;
use std::io;
use std::sync::Arc;

/// See the module's story.
pub(crate) enum Driver {
    Epoll(Box<epoll::Epoll>),
    Uring(Box<uring::Uring>),
    /// What is left in a reactor that has ended.
    Gone,
}

/// Whether a turn may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// There is something to do, or the caller forbade it.
    No,
    /// It may, but it was notified: the mark is taken and it does not sleep.
    Notified,
    /// Until this many nanoseconds after the clock's origin, or without end.
    Until(Option<u64>),
}

/// Where the other direction of a source is watched, when one is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    Nothing,
    /// By this driver.
    Here(Key),
    /// By another thread's.
    Elsewhere,
}

/// What a turn gives its driver, and what it learns from it.
pub(crate) struct Turning<'a> {
    pub(crate) sleep: Sleep,
    pub(crate) home: &'a Arc<Home>,
    pub(crate) harvest: &'a mut Harvest,
    pub(crate) counts: &'a Counts,
    pub(crate) events: usize,
    pub(crate) slept: bool,
    pub(crate) interrupted: bool,
}

impl Turning<'_> {
    /// Calls `wait`, which may sleep if its argument says so, between `park`
    /// and `unpark`. The argument: `None` must not sleep, else until when.
    fn around_sleep<T>(&mut self, wait: impl FnOnce(Option<Option<u64>>) -> T) -> T {
        let parker = &self.home.parker;
        match self.sleep {
            Sleep::No => wait(None),
            Sleep::Until(until) if parker.park() => {
                let result = wait(Some(until));
                self.slept = true;
                self.interrupted = parker.unpark();
                result
            }
            Sleep::Until(_) | Sleep::Notified => {
                self.interrupted = parker.unpark();
                wait(None)
            }
        }
    }
}

impl Driver {
    /// From now on lists there what it watches, which is nothing yet.
    pub(crate) fn enlist(&mut self, watched: Arc<Watched>) {
        match self {
            Driver::Epoll(epoll) => epoll.enlist(watched),
            Driver::Uring(uring) => uring.enlist(watched),
            Driver::Gone => {}
        }
    }

    /// Begins to watch; `true`: the key stands for both directions.
    pub(crate) fn arm(
        &mut self,
        source: &Arc<Shared>,
        direction: Direction,
        beside: Beside,
        counts: &Counts,
    ) -> io::Result<(Key, bool)> {
        match self {
            Driver::Epoll(epoll) => epoll.arm(source, direction, beside, counts),
            Driver::Uring(uring) => Ok((uring.arm(source, direction), false)),
            Driver::Gone => unreachable!("armed on a reactor that has ended"),
        }
    }

    /// Ends a watch: from now on nothing is delivered to the source.
    pub(crate) fn release(&mut self, key: Key, harvest: &mut Harvest, counts: &Counts) {
        match self {
            Driver::Epoll(epoll) => epoll.release(key, harvest, counts),
            Driver::Uring(uring) => uring.release(key, harvest),
            Driver::Gone => {}
        }
    }

    /// Hands staged cancels to the kernel without waiting for a turn.
    pub(crate) fn flush(&mut self, harvest: &mut Harvest, counts: &Counts) {
        match self {
            Driver::Uring(uring) => uring.flush_now(harvest, counts),
            Driver::Epoll(_) | Driver::Gone => {}
        }
    }

    /// Whether `flush` has cancels to hand over.
    pub(crate) fn has_cancels(&self) -> bool {
        match self {
            Driver::Uring(uring) => uring.has_cancels(),
            Driver::Epoll(_) | Driver::Gone => false,
        }
    }

    /// Starts an operation. `None`: it is done already, or its blocking form
    /// must run on the pool.
    pub(crate) fn submit(
        &mut self,
        op: &Arc<dyn AnyOp>,
        counts: &Counts,
    ) -> io::Result<Option<Key>> {
        match self {
            Driver::Epoll(epoll) => epoll.submit(op, counts),
            Driver::Uring(_) if op.must_block() || op.opcode().is_some_and(probe::lacks) => {
                Ok(None)
            }
            Driver::Uring(uring) => Ok(Some(uring.submit(op))),
            Driver::Gone => unreachable!("an operation on a reactor that has ended"),
        }
    }

    /// Has the kernel work on an operation within the call; `false` if it
    /// cannot be, and was not.
    pub(crate) fn submit_now(
        &mut self,
        op: &Arc<dyn AnyOp>,
        harvest: &mut Harvest,
        counts: &Counts,
    ) -> bool {
        match self {
            Driver::Uring(uring) => uring.submit_now(op, harvest, counts),
            Driver::Epoll(_) | Driver::Gone => false,
        }
    }

    /// Asks for the end of an operation; its completion still comes.
    pub(crate) fn cancel(&mut self, key: Key, harvest: &mut Harvest, counts: &Counts) {
        match self {
            Driver::Epoll(epoll) => epoll.cancel(key, harvest, counts),
            Driver::Uring(uring) => uring.cancel(key, harvest),
            Driver::Gone => {}
        }
    }

    /// Steps 3 of a turn: flush, maybe sleep, reap.
    pub(crate) fn turn(&mut self, turning: &mut Turning<'_>) -> io::Result<()> {
        match self {
            Driver::Epoll(epoll) => epoll.turn(turning),
            Driver::Uring(uring) => uring.turn(turning).map_err(ring_failed),
            Driver::Gone => unreachable!("a turn of a reactor that has ended"),
        }
    }

    /// Ends every watch; operations go on.
    pub(crate) fn disarm(&mut self, harvest: &mut Harvest, counts: &Counts) {
        match self {
            Driver::Epoll(epoll) => epoll.disarm(harvest, counts),
            Driver::Uring(uring) => uring.disarm(harvest),
            Driver::Gone => {}
        }
    }

    /// Gives operations back to their futures, which begin them again where they
    /// are polled, as far as the kernel lets go of them by `deadline`.
    pub(crate) fn give_back(&mut self, deadline: u64, harvest: &mut Harvest, counts: &Counts) {
        match self {
            Driver::Epoll(epoll) => epoll.give_back(harvest, counts),
            Driver::Uring(uring) => uring.give_back(deadline, harvest, counts),
            Driver::Gone => {}
        }
    }

    /// Disarms all and cancels all; returns how many requests the kernel still
    /// holds at the deadline.
    pub(crate) fn drain(&mut self, deadline: u64, harvest: &mut Harvest, counts: &Counts) -> usize {
        match self {
            Driver::Epoll(epoll) => {
                epoll.drain(harvest, counts);
                0
            }
            Driver::Uring(uring) => uring.drain(deadline, harvest, counts),
            Driver::Gone => 0,
        }
    }

    /// Gives up what the kernel did not let go of: it is never freed.
    pub(crate) fn leak(&mut self, harvest: &mut Harvest) {
        match self {
            Driver::Uring(uring) => uring.leak(harvest),
            Driver::Epoll(_) | Driver::Gone => {}
        }
    }

    /// Whether it has operations that end by themselves.
    pub(crate) fn works(&self) -> bool {
        match self {
            // What it tries again at an event waits for a peer.
            Driver::Epoll(_) | Driver::Gone => false,
            Driver::Uring(uring) => uring.works(),
        }
    }

    /// Whether it has neither watches nor operations, and so nothing to cancel.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Driver::Epoll(epoll) => epoll.is_empty(),
            Driver::Uring(uring) => uring.is_empty(),
            Driver::Gone => true,
        }
    }

    /// Watches and operations that exist.
    pub(crate) fn held(&self) -> (usize, usize) {
        match self {
            Driver::Epoll(epoll) => epoll.held(),
            Driver::Uring(uring) => uring.held(),
            Driver::Gone => (0, 0),
        }
    }
}
