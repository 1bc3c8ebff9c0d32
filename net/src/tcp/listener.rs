//! A TCP listener.

use super::incoming::Incoming;
use super::socket::TcpSocket;
use super::stream::TcpStream;
use crate::addr::{Bind, ToSocketAddrs};
use crate::leaf::{Leaf, Operation, named_future, try_now};
use crate::sys;
use rustix::net::SocketAddrAny;
use socket2::SockRef;
use std::io;
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::task::{Context, Poll};
use wakeline_context::Kind;
use wakeline_reactor::{Direction, Done, Source};

/// Connections that may wait to be accepted; the kernel cuts it to its own
/// limit (`net.core.somaxconn`, 4096 since Linux 5.4).
pub(crate) const BACKLOG: i32 = 4096;

/// Accepts TCP connections on an address.
///
/// Accepted streams have `TCP_NODELAY` set, by inheritance.
///
/// # Example
///
/// ```
/// use wakeline_net::{TcpListener, TcpStream};
///
/// # wakeline_net::testing::block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// let (_stream, peer) = listener.accept().await?;
/// assert_eq!(peer, client.local_addr()?);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TcpListener {
    source: Source,
}

impl TcpListener {
    /// Listens on `addr`; port 0 is any free one.
    ///
    /// If it is a name with several addresses, the first that can be bound is.
    /// `SO_REUSEADDR` is set, so that a restarted server gets its port back at
    /// once. More options: [`TcpSocket`].
    ///
    /// # Errors
    ///
    /// An error of the lookup, or of the last address, which says what to try:
    /// see [`Context`](crate::Context).
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves no socket behind.
    ///
    /// # Example
    ///
    /// ```
    /// # wakeline_net::testing::block_on(async {
    /// let listener = wakeline_net::TcpListener::bind(("127.0.0.1", 0)).await?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn bind(addr: impl ToSocketAddrs) -> Bind<TcpListener> {
        Bind::new(addr, |addr| {
            let socket = TcpSocket::for_address(addr)?;
            socket.set_reuse_addr(true)?;
            socket.bind(addr)?;
            socket.listen(BACKLOG)
        })
    }

    /// Takes a listening, non-blocking descriptor.
    pub(crate) fn new(fd: OwnedFd) -> TcpListener {
        let source = Source::new(fd);
        // A source that somebody wanted to accept from frees its address at
        // once when it is dropped; `poll_accept` and `accept` do not say so.
        drop(source.io(
            Direction::Read,
            Kind::Accept,
            Location::caller(),
            sys::accept,
        ));
        TcpListener { source }
    }

    /// Waits for the next connection.
    ///
    /// Any number of tasks may wait; each connection goes to one of them.
    ///
    /// # Errors
    ///
    /// The kernel's, untouched, but never one that is only about a connection
    /// which broke while it waited. When descriptors run out it is an error
    /// that comes again at once: [`incoming`](TcpListener::incoming) paces it.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no connection: one is taken only by the poll
    /// that returns it.
    ///
    /// # Example
    ///
    /// ```
    /// # wakeline_net::testing::block_on(async {
    /// # use wakeline_net::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (stream, peer) = listener.accept().await?;
    /// assert_eq!(stream.peer_addr()?, peer);
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn accept(&self) -> Accept<'_> {
        let location = Location::caller();
        Accept(Leaf::new(
            &self.source,
            Direction::Read,
            Kind::Accept,
            location,
            AcceptOp(&self.source),
        ))
    }

    /// Takes the next connection, or lists the one waker of `poll_` callers.
    ///
    /// # Errors
    ///
    /// As of [`accept`](TcpListener::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let op = |fd: BorrowedFd<'_>| accept(&self.source, fd);
        self.source.poll_io(cx, Direction::Read, op)
    }

    /// Takes a connection if one waits.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if none does; else as of [`accept`](TcpListener::accept).
    pub fn try_accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        try_now(&self.source, Direction::Read, |fd| {
            match accept(&self.source, fd) {
                // What the kernel accepts ahead comes with a turn of the reactor.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => take(sys::accept(fd)?),
                result => result,
            }
        })
    }

    /// The connections one after the other, in a way that survives running out
    /// of descriptors.
    #[must_use]
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming::new(self)
    }

    /// Lets the kernel accept up to about `bound` connections before they are
    /// asked for: fewer calls where connections are many and short.
    ///
    /// It has an effect on io_uring, from the next wait on. Off unless asked
    /// for, since it is seen from outside: connections that nobody has asked
    /// for hold descriptors of this process, are taken from other processes
    /// that accept from the same socket, and are closed with the listener and
    /// by `into_std`. A dropped `accept` loses none of them.
    ///
    /// The bound is looked at once a turn of the reactor, so a burst may exceed
    /// it: by as many as the ring has completion entries (1,024, unless a
    /// reactor is set up otherwise), in the worst case.
    ///
    /// # Example
    ///
    /// ```
    /// # wakeline_net::testing::block_on(async {
    /// # use wakeline_net::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// listener.accept_ahead(64);
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (_stream, peer) = listener.accept().await?;
    /// assert_eq!(peer, client.local_addr()?);
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn accept_ahead(&self, bound: usize) {
        self.source.accept_ahead(bound);
    }

    /// The address it listens on.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        sys::internet(rustix::net::getsockname(&self.source)?)
    }

    /// Sets the time to live of what it and its streams send over IPv4, in hops.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        SockRef::from(&self.source).set_ttl_v4(ttl)
    }

    /// The time to live of what it sends over IPv4, in hops.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn ttl(&self) -> io::Result<u32> {
        SockRef::from(&self.source).ttl_v4()
    }

    /// Takes the error that waits on the socket, if any.
    ///
    /// # Errors
    ///
    /// The kernel's, of the asking.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        SockRef::from(&self.source).take_error()
    }

    /// Takes a listener of std, and makes it non-blocking.
    ///
    /// Its options stay as they are, and its streams inherit those: `TCP_NODELAY`
    /// is set only if it was.
    ///
    /// # Errors
    ///
    /// When the mode cannot be set.
    ///
    /// # Example
    ///
    /// ```
    /// let std = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let listener = wakeline_net::TcpListener::from_std(std)?;
    /// let std = listener.into_std()?;
    /// # drop(std);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_std(listener: net::TcpListener) -> io::Result<TcpListener> {
        listener.set_nonblocking(true)?;
        sys::count_received(&listener);
        Ok(TcpListener::new(listener.into()))
    }

    /// Gives a listener of std, blocking again.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be given back, or the mode not be set.
    pub fn into_std(self) -> io::Result<net::TcpListener> {
        let listener = net::TcpListener::from(self.source.into_fd()?);
        listener.set_nonblocking(false)?;
        Ok(listener)
    }
}

