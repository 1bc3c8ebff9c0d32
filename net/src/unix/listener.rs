//! A Unix listener, and the path that it leaves behind.
//!
//! Binding makes a file; closing does not remove it. So a server that was
//! killed finds its own old file at the next start, and a plain bind fails:
//!
//! ```text
//!   bind ──▶ in use ──▶ is it a socket? ──no──▶ error: some other file
//!                        │ yes
//!                        ▼
//!                       connect ──works──▶ error: a server is running
//!                        │ refused: nobody has it open any more
//!                        ▼
//!                       unlink, bind again
//! ```
//! [`UnixListener::bind`] only says so; [`UnixListener::bind_replacing_stale`]
//! does it. Between the connect and the unlink another server may start at the
//! same path: two servers that start at the same moment need a lock file.

use super::stream::UnixStream;
use super::{addr, stale};
use crate::error::{self, Context as ErrorContext};
use crate::leaf::{Leaf, Operation, named_future, try_now};
use crate::sys;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{self, SocketAddr};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};
use wakeline_context::Kind;
use wakeline_reactor::{Direction, Done, Source};

const BACKLOG: i32 = 4096;

/// Accepts connections at a path or an abstract name.
///
/// # Example
///
/// ```
/// use std::os::linux::net::SocketAddrExt;
/// use std::os::unix::net::SocketAddr;
/// use wakeline_net::{UnixListener, UnixStream};
///
/// # wakeline_net::testing::block_on(async {
/// let name = format!("wakeline-doc-{}", std::process::id());
/// let addr = SocketAddr::from_abstract_name(name)?;
/// let listener = UnixListener::bind_addr(&addr)?;
/// let client = UnixStream::connect_addr(&addr).await?;
/// let (server, _) = listener.accept().await?;
/// client.write(b"x").await?;
/// assert_eq!(server.read(&mut [0; 8]).await?, 1);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct UnixListener {
    source: Source,
    unlink: Option<Bound>,
}

/// The file that the bind made, to be known again when it is removed.
#[derive(Debug)]
struct Bound {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl UnixListener {
    /// Listens at `path`, where nothing may be yet.
    ///
    /// The file stays when the listener is dropped, unless
    /// [`unlink_on_drop`](UnixListener::unlink_on_drop) is set.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, saying what to try, if something is there; else an error
    /// that names the path.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&addr::of_path("bind", path.as_ref())?)
    }

    /// Listens at `addr`, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// As of [`bind`](UnixListener::bind).
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<UnixListener> {
        listen(addr).map_err(|source| {
            let errno = Errno::from_io_error(&source);
            let hint = match errno {
                Some(Errno::ADDRINUSE) if addr.as_pathname().is_some() => Some(
                    "the path exists: stop the server that has it, or, if it was left over, remove it or use bind_replacing_stale",
                ),
                Some(Errno::ADDRINUSE) => Some("another socket has this name: stop its program"),
                Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => {
                    Some("its directory must exist and be writable")
                }
                Some(Errno::NOENT) => Some("its directory does not exist"),
                other => error::limits(other),
            };
            ErrorContext::with_hint(format!("bind {}", addr::name(addr)), hint, source)
        })
    }

