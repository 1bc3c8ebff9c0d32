//! A descriptor that futures wait for: the one place where `WouldBlock` is met.
//!
//! ```text
//!  net                 Source::drive                 driver, in a turn
//!  ───                 ─────────────                 ─────────────────
//!  read future ──────▶ READY? ──yes──▶ op(fd) ─┬─▶ Full, Short: done
//!                        │ no                  └─▶ WouldBlock: clear READY
//!                        ▼                              │
//!                      list the waker ◀─────────────────┘
//!                      arm, if nobody watches ─────▶ watch the descriptor
//!                      Pending                       event: bits, wakers
//! ```
//!
//! Nothing is registered when a source is made. The first wait arms it on the
//! reactor of the thread that waits, one direction at a time. The event may be
//! delivered on any thread's turn.

mod ahead;
mod futures;
mod seen;
mod wait;

pub use futures::{Io, Ready};
pub use seen::Seen;

use crate::accepts::Accepts;
use crate::reactor::Core;
use crate::remote::Home;
use crate::slots::Key;
use crate::state::{Direction, State};
use crate::sys::process_generation;
use crate::waiters::Who;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use wakeline_context::Kind;

/// Where a direction is watched.
#[derive(Clone, Debug)]
pub(crate) struct Armed {
    pub(crate) home: Arc<Home>,
    pub(crate) key: Key,
}

impl Armed {
    pub(crate) fn is(&self, home: u64, key: Key) -> bool {
        self.home.id == home && self.key == key
    }
}

/// What the `Source` and the drivers that watch it share. The descriptor is in
/// here, so it stays open until the last driver has let go (invariant 1).
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) fd: OwnedFd,
    pub(crate) state: State<Armed>,
    /// Somebody waited for a connection: the close must free the address at once.
    pub(crate) listens: AtomicBool,
    /// That of the process that has made it; what is below 2^16 of it, which takes no room.
    generation: u16,
    /// Connections accepted ahead, if that was asked for.
    pub(crate) accepts: OnceLock<Accepts>,
}

impl Shared {
    pub(crate) fn new(fd: OwnedFd) -> Shared {
        Shared {
            fd,
            state: State::new(),
            listens: AtomicBool::new(false),
            generation: process_generation() as u16,
            accepts: OnceLock::new(),
        }
    }
}

/// What a try of an operation came to, if it was not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done<T> {
    /// The kernel may have more: try again before waiting.
    Full(T),
    /// There is no more just now. That the kernel gave less than was asked for
    /// proves it for pipes; for sockets it takes more: see [`recv_counted`].
    ///
    /// [`recv_counted`]: crate::recv_counted
    Short(T),
}

/// A non-blocking descriptor that futures can wait for.
///
/// It is `Send` and `Sync`; any number of futures may wait for it, from any
/// threads that have a reactor. Dropping it stops the watch and closes the
/// descriptor, under io_uring when the kernel has confirmed the stop, at the
/// latest in the next turn of the reactor that watched it; but not before the end of a
/// [`Deputy`](crate::Deputy)'s look at it that is under way.
///
/// # Example
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::fd::OwnedFd;
/// use std::os::unix::net::UnixStream;
/// use std::task::{Context, Poll, Waker};
/// use wakeline_reactor::{Config, Direction, Done, Reactor, Source};
///
/// let (here, mut there) = UnixStream::pair()?;
/// here.set_nonblocking(true)?;
/// let source = Source::new(OwnedFd::from(here));
///
/// let reactor = Reactor::new(&Config::default())?;
/// let _entered = reactor.enter();
/// let mut cx = Context::from_waker(Waker::noop());
/// let mut read = |cx: &mut Context<'_>| {
///     source.poll_io(cx, Direction::Read, |fd| {
///         let mut byte = [0];
///         let n = std::fs::File::from(fd.try_clone_to_owned()?).read(&mut byte)?;
///         Ok(Done::Full((n, byte[0])))
///     })
/// };
/// assert!(read(&mut cx).is_pending());
/// there.write_all(b"x")?;
/// let (n, byte) = loop {
///     reactor.turn(None)?;
///     if let Poll::Ready(result) = read(&mut cx) {
///         break result?;
///     }
/// };
/// assert_eq!((n, byte), (1, b'x'));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Source {
    shared: Arc<Shared>,
}

