//! From a stream to a stream within the kernel, through a pipe.
//!
//! ```text
//!   from ──splice──▶ [ the pipe of this Splice ] ──splice──▶ to
//!                       held bytes
//!
//!   Empty ──1──▶ Holding ──2──▶ Empty ──3──▶ Done
//! ```
//! 1 `fill`   some bytes came from `from`: they are in the pipe
//! 2 `drain`  `to` has taken the last of them
//! 3 `fill`   `from` has ended
//!
//! Bytes are taken from `from` before `to` can take them, so a future that is
//! dropped in between leaves some in the pipe. The pipe belongs to the
//! [`Splice`], not to the future: the next one begins with them.
//!
//! A splice of TCP stops at urgent data and never goes past it: at the mark it
//! says "nothing now", or "the end" if that has come, whatever lies behind. Only
//! a receive passes the mark; so there [`fill`](Splice::fill) does one, and puts
//! what it gives into the pipe.

use crate::pipe;
use crate::sys::{Family, receive_plain, retry};
use crate::{TcpStream, UnixStream};
use rustix::pipe::{SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size};
use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_context::Kind;
use wakeline_reactor::{Direction, Done, Ready, Source};

/// Two turns of a pipe of 64 KiB cost more calls and wake-ups than one of this.
const PIPE_BYTES: usize = 256 << 10;

/// What an empty pipe takes as a whole, however small it is: `PIPE_BUF`.
const WHOLE_BYTES: usize = 4096;

mod sealed {
    pub trait Sealed {
        #[doc(hidden)]
        fn source(&self) -> &wakeline_reactor::Source;
        #[doc(hidden)]
        fn has_marks(&self) -> bool;
    }
}

macro_rules! spliced {
    ($($type:ty: $($side:ident)+;)*) => { $(
        impl sealed::Sealed for $type {
            fn source(&self) -> &Source {
                self.stream().source()
            }

            fn has_marks(&self) -> bool {
                self.stream().family() == Family::Tcp
            }
        }
        $(impl $side for $type {})+
    )* };
}

/// What the kernel can splice from: our streams, and the reading end of a pipe.
pub trait SpliceFrom: sealed::Sealed {}

/// What the kernel can splice to: our streams, and the writing end of a pipe.
pub trait SpliceTo: sealed::Sealed {}

spliced! {
    TcpStream: SpliceFrom SpliceTo;
    UnixStream: SpliceFrom SpliceTo;
    pipe::Receiver: SpliceFrom;
    pipe::Sender: SpliceTo;
}

/// Moves bytes between streams without copying them into this process.
///
/// It holds a pipe (256 KiB, two descriptors), so it is for few streams with
/// much in them. [`copy`](crate::io::copy()) is what takes any reader and writer,
/// and what is better for small messages, which cost two calls more here.
///
/// # Cancellation
///
/// A dropped copy loses nothing: what was taken from the one and not yet given
/// to the other stays in the [`Splice`], [`held`](Splice::held) of it, and is
/// what the next copy gives first. Dropping the `Splice` drops it.
///
/// # Example
///
/// ```
/// use wakeline_net::UnixStream;
/// use wakeline_net::io::{AsyncReadExt, AsyncWriteExt, Splice};
///
/// # wakeline_net::testing::block_on(async {
/// let (mut client, front) = UnixStream::pair()?;
/// let (mut back, mut server) = UnixStream::pair()?;
/// client.write_all(b"hello").await?;
/// client.close().await?;
///
/// let copied = Splice::new()?.copy(&front, &back).await?;
/// back.close().await?; // as `io::copy`, it leaves that to you
/// assert_eq!(copied, 5);
/// let mut text = String::new();
/// server.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Splice {
    reading: OwnedFd,
    writing: OwnedFd,
    capacity: usize,
    /// In the pipe.
    held: usize,
    /// Received behind an urgent mark, and not yet in the pipe.
    passed: Vec<u8>,
}

impl Splice {
    /// Makes the pipe, for 256 KiB.
    ///
    /// # Errors
    ///
    /// The kernel's, with what to try.
    pub fn new() -> io::Result<Splice> {
        Splice::with_capacity(PIPE_BYTES)
    }

