//! A source as driver and futures see it together: readiness, waiters, and
//! where each direction is armed. Pure: no descriptor, no system call.
//!
//! ```text
//!   Disarmed ──1──▶ Armed ──2──▶ Armed, READY ──3──▶ Armed
//!      ▲              │               │
//!      └──────4───────┴───────4───────┘
//! ```
//! 1 `State::arm`      a future must wait and nobody watches the descriptor yet
//! 2 `State::deliver`  the driver saw an event: bits first, then every waiter goes
//! 3 `Readiness::clear`, `clear_short`  a try found nothing (more)
//! 4 `State::disarm`   the kernel ended the watch, or its reactor is gone;
//!   the waiters are woken and arm again where they run then
//!
//! `deliver` sets the bits before it takes the lock, `wait` looks at them under
//! the lock and lists its waker there. So one of the two sees the other, and a
//! wake is never lost. And who sees that an event was counted since it was
//! listed knows that it is taken out, or about to be.

use crate::readiness::{CLOSED, FAILED, READY, Readiness, Seen};
use crate::sync::{Guard, Lock};
use crate::waiters::{Waiters, Who};
use std::fmt;
use std::io;
use std::task::Waker;

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the kernel: data, connections, the peer's close.
    Read,
    /// To the kernel: room for data, the end of a connect.
    Write,
}

impl Direction {
    fn other(self) -> Direction {
        match self {
            Direction::Read => Direction::Write,
            Direction::Write => Direction::Read,
        }
    }
}

/// What an event says about both directions, in bits of `readiness.rs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) read: u64,
    pub(crate) write: u64,
}

impl Event {
    /// Translates `poll(2)` bits, which epoll and io_uring share.
    pub(crate) fn from_poll(bits: libc::c_int) -> Event {
        let has = |mask: libc::c_int| bits & mask != 0;
        let mut event = Event::default();
        if has(libc::EPOLLIN) {
            event.read |= READY;
        }
        if has(libc::EPOLLRDHUP) {
            event.read |= READY | CLOSED;
        }
        if has(libc::EPOLLOUT) {
            event.write |= READY;
        }
        if has(libc::EPOLLHUP | libc::EPOLLERR) {
            event.read |= READY | CLOSED;
            event.write |= READY | CLOSED;
        }
        event
    }
}

/// What a future that found nothing does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a `Ready` that is dropped is a future that sleeps over its event"]
pub(crate) enum Wait {
    /// It is listed, and the descriptor is watched: it returns `Pending`.
    Listed,
    /// It is listed, but nobody watches the descriptor: it calls `arm`.
    NotArmed,
    /// An event came meanwhile: it is not listed and tries again.
    Ready,
}

struct Side<A> {
    armed: Option<A>,
    waiters: Waiters,
    error: Option<i32>,
}

struct Sides<A> {
    read: Side<A>,
    write: Side<A>,
}

impl<A> Sides<A> {
    fn side(&mut self, direction: Direction) -> &mut Side<A> {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
        }
    }
}

/// See the module's story. `A` names an arming: which reactor, which key.
pub(crate) struct State<A> {
    read: Readiness,
    write: Readiness,
    sides: Lock<Sides<A>>,
}

impl<A: Clone> State<A> {
    pub(crate) fn new() -> State<A> {
        let side = || Side {
            armed: None,
            waiters: Waiters::default(),
            error: None,
        };
        State {
            read: Readiness::pessimistic(),
            write: Readiness::optimistic(),
            sides: Lock::new(Sides {
                read: side(),
                write: side(),
            }),
        }
    }

    #[inline]
    pub(crate) fn readiness(&self, direction: Direction) -> &Readiness {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }

    fn has_something(seen: Seen) -> bool {
        seen.is_ready() || seen.has_failed()
    }

    /// Lists `who` with `waker`, unless an event came meanwhile.
    #[inline]
    pub(crate) fn wait(&self, direction: Direction, who: &mut Who, waker: &Waker) -> Wait {
        // A clone is foreign code: not under the lock. It is mostly needed, as an
        // event takes the waker that was listed before.
        let waker = waker.clone();
        let mut sides = self.sides.lock();
        let side = sides.side(direction);
        // Under the lock: see the module's story.
        let seen = self.readiness(direction).look();
        if Self::has_something(seen) {
            let unlisted = side.waiters.unset(*who);
            drop(sides);
            drop((waker, unlisted));
            return Wait::Ready;
        }
        let unneeded = side.waiters.set(who, waker, seen);
        let wait = if side.armed.is_some() {
            Wait::Listed
        } else {
            Wait::NotArmed
        };
        drop(sides);
        drop(unneeded);
        wait
    }

