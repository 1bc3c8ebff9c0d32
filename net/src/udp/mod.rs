//! UDP sockets.
//!
//! A datagram goes and comes whole or not at all, and one says nothing about
//! the next: so no read here ever proves that the socket is drained.

mod futures;
mod options;

pub use futures::{Connect, Recv, RecvFrom, Send, SendTo};
pub(crate) use futures::{RecvOp, SendOp};

use crate::addr::{Bind, LookupHost, Query, ToSocketAddrs, lookup_host};
use crate::error;
use crate::leaf::{Leaf, Operation, try_now};
use crate::stream::{Readable, ReadyOp, Writable};
use crate::sys;
use futures::{Destination, RecvFromOp, SendToOp};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::task::{Context, Poll};
use wakeline_context::Kind;
use wakeline_reactor::{Direction, Done, Source};

/// A UDP socket.
///
/// Every method takes `&self`, so that any number of tasks may send and
/// receive; each datagram goes to one of them.
///
/// # Example
///
/// ```
/// use wakeline_net::UdpSocket;
///
/// # wakeline_net::testing::block_on(async {
/// let server = UdpSocket::bind("127.0.0.1:0").await?;
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// client.send_to(b"ping", server.local_addr()?).await?;
///
/// let mut buf = [0; 1500];
/// let (n, from) = server.recv_from(&mut buf).await?;
/// assert_eq!((&buf[..n], from), (&b"ping"[..], client.local_addr()?));
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct UdpSocket {
    source: Source,
}

impl UdpSocket {
    /// Makes a socket with the address `addr`; port 0 is any free one.
    ///
    /// # Errors
    ///
    /// An error of the lookup, or of the last address, which says what to try.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves no socket behind.
    #[track_caller]
    pub fn bind(addr: impl ToSocketAddrs) -> Bind<UdpSocket> {
        Bind::new(addr, |addr| {
            let kind = Type::DGRAM.nonblocking().cloexec();
            Socket::new(Domain::for_address(addr), kind, Some(Protocol::UDP))
                .and_then(|socket| socket.bind(&addr.into()).map(|()| socket))
                .map(|socket| UdpSocket::new(socket.into()))
                .map_err(|source| error::bind(addr, source))
        })
    }

    fn new(fd: OwnedFd) -> UdpSocket {
        UdpSocket {
            source: Source::new(fd),
        }
    }

