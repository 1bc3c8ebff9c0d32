//! Unix datagrams: whole messages, in order, and none is lost.

mod futures;

pub(crate) use futures::RecvFromOp;
pub use futures::{RecvFrom, SendTo};

use super::addr;
use crate::error::{self, Context as ErrorContext};
use crate::leaf::{Leaf, Operation, try_now};
use crate::stream::{Readable, ReadyOp, Writable};
use crate::sys;
use crate::udp::{Recv, RecvOp, Send, SendOp};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{self, SocketAddr};
use std::panic::Location;
use std::path::Path;
use wakeline_context::Kind;
use wakeline_reactor::{Direction, Done, Source};

/// A Unix datagram socket.
///
/// # Example
///
/// ```
/// use wakeline_net::UnixDatagram;
///
/// # wakeline_net::testing::block_on(async {
/// let (a, b) = UnixDatagram::pair()?;
/// a.send(b"one").await?;
/// a.send(b"two").await?;
/// let mut buf = [0; 16];
/// assert_eq!(b.recv(&mut buf).await?, 3);
/// assert_eq!(&buf[..3], b"one");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct UnixDatagram {
    source: Source,
}

impl UnixDatagram {
    fn new(fd: OwnedFd) -> UnixDatagram {
        UnixDatagram {
            source: Source::new(fd),
        }
    }

