//! A Unix stream.

use super::addr;
use super::pace::Pace;
use crate::error::{self, Context as ErrorContext};
use crate::halves::halves;
use crate::methods::{impl_async_read, impl_async_write, read_methods, write_methods};
use crate::stream::Stream;
use crate::sys::{Family, retry};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{self, SocketAddr};
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, waiting_on};

/// A connection between two processes of this machine, or within one.
///
/// # Example
///
/// ```
/// use wakeline_net::UnixStream;
///
/// # wakeline_net::testing::block_on(async {
/// let (a, b) = UnixStream::pair()?;
/// a.write(b"hello").await?;
/// let mut buf = [0; 8];
/// let n = b.read(&mut buf).await?;
/// assert_eq!(&buf[..n], b"hello");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct UnixStream {
    inner: Stream,
}

/// Who is at the other end, as the kernel saw it when the connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCred {
    /// The process; `None` if it cannot be named here, as from another
    /// namespace. The number may be reused when that process has ended.
    pub pid: Option<i32>,
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl UnixStream {
    pub(crate) fn new(fd: OwnedFd) -> UnixStream {
        let inner = Stream::new(fd, Family::Unix);
        UnixStream { inner }
    }

    #[inline]
    pub(crate) fn stream(&self) -> &Stream {
        &self.inner
    }

    /// Two ends of a new connection.
    ///
    /// # Errors
    ///
    /// The kernel's, with what to try.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (a, b) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
        .map_err(|errno| {
            let hint = error::limits(Some(errno));
            ErrorContext::with_hint("make a pair of Unix streams", hint, errno.into())
        })?;
        Ok((UnixStream::new(a), UnixStream::new(b)))
    }

    /// Connects to the listener at `path`.
    ///
    /// If as many connections wait there as the listener allows, this one waits
    /// too.
    ///
    /// # Errors
    ///
    /// An error that names the path: `NotFound` if nothing is there,
    /// `ConnectionRefused` if nobody listens any more.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes what was begun; it can be tried again.
    #[track_caller]
    pub fn connect(path: impl AsRef<Path>) -> Connect {
        Connect::new(addr::of_path("connect", path.as_ref()))
    }

    /// Connects to the listener at `addr`, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// As of [`connect`](UnixStream::connect).
    ///
    /// # Cancellation
    ///
    /// As of [`connect`](UnixStream::connect).
    #[track_caller]
    pub fn connect_addr(addr: &SocketAddr) -> Connect {
        Connect::new(Ok(addr.clone()))
    }

    /// Ends one side, or both: the peer reads the end of the stream.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.shutdown(how)
    }

    /// Our end's address; unnamed for most clients.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        addr::to_std(Some(rustix::net::getsockname(&self.inner)?))
    }

    /// The peer's address; unnamed for most clients.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        addr::to_std(rustix::net::getpeername(&self.inner)?)
    }

    /// Who is at the other end.
    ///
    /// # Errors
    ///
    /// The kernel's.
    ///
    /// # Example
    ///
    /// ```
    /// # use wakeline_net::UnixStream;
    /// let (a, _b) = UnixStream::pair()?;
    /// let me = i32::try_from(std::process::id()).ok();
    /// assert_eq!(a.peer_cred()?.pid, me);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peer_cred(&self) -> io::Result<PeerCred> {
        let (pid, uid, gid) = wakeline_reactor::peer_credentials(self.as_fd())?;
        Ok(PeerCred {
            pid: (pid != 0).then_some(pid),
            uid,
            gid,
        })
    }

    /// Takes the error that waits on the socket, if any.
    ///
    /// # Errors
    ///
    /// The kernel's, of the asking.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        socket2::SockRef::from(&self.inner).take_error()
    }

    /// Takes a stream of std, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// When the mode cannot be set.
    pub fn from_std(stream: net::UnixStream) -> io::Result<UnixStream> {
        stream.set_nonblocking(true)?;
        Ok(UnixStream::new(stream.into()))
    }

    /// Gives a stream of std, blocking again.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be given back, or the mode not be set.
    pub fn into_std(self) -> io::Result<net::UnixStream> {
        self.inner.into_blocking().map(net::UnixStream::from)
    }
}

