//! What TCP and Unix streams and pipes share: a source, and the futures that
//! read and write it.
//!
//! ```text
//!  stream.read(buf) ──▶ Read ──▶ Leaf ──▶ Source: READY? ──▶ sys::read
//!  poll_read(cx, buf) ───────────────────▶ Source: READY? ──▶ sys::read
//! ```
//!
//! The families differ in what the kernel is asked, `sys::Family`. Any number
//! of named futures may wait in one direction, while the `poll_` methods share
//! one waker a direction, as their traits say.

use crate::io::pool::{PooledBuf, SizeHint};
use crate::leaf::{Leaf, Operation, named_future, try_now};
use crate::sys::{self, Family};
use rustix::net::Shutdown as How;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::Location;
use std::task::{Context, Poll};
use wakeline_context::Kind;
use wakeline_reactor::{Direction, Done, Source};

/// The inside of `TcpStream`, `UnixStream` and the ends of a pipe.
#[derive(Debug)]
pub(crate) struct Stream {
    source: Source,
    family: Family,
    hint: SizeHint,
}

impl Stream {
    /// Takes a connected, non-blocking descriptor.
    pub(crate) fn new(fd: OwnedFd, family: Family) -> Stream {
        Stream::from_source(Source::new(fd), family)
    }

    pub(crate) fn from_source(source: Source, family: Family) -> Stream {
        Stream {
            source,
            family,
            hint: SizeHint::unknown(),
        }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The descriptor, in blocking mode again.
    pub(crate) fn into_blocking(self) -> io::Result<OwnedFd> {
        let fd = self.source.into_fd()?;
        rustix::io::ioctl_fionbio(&fd, false)?;
        Ok(fd)
    }

    /// The descriptor, as it is.
    pub(crate) fn into_nonblocking(self) -> io::Result<OwnedFd> {
        self.source.into_fd()
    }

    /// How to write to it.
    pub(crate) fn family(&self) -> Family {
        self.family
    }

    /// How to read from it now, by what is known before the call.
    #[inline]
    pub(crate) fn reading(&self) -> Family {
        match self.family {
            Family::Tcp if self.source.is_quiet() => Family::QuietTcp,
            family => family,
        }
    }

    #[track_caller]
    pub(crate) fn leaf<O: Operation>(&self, direction: Direction, op: O) -> Leaf<'_, O> {
        let kind = match direction {
            Direction::Read => Kind::Read,
            Direction::Write => Kind::Write,
        };
        Leaf::new(&self.source, direction, kind, Location::caller(), op)
    }

    #[inline]
    #[track_caller]
    pub(crate) fn read<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a> {
        let stream = self;
        Read(self.leaf(Direction::Read, ReadOp { stream, buf }))
    }

    #[track_caller]
    pub(crate) fn read_vectored<'a>(&'a self, bufs: &'a mut [IoSliceMut<'a>]) -> ReadVectored<'a> {
        let stream = self;
        ReadVectored(self.leaf(Direction::Read, ReadVectoredOp { stream, bufs }))
    }

    #[track_caller]
    pub(crate) fn read_pooled(&self) -> ReadPooled<'_> {
        let stream = self;
        ReadPooled(self.leaf(Direction::Read, ReadPooledOp { stream }))
    }

    #[track_caller]
    pub(crate) fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Peek<'a> {
        Peek(self.leaf(Direction::Read, PeekOp { buf }))
    }

    #[inline]
    #[track_caller]
    pub(crate) fn write<'a>(&'a self, buf: &'a [u8]) -> Write<'a> {
        let family = self.family;
        Write(self.leaf(Direction::Write, WriteOp { family, buf }))
    }

    #[track_caller]
    pub(crate) fn write_vectored<'a>(&'a self, bufs: &'a [IoSlice<'a>]) -> WriteVectored<'a> {
        let family = self.family;
        WriteVectored(self.leaf(Direction::Write, WriteVectoredOp { family, bufs }))
    }

    #[track_caller]
    pub(crate) fn readable(&self) -> Readable<'_> {
        Readable(self.leaf(Direction::Read, ReadyOp))
    }

    #[track_caller]
    pub(crate) fn writable(&self) -> Writable<'_> {
        Writable(self.leaf(Direction::Write, ReadyOp))
    }

    pub(crate) fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let op = |fd: BorrowedFd<'_>| sys::read(fd, self.reading(), buf);
        try_now(&self.source, Direction::Read, op)
    }

    pub(crate) fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let op = |fd: BorrowedFd<'_>| sys::read_vectored(fd, self.reading(), bufs);
        try_now(&self.source, Direction::Read, op)
    }

    pub(crate) fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        try_now(&self.source, Direction::Read, |fd| sys::peek(fd, buf))
    }

    pub(crate) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        let op = |fd: BorrowedFd<'_>| sys::write(fd, self.family, buf);
        try_now(&self.source, Direction::Write, op)
    }

    pub(crate) fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let op = |fd: BorrowedFd<'_>| sys::write_vectored(fd, self.family, bufs);
        try_now(&self.source, Direction::Write, op)
    }

    #[inline]
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let op = |fd: BorrowedFd<'_>| sys::read(fd, self.reading(), buf);
        self.source.poll_io(cx, Direction::Read, op)
    }

    pub(crate) fn poll_read_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let op = |fd: BorrowedFd<'_>| sys::read_vectored(fd, self.reading(), bufs);
        self.source.poll_io(cx, Direction::Read, op)
    }

    #[inline]
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let op = |fd: BorrowedFd<'_>| sys::write(fd, self.family, buf);
        self.source.poll_io(cx, Direction::Write, op)
    }

    pub(crate) fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let op = |fd: BorrowedFd<'_>| sys::write_vectored(fd, self.family, bufs);
        self.source.poll_io(cx, Direction::Write, op)
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => How::Read,
            Shutdown::Write => How::Write,
            Shutdown::Both => How::Both,
        };
        rustix::net::shutdown(&self.source, how).map_err(io::Error::from)
    }

    /// Ends the writing side, for `poll_close`: that it has ended already, by
    /// us or by a reset, is no error of a close.
    pub(crate) fn close_write(&self) -> io::Result<()> {
        match self.shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

#[derive(Debug)]
pub(crate) struct ReadOp<'a> {
    stream: &'a Stream,
    buf: &'a mut [u8],
}

