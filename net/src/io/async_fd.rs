//! Descriptors that this crate does not know: whatever poll(2) can wait for.
//!
//! ```text
//!   AsyncFd<T> ── T ── the descriptor ──────┐
//!       └─ Source ── a duplicate of it ─────┴─▶ one open file description
//!
//!   readable() ──▶ Guard ──try_io──▶ your call on T ──▶ WouldBlock: the guard
//!                    notes it, unless an event came since the guard was made
//! ```
//!
//! The reactor owns what it watches until the kernel has let go of it, and `T`
//! is not its own: so it watches a duplicate. That costs one descriptor more,
//! and means that what `T` closes by itself stays open underneath until the
//! `AsyncFd` is dropped.

mod guard;

pub use guard::{Guard, ReadyGuard, TryIoError};

use crate::error::{self, Context as ErrorContext};
use crate::sys;
use rustix::event::epoll;
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::ops::BitOr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::task::{Context, Poll};
use wakeline_context::Kind;
use wakeline_reactor::{Direction, Done, Source};

/// What may be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    read: bool,
    write: bool,
}

impl Interest {
    /// That there is something to be read, or the end.
    pub const READABLE: Interest = Interest {
        read: true,
        write: false,
    };
    /// That there is room for writing.
    pub const WRITABLE: Interest = Interest {
        read: false,
        write: true,
    };
    /// Each of the two by itself.
    pub const BOTH: Interest = Interest {
        read: true,
        write: true,
    };

    fn includes(self, direction: Direction) -> bool {
        match direction {
            Direction::Read => self.read,
            Direction::Write => self.write,
        }
    }

    /// The direction of one try; `BOTH` has none.
    fn direction(self) -> io::Result<Direction> {
        match (self.read, self.write) {
            (true, false) => Ok(Direction::Read),
            (false, true) => Ok(Direction::Write),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "one try is in one direction: give READABLE or WRITABLE",
            )),
        }
    }
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        Interest {
            read: self.read || other.read,
            write: self.write || other.write,
        }
    }
}

/// Any descriptor that can be polled, with readiness to wait for: an inotify,
/// a timerfd, an eventfd, a device, the socket of a C library.
///
/// It does no I/O by itself. Wait by [`readable`](AsyncFd::readable), then try
/// by the guard that comes out; or give [`async_io`](AsyncFd::async_io) the
/// call. The descriptor must be in non-blocking mode, which is not looked at:
/// on one that blocks, a try may hold up the thread.
///
/// It watches a duplicate of the descriptor, taken when it is made. So it must
/// be made anew if `T` gets another descriptor. One that is closed behind its
/// back is an error of the next call on it (`EBADF`), while the waits go on for
/// the file itself, so they see a peer's end.
///
/// # Example
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use wakeline_net::io::{AsyncFd, Interest};
///
/// # wakeline_net::testing::block_on(async {
/// let (here, mut there) = UnixStream::pair()?;
/// here.set_nonblocking(true)?;
/// let here = AsyncFd::new(here)?;
/// there.write_all(b"hello")?;
///
/// let mut buf = [0; 16];
/// let n = loop {
///     let mut guard = here.readable().await?;
///     match guard.try_io(|here| here.get_ref().read(&mut buf)) {
///         Ok(result) => break result?,
///         Err(_would_block) => continue, // somebody else was faster
///     }
/// };
/// assert_eq!(&buf[..n], b"hello");
///
/// // The same in one step:
/// there.write_all(b"again")?;
/// let n = here.async_io(Interest::READABLE, |mut here| here.read(&mut buf)).await?;
/// assert_eq!(&buf[..n], b"again");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct AsyncFd<T> {
    // The watch ends before the descriptor closes: fields drop in this order.
    source: Source,
    interest: Interest,
    inner: T,
}

impl<T: AsFd> AsyncFd<T> {
    /// Watches both directions of `inner`, from the first wait on.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for what cannot be polled: regular files, directories,
    /// `/dev/null`; else when the descriptor is closed or cannot be duplicated.
    pub fn new(inner: T) -> io::Result<AsyncFd<T>> {
        AsyncFd::with_interest(inner, Interest::BOTH)
    }

    /// Watches what `interest` says; to wait for the rest is an error.
    ///
    /// # Errors
    ///
    /// As of [`new`](AsyncFd::new).
    pub fn with_interest(inner: T, interest: Interest) -> io::Result<AsyncFd<T>> {
        let duplicate = ensure_pollable(inner.as_fd())
            .and_then(|()| inner.as_fd().try_clone_to_owned())
            .map_err(|source| explain(inner.as_fd(), source))?;
        Ok(AsyncFd {
            source: Source::new(duplicate),
            interest,
            inner,
        })
    }
}