    /// Calls `make`, which stages the watch in a driver, unless somebody armed
    /// this direction meanwhile. It is told where the other direction is armed;
    /// a driver that now watches both by one registration says so by `true`.
    pub(crate) fn arm(
        &self,
        direction: Direction,
        make: impl FnOnce(Option<&A>) -> io::Result<(A, bool)>,
    ) -> io::Result<()> {
        let mut sides = self.sides.lock();
        if sides.side(direction).armed.is_some() {
            return Ok(());
        }
        let (armed, both) = make(sides.side(direction.other()).armed.as_ref())?;
        if both {
            // One of them may be watched already, by a reactor that watches
            // each direction by itself.
            sides.read.armed.get_or_insert_with(|| armed.clone());
            sides.write.armed.get_or_insert(armed);
        } else {
            sides.side(direction).armed = Some(armed);
        }
        Ok(())
    }

    /// The driver saw `event`: whoever waits for one of its directions goes to
    /// `out`, to be woken when the driver is released.
    pub(crate) fn deliver(&self, event: Event, out: &mut Vec<Waker>) {
        if event.read != 0 {
            self.read.event(event.read);
        }
        if event.write != 0 {
            self.write.event(event.write);
        }
        let mut sides = self.sides.lock();
        if event.read != 0 {
            sides.read.waiters.take_all(out);
        }
        if event.write != 0 {
            sides.write.waiters.take_all(out);
        }
    }

    /// The watch that `ours` recognizes ended: with `error` if it could not be
    /// kept up. Whoever waited goes to `out` and will arm again.
    pub(crate) fn disarm(
        &self,
        ours: impl Fn(&A) -> bool,
        error: Option<i32>,
        out: &mut Vec<Waker>,
    ) {
        let mut sides = self.sides.lock();
        for direction in [Direction::Read, Direction::Write] {
            let side = sides.side(direction);
            if side.armed.take_if(|armed| ours(armed)).is_some() {
                side.waiters.take_all(out);
                if error.is_some() {
                    side.error = error;
                    self.readiness(direction).event(FAILED);
                }
            }
        }
    }

    /// Takes the error that `disarm` left.
    pub(crate) fn take_error(&self, direction: Direction) -> Option<io::Error> {
        let mut sides: Guard<'_, Sides<A>> = self.sides.lock();
        self.readiness(direction).clear_failed();
        sides
            .side(direction)
            .error
            .take()
            .map(io::Error::from_raw_os_error)
    }

    /// The lock, for who lets go. Of a state that was `inherited` by a fork: nothing if the
    /// parent had the lock at that moment. What is in there goes with the state then.
    #[inline]
    fn sides_at_end(&self, inherited: impl FnOnce() -> bool) -> Option<Guard<'_, Sides<A>>> {
        if inherited() {
            self.sides.lock_inherited()
        } else {
            Some(self.sides.lock())
        }
    }

    /// `who` waits no more.
    #[inline]
    pub(crate) fn unlist(&self, direction: Direction, who: Who, inherited: impl FnOnce() -> bool) {
        let listed = match who {
            Who::Slot => true,
            Who::Future(None) => false,
            // Mostly it goes because of the event that has taken its waker.
            Who::Future(Some(listing)) => !self.readiness(direction).look().is_after(listing.at),
        };
        if listed && let Some(mut sides) = self.sides_at_end(inherited) {
            let unlisted = sides.side(direction).waiters.unset(who);
            drop(sides);
            drop(unlisted);
        }
    }

    /// Takes where each direction is armed: the owner is about to let go. The
    /// waiters that are left go to `out`.
    pub(crate) fn release(
        &self,
        out: &mut Vec<Waker>,
        inherited: impl FnOnce() -> bool,
    ) -> [Option<A>; 2] {
        let Some(mut sides) = self.sides_at_end(inherited) else {
            return [None, None];
        };
        sides.read.waiters.take_all(out);
        sides.write.waiters.take_all(out);
        [sides.read.armed.take(), sides.write.armed.take()]
    }
}

impl<A> fmt::Debug for State<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("read", &self.read.look())
            .field("write", &self.write.look())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