fn accept(source: &Source, fd: BorrowedFd<'_>) -> io::Result<Done<(TcpStream, SocketAddr)>> {
    take(sys::accept_of(source, fd)?)
}

fn take(accepted: Done<sys::Accepted>) -> io::Result<Done<(TcpStream, SocketAddr)>> {
    let (Done::Full((fd, peer)) | Done::Short((fd, peer))) = accepted;
    let stream = TcpStream::new(fd);
    let peer = match peer.map(SocketAddrAny::try_into) {
        Some(Ok(peer)) => peer,
        // A peer that is gone already may have no address any more.
        _ => unspecified(&stream)?,
    };
    Ok(Done::Full((stream, peer)))
}

fn unspecified(stream: &TcpStream) -> io::Result<SocketAddr> {
    let local = stream.local_addr()?;
    Ok(if local.is_ipv6() {
        SocketAddr::from(([0_u16; 8], 0))
    } else {
        SocketAddr::from(([0_u8; 4], 0))
    })
}

#[derive(Debug)]
pub(crate) struct AcceptOp<'a>(&'a Source);

impl Operation for AcceptOp<'_> {
    type Output = (TcpStream, SocketAddr);

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<Self::Output>> {
        accept(self.0, fd)
    }
}

named_future! {
    /// The future of [`TcpListener::accept`]: a stream and its peer's address.
    Accept, AcceptOp<'a>, (TcpStream, SocketAddr)
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.source.as_raw_fd()
    }
}