impl Source {
    /// Takes `fd`, which must be in non-blocking mode; nothing is registered yet.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Source {
        Source {
            shared: Arc::new(Shared::new(fd)),
        }
    }

    /// Stops the watch and gives the descriptor back.
    ///
    /// Where a watch must still end in the kernel or on another thread, the
    /// result is a duplicate: the same socket under a different number.
    ///
    /// # Errors
    ///
    /// When such a duplicate cannot be made; the descriptor is closed then.
    ///
    /// # Example
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doc.rs")); }
    /// # use doc::block_on;
    /// use std::io::Write;
    /// use std::os::fd::OwnedFd;
    /// use std::os::unix::net::UnixStream;
    /// use wakeline_reactor::Source;
    ///
    /// let (here, _there) = UnixStream::pair()?;
    /// here.set_nonblocking(true)?;
    /// let source = Source::new(OwnedFd::from(here));
    /// let mut here = UnixStream::from(source.into_fd()?);
    /// here.write_all(b"still open")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_fd(self) -> io::Result<OwnedFd> {
        let shared = Arc::clone(&self.shared);
        drop(self);
        match Arc::try_unwrap(shared) {
            Ok(shared) => Ok(shared.fd),
            Err(shared) => shared.fd.try_clone(),
        }
    }

    /// Tries `op` as soon as it may succeed; for the `poll_` traits.
    ///
    /// There is one waker a direction: that of the last call counts. `op` gets
    /// the descriptor and must not block; when it says `WouldBlock`, the waker
    /// is listed and the result is `Pending`.
    ///
    /// # Errors
    ///
    /// What `op` returned, except `WouldBlock` and `Interrupted`; an error of
    /// arming the descriptor; [`NoRuntime`](crate::NoRuntime) when it must be
    /// armed on a thread without a reactor.
    #[track_caller]
    pub fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        op: impl FnMut(BorrowedFd<'_>) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        let kind = match direction {
            Direction::Read => Kind::Read,
            Direction::Write => Kind::Write,
        };
        self.drive(cx, direction, &mut Who::Slot, kind, Location::caller(), op)
    }

    /// A future that tries `op` until it does not say `WouldBlock`.
    ///
    /// Any number of these may wait at the same time; an event wakes them all.
    ///
    /// # Errors
    ///
    /// As of [`poll_io`](Source::poll_io).
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: only the poll that returns a result
    /// has called `op` with success.
    ///
    /// # Example
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doc.rs")); }
    /// # use doc::block_on;
    /// use std::net::{TcpListener, TcpStream};
    /// use std::os::fd::OwnedFd;
    /// use std::panic::Location;
    /// use wakeline_context::Kind;
    /// use wakeline_reactor::{Config, Direction, Done, Reactor, Source};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// listener.set_nonblocking(true)?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// let source = Source::new(OwnedFd::from(listener.try_clone()?));
    /// let accept = source.io(Direction::Read, Kind::Accept, Location::caller(), |_fd| {
    ///     Ok(Done::Full(listener.accept()?))
    /// });
    /// let reactor = Reactor::new(&Config::default())?;
    /// let (_connection, peer) = block_on(&reactor, accept)??;
    /// assert_eq!(peer, client.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn io<T, F>(
        &self,
        direction: Direction,
        kind: Kind,
        location: &'static Location<'static>,
        op: F,
    ) -> Io<'_, F>
    where
        F: FnMut(BorrowedFd<'_>) -> io::Result<Done<T>> + Unpin,
    {
        if kind == Kind::Accept {
            // Relaxed: read by `release`, which owns the source.
            self.shared.listens.store(true, Ordering::Relaxed);
        }
        Io::new(self.ready(direction, kind, location), op)
    }

    /// A future that ends when a try in `direction` is worth it.
    ///
    /// It is a hint: the try may still meet `WouldBlock`, and must then go
    /// through [`try_io`](Source::try_io), which notes it. Writing is taken to
    /// be possible until a try has found that it is not, so to learn that a
    /// connect is over, use [`io`](Source::io) with an `op` that can tell.
    ///
    /// # Errors
    ///
    /// An error of arming the descriptor, as of [`poll_io`](Source::poll_io).
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Example
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doc.rs")); }
    /// # use doc::block_on;
    /// use std::os::fd::OwnedFd;
    /// use std::os::unix::net::UnixDatagram;
    /// use std::panic::Location;
    /// use wakeline_context::Kind;
    /// use wakeline_reactor::{Config, Direction, Done, Reactor, Source};
    ///
    /// let (here, there) = UnixDatagram::pair()?;
    /// here.set_nonblocking(true)?;
    /// let source = Source::new(OwnedFd::from(here.try_clone()?));
    /// there.send(b"hello")?;
    /// let reactor = Reactor::new(&Config::default())?;
    /// block_on(&reactor, source.ready(Direction::Read, Kind::Read, Location::caller()))??;
    /// let n = source.try_io(Direction::Read, |_fd| Ok(Done::Full(here.recv(&mut [0; 16])?)))?;
    /// assert_eq!(n, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn ready(
        &self,
        direction: Direction,
        kind: Kind,
        location: &'static Location<'static>,
    ) -> Ready<'_> {
        Ready::new(self, direction, kind, location)
    }

    /// Calls `op` at once if a try is known to be worth it.
    ///
    /// # Errors
    ///
    /// `WouldBlock` without calling `op` if nothing is known to be possible;
    /// else what `op` returned.
    ///
    /// # Example
    ///
    /// See [`ready`](Source::ready).
    pub fn try_io<T>(
        &self,
        direction: Direction,
        mut op: impl FnMut(BorrowedFd<'_>) -> io::Result<Done<T>>,
    ) -> io::Result<T> {
        let readiness = self.shared.state.readiness(direction);
        let seen = readiness.look();
        if !seen.is_ready() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.attempt(readiness, seen, &mut op)
    }

    /// What an operation on this descriptor holds, so that it stays open.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn id(&self) -> u64 {
        self.as_raw_fd() as u64
    }

    /// Whether a fork has copied it into this process.
    fn is_inherited(&self) -> bool {
        self.shared.generation != process_generation() as u16
    }

    /// Ends every watch; the drivers that must still talk to the kernel about
    /// it hold the descriptor until then.
    fn release(&self) {
        let mut wakers = Vec::new();
        let [read, write] = (self.shared.state).release(&mut wakers, || self.is_inherited());
        // epoll may watch both directions by one registration.
        let same = matches!((&read, &write), (Some(r), Some(w)) if w.is(r.home.id, r.key));
        // Relaxed: this is the only owner, and its writes are its own.
        let at_once = self.shared.listens.load(Ordering::Relaxed);
        for armed in [read, write.filter(|_| !same)].into_iter().flatten() {
            Core::release(&armed, at_once);
        }
        drop(wakers); // at last: it is foreign code, and may panic
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.release();
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.fd.as_fd()
    }
}

impl AsRawFd for Source {
    fn as_raw_fd(&self) -> RawFd {
        self.shared.fd.as_raw_fd()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("fd", &self.as_raw_fd())
            .finish_non_exhaustive()
    }
}
