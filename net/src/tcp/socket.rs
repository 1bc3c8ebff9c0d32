//! A TCP socket that is neither bound nor connected yet.

use super::connect::Connect;
use super::listener::TcpListener;
use crate::{error, sys};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// A TCP socket whose options are set before it listens or connects.
///
/// It begins with `TCP_NODELAY` set, and with nothing else changed.
///
/// # Example
///
/// Two listeners share a port, and the kernel spreads connections over them:
///
/// ```
/// use std::net::SocketAddr;
/// use wakeline_net::TcpSocket;
///
/// let any = SocketAddr::from(([127, 0, 0, 1], 0));
/// let first = TcpSocket::new_v4()?;
/// first.set_reuse_port(true)?;
/// first.bind(any)?;
/// let first = first.listen(128)?;
///
/// let second = TcpSocket::new_v4()?;
/// second.set_reuse_port(true)?;
/// second.bind(first.local_addr()?)?;
/// let _second = second.listen(128)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TcpSocket {
    socket: Socket,
}

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    ///
    /// When the kernel gives none, with what to try.
    pub fn new_v4() -> io::Result<TcpSocket> {
        TcpSocket::new(Domain::IPV4)
    }

    /// A socket for IPv6, which also takes IPv4 unless
    /// [`set_only_v6`](TcpSocket::set_only_v6) is set.
    ///
    /// # Errors
    ///
    /// When the kernel gives none, with what to try.
    pub fn new_v6() -> io::Result<TcpSocket> {
        TcpSocket::new(Domain::IPV6)
    }

    /// A socket that is about to be bound to `addr`.
    pub(crate) fn for_address(addr: SocketAddr) -> io::Result<TcpSocket> {
        TcpSocket::unexplained(Domain::for_address(addr))
            .map_err(|source| error::bind(addr, source))
    }

    fn new(domain: Domain) -> io::Result<TcpSocket> {
        TcpSocket::unexplained(domain).map_err(|source| {
            let hint = error::limits(rustix::io::Errno::from_io_error(&source));
            error::Context::with_hint("make a TCP socket", hint, source)
        })
    }

    fn unexplained(domain: Domain) -> io::Result<TcpSocket> {
        let kind = Type::STREAM.nonblocking().cloexec();
        let socket = Socket::new(domain, kind, Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        sys::count_received(&socket);
        Ok(TcpSocket { socket })
    }

    /// Lets an address be bound that old connections still linger on.
    ///
    /// # Errors
    ///
    /// The kernel's; so for every option.
    pub fn set_reuse_addr(&self, reuse: bool) -> io::Result<()> {
        self.socket.set_reuse_address(reuse)
    }

    /// Lets several sockets share the address, if all of them say so.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn set_reuse_port(&self, reuse: bool) -> io::Result<()> {
        self.socket.set_reuse_port(reuse)
    }

    /// Takes IPv6 only, so that another socket may have the port for IPv4.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn set_only_v6(&self, only: bool) -> io::Result<()> {
        self.socket.set_only_v6(only)
    }

    /// Sends small writes at once (`true`, the default here), or waits to join
    /// them. Accepted streams inherit it.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.set_tcp_nodelay(nodelay)
    }

    /// Probes an idle connection after `idle`; accepted streams inherit it.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn set_keepalive(&self, idle: Duration) -> io::Result<()> {
        let keepalive = socket2::TcpKeepalive::new().with_time(idle);
        self.socket.set_tcp_keepalive(&keepalive)
    }

    /// The size of the kernel's receive buffer, in bytes; accepted streams
    /// inherit it.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn set_recv_buffer_size(&self, bytes: usize) -> io::Result<()> {
        self.socket.set_recv_buffer_size(bytes)
    }

    /// The size of the kernel's send buffer, in bytes.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn set_send_buffer_size(&self, bytes: usize) -> io::Result<()> {
        self.socket.set_send_buffer_size(bytes)
    }

    /// Gives the socket its own address; port 0 is any free one.
    ///
    /// # Errors
    ///
    /// An error that names the address and what to try.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.socket
            .bind(&addr.into())
            .map_err(|source| error::bind(addr, source))
    }

    /// The address it is bound to.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        sys::internet(rustix::net::getsockname(&self.socket)?)
    }

    /// Listens; at most `backlog` connections wait to be accepted.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if another socket listens there; else the kernel's.
    pub fn listen(self, backlog: i32) -> io::Result<TcpListener> {
        if let Err(source) = self.socket.listen(backlog) {
            return Err(match self.local_addr() {
                Ok(addr) => error::bind(addr, source),
                Err(_) => source,
            });
        }
        Ok(TcpListener::new(self.socket.into()))
    }

    /// Connects to `addr`, from the bound address if there is one.
    ///
    /// # Errors
    ///
    /// An error that names the address.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the socket.
    ///
    /// # Example
    ///
    /// ```
    /// # wakeline_net::testing::block_on(async {
    /// # use wakeline_net::{TcpListener, TcpSocket};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let socket = TcpSocket::new_v4()?;
    /// socket.set_send_buffer_size(1 << 16)?;
    /// let stream = socket.connect(listener.local_addr()?).await?;
    /// assert!(stream.nodelay()?);
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn connect(self, addr: SocketAddr) -> Connect {
        Connect::prepared(self.socket.into(), addr)
    }
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