impl Operation for ReadOp<'_> {
    type Output = usize;

    fn at_once(&mut self) -> Option<usize> {
        self.buf.is_empty().then_some(0)
    }

    #[inline]
    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<usize>> {
        sys::read(fd, self.stream.reading(), self.buf)
    }
}

named_future! {
    /// The future of a stream's `read`: how many bytes came.
    Read, ReadOp<'a>, usize
}

#[derive(Debug)]
pub(crate) struct ReadVectoredOp<'a> {
    stream: &'a Stream,
    bufs: &'a mut [IoSliceMut<'a>],
}

impl Operation for ReadVectoredOp<'_> {
    type Output = usize;

    fn at_once(&mut self) -> Option<usize> {
        self.bufs.iter().all(|buf| buf.is_empty()).then_some(0)
    }

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<usize>> {
        sys::read_vectored(fd, self.stream.reading(), self.bufs)
    }
}

named_future! {
    /// The future of a stream's `read_vectored`: how many bytes came.
    ReadVectored, ReadVectoredOp<'a>, usize
}

#[derive(Debug)]
pub(crate) struct ReadPooledOp<'a> {
    stream: &'a Stream,
}

impl Operation for ReadPooledOp<'_> {
    type Output = PooledBuf;

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<PooledBuf>> {
        // Borrowed only now: while it waited, nothing was held.
        let hint = &self.stream.hint;
        let mut buf = hint.take();
        let done = sys::read(fd, self.stream.reading(), buf.space())?;
        let (Done::Full(n) | Done::Short(n)) = done;
        buf.advance(n);
        let buf = hint.settle(buf);
        Ok(match done {
            Done::Full(_) => Done::Full(buf),
            Done::Short(_) => Done::Short(buf),
        })
    }
}

named_future! {
    /// The future of a stream's `read_pooled`: a borrowed buffer with what came.
    ReadPooled, ReadPooledOp<'a>, PooledBuf
}

#[derive(Debug)]
pub(crate) struct PeekOp<'a> {
    buf: &'a mut [u8],
}

impl Operation for PeekOp<'_> {
    type Output = usize;

    fn at_once(&mut self) -> Option<usize> {
        self.buf.is_empty().then_some(0)
    }

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<usize>> {
        sys::peek(fd, self.buf)
    }
}

named_future! {
    /// The future of a stream's `peek`: how many bytes are there to be read.
    Peek, PeekOp<'a>, usize
}

#[derive(Debug)]
pub(crate) struct WriteOp<'a> {
    family: Family,
    buf: &'a [u8],
}

impl Operation for WriteOp<'_> {
    type Output = usize;

    #[inline]
    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<usize>> {
        sys::write(fd, self.family, self.buf)
    }
}

named_future! {
    /// The future of a stream's `write`: how many bytes the kernel took.
    Write, WriteOp<'a>, usize
}

#[derive(Debug)]
pub(crate) struct WriteVectoredOp<'a> {
    family: Family,
    bufs: &'a [IoSlice<'a>],
}

impl Operation for WriteVectoredOp<'_> {
    type Output = usize;

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<usize>> {
        sys::write_vectored(fd, self.family, self.bufs)
    }
}

named_future! {
    /// The future of a stream's `write_vectored`: how many bytes the kernel took.
    WriteVectored, WriteVectoredOp<'a>, usize
}

/// Nothing but the wait.
#[derive(Debug)]
pub(crate) struct ReadyOp;

impl Operation for ReadyOp {
    type Output = ();

    fn run(&mut self, _: BorrowedFd<'_>) -> io::Result<Done<()>> {
        Ok(Done::Full(()))
    }
}

named_future! {
    /// The future of a socket's `readable`.
    Readable, ReadyOp, ()
}

named_future! {
    /// The future of a socket's `writable`.
    Writable, ReadyOp, ()
}