read_methods!([] UnixStream, stream, "# let (stream, mut peer) = wakeline_net::testing::unix_pair().await?;");
write_methods!([] UnixStream, stream, "# let (stream, peer) = wakeline_net::testing::unix_pair().await?;");
impl_async_read!([] UnixStream, stream);
impl_async_write!([] UnixStream, stream);
impl_async_read!([] & UnixStream, stream);
impl_async_write!([] & UnixStream, stream);

halves!(
    UnixStream,
    "# let (stream, mut peer) = wakeline_net::testing::unix_pair().await?;"
);
read_methods!([] ReadHalf<'_>, stream, "# let (mut stream, mut peer) = wakeline_net::testing::unix_pair().await?;\n# let (stream, _writer) = stream.split();");
read_methods!([] OwnedReadHalf, stream, "# let (stream, mut peer) = wakeline_net::testing::unix_pair().await?;\n# let (stream, _writer) = stream.into_split();");
write_methods!([] WriteHalf<'_>, stream, "# let (stream, mut peer) = wakeline_net::testing::unix_pair().await?;\n# let (_reader, peer) = peer.split();");
write_methods!([] OwnedWriteHalf, stream, "# let (stream, peer) = wakeline_net::testing::unix_pair().await?;\n# let (_reader, peer) = peer.into_split();");

impl AsFd for UnixStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl AsRawFd for UnixStream {
    fn as_raw_fd(&self) -> RawFd {
        self.inner.as_fd().as_raw_fd()
    }
}

/// The future of [`UnixStream::connect`].
///
/// A Unix connect is over at once, but for one case: while the listener's queue
/// is full, it is tried again, 1 to 50 ms later; there is no event to wait for.
#[must_use = "futures do nothing unless awaited"]
pub struct Connect {
    /// The address, or why there is none; taken by the poll that tells it.
    addr: Result<SocketAddr, Option<io::Error>>,
    socket: Option<OwnedFd>,
    pace: Pace,
    location: &'static Location<'static>,
}

impl Connect {
    #[track_caller]
    fn new(addr: io::Result<SocketAddr>) -> Connect {
        Connect {
            addr: addr.map_err(Some),
            socket: None,
            pace: Pace::default(),
            location: Location::caller(),
        }
    }

    fn poll_connect(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        let to = match &mut self.addr {
            Ok(addr) => addr::from_std(addr)?,
            Err(error) => {
                let error = error
                    .take()
                    .expect("a connect was polled after it was ready");
                return Poll::Ready(Err(error));
            }
        };
        let socket = match &self.socket {
            Some(socket) => socket,
            None => self.socket.insert(rustix::net::socket_with(
                AddressFamily::UNIX,
                SocketType::STREAM,
                SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
                None,
            )?),
        };
        let attempt = || retry(|| rustix::net::connect(socket, &to));
        ready!(self.pace.poll(cx, attempt))?;
        let socket = self.socket.take().expect("it was made above");
        Poll::Ready(Ok(UnixStream::new(socket)))
    }

    fn explain(&self, source: io::Error) -> io::Error {
        let doing = match &self.addr {
            Ok(addr) => format!("connect {}", addr::name(addr)),
            Err(_) => return source, // it says so already
        };
        let errno = Errno::from_io_error(&source);
        let hint = match errno {
            Some(Errno::NOENT) => Some("there is no such path: is the server running?"),
            Some(Errno::CONNREFUSED) => Some("nobody listens there any more, or it is no socket"),
            Some(Errno::ACCESS) => Some("its mode or that of a directory above forbids it"),
            other => error::limits(other),
        };
        ErrorContext::with_hint(doing, hint, source)
    }
}

impl Future for Connect {
    type Output = io::Result<UnixStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.poll_connect(cx) {
            Poll::Ready(result) => Poll::Ready(result.map_err(|error| self.explain(error))),
            Poll::Pending => {
                waiting_on(Kind::Connect, 0, self.location);
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}
