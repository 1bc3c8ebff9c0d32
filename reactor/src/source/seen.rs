//! A wait and a try that are not one step: who tries later must say what was
//! known before, or an event that comes between the two would be cleared.

use super::Source;
pub use crate::readiness::Seen;
use crate::state::Direction;

impl Source {
    /// What is known about `direction` now, to be given to
    /// [`clear`](Source::clear).
    ///
    /// # Example
    ///
    /// ```
    /// use std::os::fd::OwnedFd;
    /// use std::os::unix::net::UnixStream;
    /// use wakeline_reactor::{Direction, Source};
    ///
    /// let (here, _there) = UnixStream::pair()?;
    /// here.set_nonblocking(true)?;
    /// let source = Source::new(OwnedFd::from(here));
    /// let seen = source.seen(Direction::Write);
    /// // ... a write that met `WouldBlock` ...
    /// source.clear(Direction::Write, seen);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn seen(&self, direction: Direction) -> Seen {
        self.shared.state.readiness(direction).look()
    }

    /// Whether a read that gives less than was asked for has drained a stream
    /// that has no other bounds in it: urgent data stops a read although more
    /// follows, and none has come of which the reactor would not have told. Or that
    /// it does not matter, as the peer has closed: then the source stays ready until
    /// a read has met `WouldBlock`, whatever the reads before have told.
    ///
    /// Under epoll each event tells of it; a poll of io_uring does not, nor is
    /// anything known before the first event.
    ///
    /// Two marks it cannot know: of an urgent byte that somebody took out by a
    /// call of their own (`MSG_OOB`) before its event was delivered, and of one that
    /// had arrived as a plain byte ahead of its turn and is called urgent only
    /// later, which a Linux peer does not do. The bytes behind such a mark are
    /// read when the next ones come, or the end.
    ///
    /// # Example
    ///
    /// ```
    /// use std::os::fd::OwnedFd;
    /// use std::os::unix::net::UnixStream;
    /// use wakeline_reactor::Source;
    ///
    /// let (here, _there) = UnixStream::pair()?;
    /// here.set_nonblocking(true)?;
    /// let source = Source::new(OwnedFd::from(here));
    /// assert!(!source.is_quiet(), "nothing is known yet");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn is_quiet(&self) -> bool {
        let readiness = self.shared.state.readiness(Direction::Read);
        readiness.look().is_quiet()
    }

    /// Notes that a try in `direction` met `WouldBlock`, if no event came since
    /// it was `seen`: the next wait then waits for one.
    ///
    /// # Example
    ///
    /// See [`seen`](Source::seen).
    pub fn clear(&self, direction: Direction, seen: Seen) {
        self.shared.state.readiness(direction).clear(seen);
    }
}