    #[track_caller]
    fn leaf<O: Operation>(&self, direction: Direction, op: O) -> Leaf<'_, O> {
        let kind = match direction {
            Direction::Read => Kind::Read,
            Direction::Write => Kind::Write,
        };
        Leaf::new(&self.source, direction, kind, Location::caller(), op)
    }

    /// Two connected sockets.
    ///
    /// # Errors
    ///
    /// The kernel's, with what to try.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (a, b) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::DGRAM, flags, None)
                .map_err(|errno| explain("make a pair of Unix datagram sockets", errno.into()))?;
        Ok((UnixDatagram::new(a), UnixDatagram::new(b)))
    }

    /// A socket without an address: it can send, but not be answered.
    ///
    /// # Errors
    ///
    /// The kernel's, with what to try.
    pub fn unbound() -> io::Result<UnixDatagram> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)
            .map_err(|errno| explain("make a Unix datagram socket", errno.into()))?;
        Ok(UnixDatagram::new(socket))
    }

    /// A socket at `path`, where nothing may be yet; the file stays when it is
    /// dropped.
    ///
    /// # Errors
    ///
    /// An error that names the path.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixDatagram> {
        let path = path.as_ref();
        UnixDatagram::bind_addr(&addr::of_path("bind", path)?)
    }

    /// A socket at `addr`, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// An error that names the address.
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::unbound()?;
        let bound = addr::from_std(addr)
            .and_then(|to| rustix::net::bind(&socket.source, &to).map_err(io::Error::from));
        bound.map_err(|source| explain(&format!("bind {}", addr::name(addr)), source))?;
        Ok(socket)
    }

    /// Fixes the peer: `send` goes there, and only its messages are received.
    ///
    /// # Errors
    ///
    /// An error that names the path.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.connect_addr(&addr::of_path("connect", path.as_ref())?)
    }

    /// Fixes the peer by its address, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// An error that names the address.
    pub fn connect_addr(&self, addr: &SocketAddr) -> io::Result<()> {
        let to = addr::from_std(addr)?;
        sys::retry(|| rustix::net::connect(&self.source, &to))
            .map_err(|source| explain(&format!("connect {}", addr::name(addr)), source))
    }

    /// Sends one message to the connected peer; waits while its queue is full.
    ///
    /// # Errors
    ///
    /// The kernel's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has sent nothing.
    #[track_caller]
    pub fn send<'a>(&'a self, buf: &'a [u8]) -> Send<'a> {
        Send(self.leaf(Direction::Write, SendOp { buf }))
    }

    /// Receives one message; what does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// The kernel's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a> {
        Recv(self.leaf(Direction::Read, RecvOp { buf, peek: false }))
    }

    /// Receives one message and tells its sender.
    ///
    /// # Errors
    ///
    /// The kernel's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> RecvFrom<'a> {
        RecvFrom(self.leaf(Direction::Read, RecvFromOp { buf }))
    }

    /// Sends one message to the socket at `path`.
    ///
    /// While the receiver's queue is full it is tried again, 1 to 50 ms later,
    /// as the kernel tells an unconnected sender of no event; a connected one
    /// ([`send`](UnixDatagram::send)) is woken at once.
    ///
    /// # Errors
    ///
    /// The kernel's: `NotFound` if nothing is there, `ConnectionRefused` if
    /// nobody has it open any more.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has sent nothing.
    #[track_caller]
    pub fn send_to<'a>(&'a self, buf: &'a [u8], path: impl AsRef<Path>) -> SendTo<'a> {
        SendTo::new(self, buf, addr::of_path("send to", path.as_ref()))
    }

    /// Sends one message to `addr`, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// As of [`send_to`](UnixDatagram::send_to).
    ///
    /// # Cancellation
    ///
    /// As of [`send_to`](UnixDatagram::send_to).
    #[track_caller]
    pub fn send_to_addr<'a>(&'a self, buf: &'a [u8], addr: &SocketAddr) -> SendTo<'a> {
        SendTo::new(self, buf, Ok(addr.clone()))
    }

    /// Sends one message to the socket at `path`, if the kernel takes it at
    /// once.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the receiver's queue is full; else the kernel's.
    pub fn try_send_to(&self, buf: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        self.try_send_to_addr(buf, &addr::of_path("send to", path.as_ref())?)
    }

    /// Sends one message to `addr`, which may be an abstract name, if the
    /// kernel takes it at once.
    ///
    /// # Errors
    ///
    /// As of [`try_send_to`](UnixDatagram::try_send_to).
    pub fn try_send_to_addr(&self, buf: &[u8], addr: &SocketAddr) -> io::Result<usize> {
        let to = addr::from_std(addr)?;
        // Not through the source: that the receiver's queue is full says
        // nothing about this socket's readiness.
        let (Done::Full(n) | Done::Short(n)) = sys::send_to(self.source.as_fd(), buf, &to)?;
        Ok(n)
    }

    /// Sends to the connected peer, if the kernel takes the message at once.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if it does not; else the kernel's.
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        try_now(&self.source, Direction::Write, |fd| sys::send(fd, buf))
    }

    /// Receives a message if there is one.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none; else the kernel's.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        try_now(&self.source, Direction::Read, |fd| {
            sys::receive(fd, buf, false)
        })
    }

    /// Receives a message and its sender if there is one.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none; else the kernel's.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        try_now(&self.source, Direction::Read, |fd| receive_from(fd, buf))
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

    /// Waits until a `try_send` to the connected peer is worth it; a hint.
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

    /// Ends one side, or both.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        socket2::SockRef::from(&self.source).shutdown(how)
    }

    /// Its own address.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        addr::to_std(Some(rustix::net::getsockname(&self.source)?))
    }

    /// The connected peer's address.
    ///
    /// # Errors
    ///
    /// `NotConnected` if there is none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        addr::to_std(rustix::net::getpeername(&self.source)?)
    }

    /// Takes a socket of std, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// When the mode cannot be set.
    pub fn from_std(socket: net::UnixDatagram) -> io::Result<UnixDatagram> {
        socket.set_nonblocking(true)?;
        Ok(UnixDatagram::new(socket.into()))
    }

    /// Gives a socket of std, blocking again.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be given back, or the mode not be set.
    pub fn into_std(self) -> io::Result<net::UnixDatagram> {
        let socket = net::UnixDatagram::from(self.source.into_fd()?);
        socket.set_nonblocking(false)?;
        Ok(socket)
    }
}

fn explain(doing: &str, source: io::Error) -> io::Error {
    let hint = match Errno::from_io_error(&source) {
        Some(Errno::ADDRINUSE) => {
            Some("the address is taken: by a running program, or by a path left over")
        }
        Some(Errno::CONNREFUSED) => Some("nobody has it open any more"),
        other => error::limits(other),
    };
    ErrorContext::with_hint(doing, hint, source)
}

fn receive_from(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<Done<(usize, SocketAddr)>> {
    let (Done::Full((n, from)) | Done::Short((n, from))) = sys::receive_from(fd, buf, false)?;
    Ok(Done::Full((n, addr::of_peer(from)?)))
}

impl AsFd for UnixDatagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl AsRawFd for UnixDatagram {
    fn as_raw_fd(&self) -> RawFd {
        self.source.as_raw_fd()
    }
}
