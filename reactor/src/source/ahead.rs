//! Connections that the kernel accepts before they are asked for.

use super::Source;
use crate::accepts::{Accepted, Accepts};

impl Source {
    /// Lets the kernel accept up to about `bound` connections before they are
    /// asked for, from the next wait on; for a listening socket, and of effect
    /// on io_uring only. The first call counts.
    ///
    /// The bound is looked at when the reactor takes what the kernel has done.
    /// What came in one burst before that is accepted already: as many as the
    /// ring has completion entries ([`Config::ring_completions`]), in the worst
    /// case.
    ///
    /// [`Config::ring_completions`]: crate::Config::ring_completions
    ///
    /// From then on [`take_accepted`](Source::take_accepted) must be asked
    /// first. What it has is closed with the source.
    ///
    /// # Example
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doc.rs")); }
    /// # use doc::block_on;
    /// use std::io::ErrorKind;
    /// use std::net::{TcpListener, TcpStream};
    /// use std::os::fd::OwnedFd;
    /// use std::panic::Location;
    /// use wakeline_context::Kind;
    /// use wakeline_reactor::{Accepted, Config, Direction, Done, Reactor, Source};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// listener.set_nonblocking(true)?;
    /// let source = Source::new(OwnedFd::from(listener.try_clone()?));
    /// source.accept_ahead(16);
    /// let accept = source.io(Direction::Read, Kind::Accept, Location::caller(), |_fd| {
    ///     match source.take_accepted() {
    ///         Accepted::Connection(fd) => Ok(Done::Full(fd)),
    ///         Accepted::None => Err(ErrorKind::WouldBlock.into()),
    ///         Accepted::Ask => Ok(Done::Full(listener.accept()?.0.into())),
    ///     }
    /// });
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// let reactor = Reactor::new(&Config::default())?;
    /// let stream = TcpStream::from(block_on(&reactor, accept)??);
    /// assert_eq!(stream.peer_addr()?, client.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn accept_ahead(&self, bound: usize) {
        // A second call changes nothing.
        let _ = self.shared.accepts.set(Accepts::new(bound));
    }

    /// A connection that was accepted ahead, or what to do for one.
    #[must_use = "a connection that is dropped is closed"]
    pub fn take_accepted(&self) -> Accepted {
        let accepts = self.shared.accepts.get();
        accepts.map_or(Accepted::Ask, Accepts::take)
    }
}
