//! The loop of every operation: try, and wait when there is nothing.

use super::{Done, Seen, Source};
use crate::error::not_watched;
use crate::readiness::Readiness;
use crate::state::{Direction, Wait};
use crate::waiters::Who;
use crate::{current, faults};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::Location;
use std::task::{Context, Poll, Waker};
use wakeline_context::{Kind, budget, waiting_on};

impl Source {
    /// A try of a source that was `seen` to be ready; notes what it shows.
    #[inline]
    pub(super) fn attempt<T>(
        &self,
        readiness: &Readiness,
        seen: Seen,
        op: &mut impl FnMut(BorrowedFd<'_>) -> io::Result<Done<T>>,
    ) -> io::Result<T> {
        if faults::spurious() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match op(self.as_fd()) {
            Ok(Done::Full(value)) => Ok(value),
            Ok(Done::Short(value)) => {
                readiness.clear_short(seen);
                Ok(value)
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::WouldBlock {
                    readiness.clear(seen);
                }
                Err(error)
            }
        }
    }

    /// Tries, and waits when there is nothing: see the drawing of the module above.
    #[inline]
    pub(super) fn drive<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        who: &mut Who,
        kind: Kind,
        location: &'static Location<'static>,
        mut op: impl FnMut(BorrowedFd<'_>) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        let Poll::Ready(unit) = budget::poll_proceed(cx) else {
            waiting_on(Kind::Yield, self.id(), location);
            return Poll::Pending;
        };
        let readiness = self.shared.state.readiness(direction);
        loop {
            let seen = readiness.look();
            if seen.is_ready() {
                match self.attempt(readiness, seen, &mut op) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    result => {
                        unit.spend();
                        return Poll::Ready(result);
                    }
                }
            }
            match self.wait(cx.waker(), direction, who, seen) {
                Ok(true) => {}
                Ok(false) => {
                    unit.refund();
                    waiting_on(kind, self.id(), location);
                    return Poll::Pending;
                }
                Err(error) => {
                    unit.spend();
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// Lists the waker and sees to it that somebody watches. `true`: an event
    /// came meanwhile, try again. `seen`: what the caller has just looked at, which may
    /// be old, as `State::wait` looks again under its lock.
    fn wait(
        &self,
        waker: &Waker,
        direction: Direction,
        who: &mut Who,
        seen: Seen,
    ) -> io::Result<bool> {
        let state = &self.shared.state;
        if seen.has_failed()
            && let Some(error) = state.take_error(direction)
        {
            return Err(not_watched(error));
        }
        match state.wait(direction, who, waker) {
            Wait::Ready => return Ok(true),
            Wait::Listed => return Ok(false),
            Wait::NotArmed => {}
        }
        // Making a lazy reactor runs foreign code, so this comes before the lock.
        let armed = current::get().and_then(|core| {
            state.arm(direction, |other| core.arm(&self.shared, direction, other))
        });
        if armed.is_err() {
            state.unlist(direction, *who, || self.is_inherited());
        }
        armed.map(|()| false).map_err(not_watched)
    }
}