    fn options(&self) -> SockRef<'_> {
        SockRef::from(&self.source)
    }

    #[track_caller]
    fn leaf<O: Operation>(&self, direction: Direction, op: O) -> Leaf<'_, O> {
        let kind = match direction {
            Direction::Read => Kind::Read,
            Direction::Write => Kind::Write,
        };
        Leaf::new(&self.source, direction, kind, Location::caller(), op)
    }

    /// Fixes the peer: `send` goes there, and only what comes from there is
    /// received. Nothing is sent by this.
    ///
    /// # Errors
    ///
    /// An error of the lookup, or of the last address.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the peer as it was.
    ///
    /// # Example
    ///
    /// ```
    /// # use wakeline_net::UdpSocket;
    /// # wakeline_net::testing::block_on(async {
    /// let (a, b) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    /// a.connect(b.local_addr()?).await?;
    /// b.connect(a.local_addr()?).await?;
    /// a.send(b"ping").await?;
    /// let mut buf = [0; 16];
    /// assert_eq!(b.recv(&mut buf).await?, 4);
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn connect(&self, addr: impl ToSocketAddrs) -> Connect<'_> {
        Connect {
            socket: self,
            lookup: lookup_host(addr),
        }
    }

    /// Sends one datagram to the connected peer.
    ///
    /// # Errors
    ///
    /// The kernel's: `ConnectionRefused` if an earlier datagram found nobody
    /// there.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has sent nothing.
    #[track_caller]
    pub fn send<'a>(&'a self, buf: &'a [u8]) -> Send<'a> {
        Send(self.leaf(Direction::Write, SendOp { buf }))
    }

    /// Sends one datagram to `to`; a name is looked up, and its first address
    /// taken, of an IPv4 socket the first that is one of IPv4.
    ///
    /// # Errors
    ///
    /// An error of the lookup, or the kernel's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has sent nothing.
    #[track_caller]
    pub fn send_to<'a>(&'a self, buf: &'a [u8], to: impl ToSocketAddrs) -> SendTo<'a> {
        let to = match to.query() {
            Query::Known(addrs) if addrs.len() == 1 => Destination::Known(addrs[0]),
            query => Destination::Asked(LookupHost::of(query)),
        };
        let leaf = self.leaf(Direction::Write, SendToOp { buf, to: None });
        SendTo::new(self, leaf, to)
    }

    /// Receives one datagram from the connected peer; what does not fit into
    /// `buf` is lost.
    ///
    /// # Errors
    ///
    /// The kernel's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no datagram.
    #[track_caller]
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a> {
        Recv(self.leaf(Direction::Read, RecvOp { buf, peek: false }))
    }

    /// Receives one datagram and tells its sender; what does not fit into `buf`
    /// is lost.
    ///
    /// # Errors
    ///
    /// The kernel's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no datagram.
    #[track_caller]
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> RecvFrom<'a> {
        RecvFrom(self.leaf(Direction::Read, RecvFromOp { buf, peek: false }))
    }

    /// Copies the next datagram and leaves it there.
    ///
    /// # Errors
    ///
    /// The kernel's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a> {
        Recv(self.leaf(Direction::Read, RecvOp { buf, peek: true }))
    }

    /// Copies the next datagram, tells its sender, and leaves it there.
    ///
    /// # Errors
    ///
    /// The kernel's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn peek_from<'a>(&'a self, buf: &'a mut [u8]) -> RecvFrom<'a> {
        RecvFrom(self.leaf(Direction::Read, RecvFromOp { buf, peek: true }))
    }

    /// Sends to the connected peer, if the kernel takes the datagram at once.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if it does not; else its own.
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        try_now(&self.source, Direction::Write, |fd| sys::send(fd, buf))
    }

    /// Sends to `to`, if the kernel takes the datagram at once.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if it does not; else its own.
    pub fn try_send_to(&self, buf: &[u8], to: SocketAddr) -> io::Result<usize> {
        try_now(&self.source, Direction::Write, |fd| {
            sys::send_to(fd, buf, &to)
        })
    }

    /// Receives a datagram if there is one.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none; else the kernel's.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        try_now(&self.source, Direction::Read, |fd| {
            sys::receive(fd, buf, false)
        })
    }

    /// Receives a datagram and its sender if there is one.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none; else the kernel's.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        try_now(&self.source, Direction::Read, |fd| {
            receive_from(fd, buf, false)
        })
    }

    /// Receives a datagram, or lists the one waker of `poll_` callers.
    ///
    /// # Errors
    ///
    /// As of [`recv_from`](UdpSocket::recv_from).
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let op = |fd: BorrowedFd<'_>| receive_from(fd, buf, false);
        self.source.poll_io(cx, Direction::Read, op)
    }

    /// Sends a datagram, or lists the one waker of `poll_` callers.
    ///
    /// # Errors
    ///
    /// As of [`send_to`](UdpSocket::send_to).
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        to: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        let op = |fd: BorrowedFd<'_>| sys::send_to(fd, buf, &to);
        self.source.poll_io(cx, Direction::Write, op)
    }

    /// Waits until a `try_recv` is worth it; a hint.
    ///
    /// # Errors
    ///
    /// When the socket cannot be watched.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn readable(&self) -> Readable<'_> {
        Readable(self.leaf(Direction::Read, ReadyOp))
    }

    /// Waits until a `try_send` is worth it; a hint.
    ///
    /// # Errors
    ///
    /// When the socket cannot be watched.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn writable(&self) -> Writable<'_> {
        Writable(self.leaf(Direction::Write, ReadyOp))
    }

    /// Its own address.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        sys::internet(rustix::net::getsockname(&self.source)?)
    }

    /// The connected peer's address.
    ///
    /// # Errors
    ///
    /// `NotConnected` if there is none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        sys::sender(rustix::net::getpeername(&self.source)?)
    }

    /// Takes the error that waits on the socket, if any.
    ///
    /// # Errors
    ///
    /// The kernel's, of the asking.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.options().take_error()
    }

    /// Takes a socket of std, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// When the mode cannot be set.
    ///
    /// # Example
    ///
    /// ```
    /// let std = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// let socket = wakeline_net::UdpSocket::from_std(std)?;
    /// socket.set_broadcast(true)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_std(socket: net::UdpSocket) -> io::Result<UdpSocket> {
        socket.set_nonblocking(true)?;
        Ok(UdpSocket::new(socket.into()))
    }

    /// Gives a socket of std, blocking again.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be given back, or the mode not be set.
    pub fn into_std(self) -> io::Result<net::UdpSocket> {
        let socket = net::UdpSocket::from(self.source.into_fd()?);
        socket.set_nonblocking(false)?;
        Ok(socket)
    }
}

fn receive_from(
    fd: BorrowedFd<'_>,
    buf: &mut [u8],
    peek: bool,
) -> io::Result<Done<(usize, SocketAddr)>> {
    let (Done::Full((n, from)) | Done::Short((n, from))) = sys::receive_from(fd, buf, peek)?;
    Ok(Done::Full((n, sys::sender(from)?)))
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.source.as_raw_fd()
    }
}