    /// Listens at `path`, after removing a socket there that no server has any
    /// more.
    ///
    /// Only a socket that refuses connections is removed, never another file
    /// and never the socket of a server that runs; to such a server the attempt
    /// is a connection that ends at once. Of two servers that start at the same
    /// moment one may remove the other's: where that can be, keep a lock of your own.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if a server runs there or something else is there; else as
    /// of [`bind`](UnixListener::bind).
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::UnixListener;
    ///
    /// let path = std::env::temp_dir().join(format!("wakeline-doc-{}.sock", std::process::id()));
    /// drop(UnixListener::bind(&path)?); // a server that was killed leaves its path
    /// assert!(UnixListener::bind(&path).is_err());
    /// let mut listener = UnixListener::bind_replacing_stale(&path)?;
    /// listener.unlink_on_drop(true)?;
    /// drop(listener);
    /// assert!(!path.exists());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind_replacing_stale(path: impl AsRef<Path>) -> io::Result<UnixListener> {
        let path = path.as_ref();
        match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => stale::clear(path)?,
            bound => return bound,
        }
        UnixListener::bind(path)
    }

    /// Whether dropping the listener removes its path: only if that is still
    /// the file which this listener made. A killed process removes nothing.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a listener without a path; else when the path cannot
    /// be looked at.
    pub fn unlink_on_drop(&mut self, unlink: bool) -> io::Result<()> {
        self.unlink = None;
        if !unlink {
            return Ok(());
        }
        let addr = self.local_addr()?;
        let path = addr.as_pathname().ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "this listener has no path")
        })?;
        let path = std::path::absolute(path)?;
        let found = std::fs::symlink_metadata(&path)
            .map_err(|source| ErrorContext::wrap(format!("look at {}", path.display()), source))?;
        self.unlink = Some(Bound {
            path,
            device: found.dev(),
            inode: found.ino(),
        });
        Ok(())
    }

    fn new(fd: OwnedFd) -> UnixListener {
        let source = Source::new(fd);
        // As in `TcpListener::new`: its address is to be freed at once.
        drop(source.io(
            Direction::Read,
            Kind::Accept,
            Location::caller(),
            sys::accept,
        ));
        UnixListener {
            source,
            unlink: None,
        }
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    ///
    /// The kernel's, untouched.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no connection.
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
    /// As of [`accept`](UnixListener::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        let op = |fd: BorrowedFd<'_>| accept(&self.source, fd);
        self.source.poll_io(cx, Direction::Read, op)
    }

    /// Takes a connection if one waits.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if none does; else the kernel's.
    pub fn try_accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        try_now(&self.source, Direction::Read, |fd| {
            match accept(&self.source, fd) {
                // What the kernel accepts ahead comes with a turn of the reactor.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => take(sys::accept(fd)?),
                result => result,
            }
        })
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
    pub fn accept_ahead(&self, bound: usize) {
        self.source.accept_ahead(bound);
    }

    /// The address it listens at.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        addr::to_std(Some(rustix::net::getsockname(&self.source)?))
    }

    /// Takes the error that waits on the socket, if any.
    ///
    /// # Errors
    ///
    /// The kernel's, of the asking.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        socket2::SockRef::from(&self.source).take_error()
    }

    /// Takes a listener of std, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// When the mode cannot be set.
    pub fn from_std(listener: net::UnixListener) -> io::Result<UnixListener> {
        listener.set_nonblocking(true)?;
        Ok(UnixListener::new(listener.into()))
    }

    /// Gives a listener of std, blocking again; its path is not removed.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be duplicated, or the mode not be set.
    pub fn into_std(mut self) -> io::Result<net::UnixListener> {
        self.unlink = None;
        let listener = net::UnixListener::from(self.source.as_fd().try_clone_to_owned()?);
        listener.set_nonblocking(false)?;
        Ok(listener)
    }
}

impl Drop for UnixListener {
    fn drop(&mut self) {
        let Some(bound) = self.unlink.take() else {
            return;
        };
        let ours = std::fs::symlink_metadata(&bound.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (bound.device, bound.inode));
        if ours {
            // Nobody is left to be told; the next start tells it if it matters.
            let _ = std::fs::remove_file(&bound.path);
        }
    }
}

fn listen(addr: &SocketAddr) -> io::Result<UnixListener> {
    let socket = socket()?;
    rustix::net::bind(&socket, &addr::from_std(addr)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(UnixListener::new(socket))
}

pub(super) fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    Ok(socket)
}

fn accept(source: &Source, fd: BorrowedFd<'_>) -> io::Result<Done<(UnixStream, SocketAddr)>> {
    take(sys::accept_of(source, fd)?)
}

fn take(accepted: Done<sys::Accepted>) -> io::Result<Done<(UnixStream, SocketAddr)>> {
    let (Done::Full((fd, peer)) | Done::Short((fd, peer))) = accepted;
    Ok(Done::Full((UnixStream::new(fd), addr::of_peer(peer)?)))
}

#[derive(Debug)]
pub(crate) struct AcceptOp<'a>(&'a Source);

impl Operation for AcceptOp<'_> {
    type Output = (UnixStream, SocketAddr);

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<Self::Output>> {
        accept(self.0, fd)
    }
}

named_future! {
    /// The future of [`UnixListener::accept`]: a stream and its peer's address.
    Accept, AcceptOp<'a>, (UnixStream, SocketAddr)
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl AsRawFd for UnixListener {
    fn as_raw_fd(&self) -> RawFd {
        self.source.as_raw_fd()
    }
}