impl<T> AsyncFd<T> {
    /// What is watched.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// The same, to be changed; not into another descriptor.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// Ends the watch and gives back what was watched.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.inner
    }

    /// Waits until reading is worth a try.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if reading is not among the interests; else when the
    /// descriptor cannot be watched.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Example
    ///
    /// See [`AsyncFd`].
    #[track_caller]
    pub fn readable(&self) -> ReadyGuard<'_, T> {
        ReadyGuard::new(self, Direction::Read, Location::caller())
    }

    /// Waits until writing is worth a try.
    ///
    /// # Errors
    ///
    /// As of [`readable`](AsyncFd::readable).
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn writable(&self) -> ReadyGuard<'_, T> {
        ReadyGuard::new(self, Direction::Write, Location::caller())
    }

    /// The same as [`readable`](AsyncFd::readable), with the one waker of
    /// `poll_` callers.
    ///
    /// # Errors
    ///
    /// As of [`readable`](AsyncFd::readable).
    #[track_caller]
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Guard<'_, T>>> {
        self.poll_ready(cx, Direction::Read)
    }

    /// The same as [`writable`](AsyncFd::writable), with the one waker of
    /// `poll_` callers.
    ///
    /// # Errors
    ///
    /// As of [`readable`](AsyncFd::readable).
    #[track_caller]
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Guard<'_, T>>> {
        self.poll_ready(cx, Direction::Write)
    }

    #[track_caller]
    fn poll_ready(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<Guard<'_, T>>> {
        self.check(direction)?;
        let ready = self.source.poll_io(cx, direction, |_| Ok(Done::Full(())));
        ready.map_ok(|()| Guard::new(self, direction))
    }

    /// Calls `f` until it says something else than `WouldBlock`, and waits in
    /// between.
    ///
    /// # Errors
    ///
    /// What `f` returned; `InvalidInput` if `interest` is not one direction, or
    /// not among those that are watched.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: only the poll that returns a result
    /// has called `f` with success.
    ///
    /// # Example
    ///
    /// See [`AsyncFd`].
    #[track_caller]
    pub fn async_io<R>(
        &self,
        interest: Interest,
        mut f: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        let location = Location::caller();
        async move {
            let direction = interest.direction()?;
            self.check(direction)?;
            let kind = kind(direction);
            let op = |_: BorrowedFd<'_>| f(&self.inner).map(Done::Full);
            self.source.io(direction, kind, location, op).await
        }
    }

    /// Calls `f` at once, and notes it if that met `WouldBlock`.
    ///
    /// # Errors
    ///
    /// As of [`async_io`](AsyncFd::async_io), and `WouldBlock`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        f: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let direction = interest.direction()?;
        self.check(direction)?;
        let seen = self.source.seen(direction);
        let result = f(&self.inner);
        if would_block(&result) {
            self.source.clear(direction, seen);
        }
        result
    }

    fn check(&self, direction: Direction) -> io::Result<()> {
        if self.interest.includes(direction) {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "this direction is not watched: name it in `AsyncFd::with_interest`",
        ))
    }
}

fn kind(direction: Direction) -> Kind {
    match direction {
        Direction::Read => Kind::Read,
        Direction::Write => Kind::Write,
    }
}

fn would_block<R>(result: &io::Result<R>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Asks an epoll of its own, on both backends alike: io_uring would take a
/// regular file and call it ready for ever.
pub(crate) fn ensure_pollable(fd: BorrowedFd<'_>) -> io::Result<()> {
    let asked = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let data = epoll::EventData::new_u64(0);
    sys::retry(|| epoll::add(&asked, fd, data, epoll::EventFlags::IN))
}

fn explain(fd: BorrowedFd<'_>, source: io::Error) -> io::Error {
    let doing = format!("watch descriptor {}", fd.as_raw_fd());
    match Errno::from_io_error(&source) {
        Some(Errno::PERM) => {
            let why = "a regular file, a directory or a device like /dev/null cannot be polled, as it is always ready: use `fs::File`, or std's within `spawn_blocking`";
            let source = io::Error::new(io::ErrorKind::InvalidInput, why);
            ErrorContext::wrap(doing, source)
        }
        Some(Errno::BADF) => {
            let hint = Some("it is closed, or was opened by O_PATH");
            ErrorContext::with_hint(doing, hint, source)
        }
        other => ErrorContext::with_hint(doing, error::limits(other), source),
    }
}

impl<T: AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl<T: AsFd> AsRawFd for AsyncFd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.inner.as_fd().as_raw_fd()
    }
}

impl<T: fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFd")
            .field("inner", &self.inner)
            .field("interest", &self.interest)
            .finish_non_exhaustive()
    }
}
