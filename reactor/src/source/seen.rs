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
