//! A TCP connection.

use super::connect::Connect;
use crate::addr::ToSocketAddrs;
use crate::halves::halves;
use crate::methods::{impl_async_read, impl_async_write, read_methods, write_methods};
use crate::stream::Stream;
use crate::sys::{self, Family};
use socket2::SockRef;
use std::io;
use std::net::{self, Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;
use wakeline_reactor::Source;

/// The kernel's number is an `int`.
const LINGER_MAX: Duration = Duration::from_secs(i32::MAX as u64);

pub use socket2::TcpKeepalive;

/// A TCP connection.
///
/// `TCP_NODELAY` is set from the beginning. Reading and writing take `&self`,
/// so that two tasks may do one each; the writes of two tasks may interleave.
///
/// Dropping it closes the connection: at once on epoll; on io_uring, if it was waited
/// for, in the next turn of its thread, which a long poll puts off. Data that the peer
/// sent and nobody read makes that a reset, as always with TCP.
///
/// Urgent (out-of-band) data is no part of the stream here: reads go on behind
/// it, and a read that waits when it comes passes it over.
///
/// # Example
///
/// ```
/// use wakeline_net::io::{AsyncReadExt, AsyncWriteExt};
/// use wakeline_net::{TcpListener, TcpStream};
///
/// # wakeline_net::testing::block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// let (mut server, _) = listener.accept().await?;
///
/// client.write_all(b"hello").await?;
/// client.close().await?; // the end of this side
/// let mut text = String::new();
/// server.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TcpStream {
    inner: Stream,
}

impl TcpStream {
    /// Connects to `addr`.
    ///
    /// A name is looked up; its addresses are tried in turn, IPv6 and IPv4 by
    /// turns, each 250 ms after the one before or as soon as that failed (RFC
    /// 8305). The first that connects wins, and the others are closed.
    ///
    /// # Errors
    ///
    /// An error that names what was connected to, and each address with its
    /// own reason; its kind is that of the last.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes what was begun; it can be tried again.
    ///
    /// # Example
    ///
    /// ```
    /// # wakeline_net::testing::block_on(async {
    /// # use wakeline_net::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let port = listener.local_addr()?.port();
    /// let stream = TcpStream::connect(("localhost", port)).await?;
    /// assert_eq!(stream.peer_addr()?.port(), port);
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn connect(addr: impl ToSocketAddrs) -> Connect {
        Connect::new(addr)
    }

    pub(crate) fn new(fd: OwnedFd) -> TcpStream {
        let inner = Stream::new(fd, Family::Tcp);
        TcpStream { inner }
    }

    pub(crate) fn from_source(source: Source) -> TcpStream {
        let inner = Stream::from_source(source, Family::Tcp);
        TcpStream { inner }
    }

    #[inline]
    pub(crate) fn stream(&self) -> &Stream {
        &self.inner
    }

    fn options(&self) -> SockRef<'_> {
        SockRef::from(&self.inner)
    }

    /// Ends one side, or both: the peer reads the end of the stream, our own
    /// reads that wait are woken.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the connection is gone.
    ///
    /// # Example
    ///
    /// ```
    /// # wakeline_net::testing::block_on(async {
    /// # let (stream, peer) = wakeline_net::testing::tcp_pair().await?;
    /// peer.shutdown(std::net::Shutdown::Write)?;
    /// assert_eq!(stream.read(&mut [0; 8]).await?, 0);
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.shutdown(how)
    }

    /// Our end's address.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        sys::internet(rustix::net::getsockname(&self.inner)?)
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        sys::sender(rustix::net::getpeername(&self.inner)?)
    }

    /// Sends small writes at once (`true`, the default here), or waits to join
    /// them with later ones.
    ///
    /// # Errors
    ///
    /// The kernel's; so for every option.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.options().set_tcp_nodelay(nodelay)
    }

    /// Whether small writes are sent at once.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.options().tcp_nodelay()
    }

    /// What a close does with unsent data: `None` sends it in the background,
    /// zero throws it away and resets the connection.
    ///
    /// Longer times make the *close* block, which in async code is the drop of
    /// the stream: prefer those two. They are rounded up to seconds, of which the
    /// kernel counts 2^31 - 1 at most.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        let up = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
        let linger = linger.map(|time| Duration::from_secs(up(time.min(LINGER_MAX))));
        self.options().set_linger(linger)
    }

    /// What a close does with unsent data.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.options().linger()
    }

    /// Probes the connection while it is idle, so that a peer which vanished is
    /// found out.
    ///
    /// # Errors
    ///
    /// The kernel's.
    ///
    /// # Example
    ///
    /// ```
    /// # wakeline_net::testing::block_on(async {
    /// # let (stream, _peer) = wakeline_net::testing::tcp_pair().await?;
    /// use std::time::Duration;
    /// use wakeline_net::tcp::TcpKeepalive;
    ///
    /// stream.set_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(60)))?;
    /// assert!(stream.keepalive()?);
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_keepalive(&self, keepalive: &TcpKeepalive) -> io::Result<()> {
        self.options().set_tcp_keepalive(keepalive)
    }

    /// Whether the connection is probed while it is idle.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn keepalive(&self) -> io::Result<bool> {
        self.options().keepalive()
    }

    /// Sets the time to live of what is sent over IPv4, in hops.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.options().set_ttl_v4(ttl)
    }

    /// The time to live of what is sent over IPv4, in hops.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.options().ttl_v4()
    }

    /// Takes the error that waits on the socket, if any.
    ///
    /// # Errors
    ///
    /// The kernel's, of the asking.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.options().take_error()
    }

    /// Takes a connected stream of std, and makes it non-blocking.
    ///
    /// Its options stay as they are, `TCP_NODELAY` too.
    ///
    /// # Errors
    ///
    /// When the mode cannot be set.
    pub fn from_std(stream: net::TcpStream) -> io::Result<TcpStream> {
        stream.set_nonblocking(true)?;
        sys::count_received(&stream);
        Ok(TcpStream::new(stream.into()))
    }

    /// Gives a stream of std, blocking again.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be given back, or the mode not be set.
    pub fn into_std(self) -> io::Result<net::TcpStream> {
        self.inner.into_blocking().map(net::TcpStream::from)
    }
}

read_methods!([] TcpStream, stream, "# let (stream, mut peer) = wakeline_net::testing::tcp_pair().await?;");
write_methods!([] TcpStream, stream, "# let (stream, peer) = wakeline_net::testing::tcp_pair().await?;");
impl_async_read!([] TcpStream, stream);
impl_async_write!([] TcpStream, stream);
impl_async_read!([] & TcpStream, stream);
impl_async_write!([] & TcpStream, stream);

halves!(
    TcpStream,
    "# let (stream, mut peer) = wakeline_net::testing::tcp_pair().await?;"
);
read_methods!([] ReadHalf<'_>, stream, "# let (mut stream, mut peer) = wakeline_net::testing::tcp_pair().await?;\n# let (stream, _writer) = stream.split();");
read_methods!([] OwnedReadHalf, stream, "# let (stream, mut peer) = wakeline_net::testing::tcp_pair().await?;\n# let (stream, _writer) = stream.into_split();");
write_methods!([] WriteHalf<'_>, stream, "# let (stream, mut peer) = wakeline_net::testing::tcp_pair().await?;\n# let (_reader, peer) = peer.split();");
write_methods!([] OwnedWriteHalf, stream, "# let (stream, peer) = wakeline_net::testing::tcp_pair().await?;\n# let (_reader, peer) = peer.into_split();");

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        self.inner.as_fd().as_raw_fd()
    }
}