    /// Makes a pipe for `bytes`, or what the machine grants: large pipes of a
    /// user are limited in size (`fs.pipe-max-size`, 1 MiB) and in sum
    /// (`fs.pipe-user-pages-soft`, 64 MiB), and a small one does too.
    ///
    /// The larger, the less a byte costs, and the later the first one comes
    /// where both ends are busy.
    ///
    /// # Errors
    ///
    /// The kernel's, with what to try.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::io::Splice;
    ///
    /// let splice = Splice::with_capacity(64 << 10)?;
    /// assert_eq!((splice.capacity(), splice.held()), (64 << 10, 0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn with_capacity(bytes: usize) -> io::Result<Splice> {
        let (reading, writing) = pipe::new_pair()?;
        let capacity = match fcntl_setpipe_size(&writing, bytes) {
            Ok(capacity) => capacity,
            Err(_) => fcntl_getpipe_size(&writing)?,
        };
        Ok(Splice {
            reading,
            writing,
            capacity,
            held: 0,
            passed: Vec::new(),
        })
    }

    /// Bytes that the pipe has room for, if they come in whole pages.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes that were taken from a stream and not yet given to another.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held + self.passed.len()
    }

    /// Moves what is held, and then what comes from `from`, to `to`, until
    /// `from` ends; tells how many bytes that was. It closes nothing.
    ///
    /// # Errors
    ///
    /// The kernel's, untouched: `InvalidInput` where it cannot splice. What is
    /// held then stays held.
    ///
    /// `BrokenPipe` when nobody reads `to` any more. The kernel raises `SIGPIPE`
    /// then too, and unlike a write to a socket a splice cannot forbid it: every
    /// Rust program ignores that signal from its start, but one that restores its
    /// default, or a library in a program of another language, is ended by it.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: call `copy` again.
    ///
    /// # Example
    ///
    /// See [`Splice`].
    #[track_caller]
    pub fn copy<'a>(
        &'a mut self,
        from: &'a impl SpliceFrom,
        to: &'a impl SpliceTo,
    ) -> SpliceInto<'a> {
        let location = Location::caller();
        let has_marks = from.has_marks();
        let (from, to) = (from.source(), to.source());
        SpliceInto {
            splice: self,
            has_marks,
            readable: from.ready(Direction::Read, Kind::Read, location),
            writable: to.ready(Direction::Write, Kind::Write, location),
            from,
            to,
            moved: 0,
        }
    }

    fn fill(&mut self, from: BorrowedFd<'_>, has_marks: bool) -> io::Result<Done<usize>> {
        let filled = splice(from, &self.writing, self.capacity);
        let nothing = match &filled {
            Ok(n) => *n == 0,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        let at_mark = nothing && has_marks && wakeline_reactor::is_at_mark(from);
        let filled = if at_mark {
            self.pass_mark(from)
        } else {
            filled
        };
        filled.map(Done::Full)
    }

    /// Takes over some of what is behind an urgent mark; the pipe is empty.
    #[cold]
    fn pass_mark(&mut self, from: BorrowedFd<'_>) -> io::Result<usize> {
        let mut buf = [0; WHOLE_BYTES];
        let n = receive_plain(from, &mut buf)?;
        // Kept here until the pipe has it, for which there may be no memory.
        self.passed.extend_from_slice(&buf[..n]);
        self.hand_on_passed()
    }

    /// Moves what passed a mark into the pipe, which is empty, and tells how much that is.
    fn hand_on_passed(&mut self) -> io::Result<usize> {
        if !self.passed.is_empty() {
            retry(|| rustix::io::write(&self.writing, &self.passed))?;
        }
        Ok(std::mem::take(&mut self.passed).len())
    }

    fn drain(&self, to: BorrowedFd<'_>) -> io::Result<Done<usize>> {
        splice(&self.reading, to, self.held).map(Done::Full)
    }
}

/// The pipe's side never blocks and is never what is waited for: it is filled
/// only when it is empty, and drained only of what it holds.
fn splice(
    from: impl std::os::fd::AsFd,
    to: impl std::os::fd::AsFd,
    most: usize,
) -> io::Result<usize> {
    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    retry(|| rustix::pipe::splice(&from, None, &to, None, most, flags))
}

/// The future of [`Splice::copy`].
#[must_use = "futures do nothing unless awaited"]
pub struct SpliceInto<'a> {
    splice: &'a mut Splice,
    has_marks: bool,
    readable: Ready<'a>,
    writable: Ready<'a>,
    from: &'a Source,
    to: &'a Source,
    moved: u64,
}

impl SpliceInto<'_> {
    /// How many bytes this copy has given to `to` so far.
    #[must_use]
    pub fn moved(&self) -> u64 {
        self.moved
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(Pin::new(&mut self.readable).poll(cx))?;
            let (splice, has_marks) = (&mut self.splice, self.has_marks);
            let fill = |fd: BorrowedFd<'_>| splice.fill(fd, has_marks);
            match self.from.try_io(Direction::Read, fill) {
                // `try_io` has noted it, so `Ready` waits now.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(Pin::new(&mut self.writable).poll(cx))?;
            let splice = &self.splice;
            match self.to.try_io(Direction::Write, |fd| splice.drain(fd)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl Future for SpliceInto<'_> {
    type Output = io::Result<u64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            if this.splice.held == 0 {
                this.splice.held = match this.splice.hand_on_passed()? {
                    0 => ready!(this.poll_fill(cx))?,
                    n => n,
                };
                if this.splice.held == 0 {
                    return Poll::Ready(Ok(this.moved));
                }
            }
            match ready!(this.poll_drain(cx))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => {
                    this.splice.held -= n;
                    this.moved += n as u64;
                }
            }
        }
    }
}

impl fmt::Debug for SpliceInto<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpliceInto")
            .field("splice", self.splice)
            .field("moved", &self.moved)
            .finish_non_exhaustive()
    }
}
