//! From a reader to a writer until the end, one way or both ways.
//!
//! ```text
//!   Reading ──bytes──▶ Writing ──all written──▶ Reading
//!      │ end
//!      ▼
//!   Ending: flush, or close ──▶ Done
//! ```
//!
//! The buffer comes from the pool when there is something to be read, and goes
//! back when it is written: a copy that waits for its peer holds none.

use super::parked_at;
use super::pool::{self, PooledBuf, SizeHint};
use futures_io::{AsyncRead, AsyncWrite};
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, budget};

/// Copies from `reader` to `writer` until the end, flushes, and tells how many
/// bytes that was.
///
/// Both go in by value: pass `&stream` or `&mut stream` to keep them. For much
/// between two streams of ours, [`Splice`](super::Splice) costs less.
///
/// # Errors
///
/// The reader's or the writer's; `WriteZero` if the writer takes no more.
///
/// # Cancellation
///
/// What was read and not yet written is lost, at most one buffer of 64 KiB.
///
/// # Example
///
/// ```
/// use wakeline_net::io::{self, AsyncWriteExt};
///
/// # wakeline_net::testing::block_on(async {
/// # let (stream, mut peer) = wakeline_net::testing::tcp_pair().await?;
/// peer.write_all(b"hello").await?;
/// peer.close().await?;
/// let copied = io::copy(&stream, &stream).await?; // an echo
/// assert_eq!(copied, 5);
/// assert_eq!(&peer.read_pooled().await?[..], b"hello");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn copy<R, W>(reader: R, writer: W) -> Copy<R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    Copy {
        reader,
        writer,
        transfer: Transfer::new(End::Flush),
        location: Location::caller(),
    }
}

/// Copies between two streams, both ways, until both have ended; tells how many
/// bytes went from `a` to `b` and from `b` to `a`.
///
/// When one side ends, the writing side of the other is closed, and its
/// direction goes on: half a connection stays half a connection.
///
/// # Errors
///
/// The first error of either direction. One of a reader ends both; when a writer takes
/// no more, what comes from that side is handed on to its end before that is told: a
/// server may have answered before it closed on what it did not want to read.
///
/// # Cancellation
///
/// What was read and not yet written is lost, at most one buffer a direction.
///
/// # Example
///
/// ```
/// use wakeline_net::UnixStream;
/// use wakeline_net::io::{self, AsyncWriteExt};
///
/// # wakeline_net::testing::block_on(async {
/// let (mut client, mut front) = UnixStream::pair()?;
/// let (mut back, mut server) = UnixStream::pair()?;
/// client.write_all(b"question").await?;
/// client.close().await?;
/// server.write_all(b"yes").await?;
/// server.close().await?;
/// let moved = io::copy_bidirectional(&mut front, &mut back).await?;
/// assert_eq!(moved, (8, 3));
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn copy_bidirectional<'a, A, B>(a: &'a mut A, b: &'a mut B) -> CopyBidirectional<'a, A, B>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    CopyBidirectional {
        a,
        b,
        there: Transfer::new(End::Close),
        back: Transfer::new(End::Close),
        failed: None,
        back_first: true,
        location: Location::caller(),
    }
}

/// What the writer gets after the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Flush,
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Reading while `buf` is empty, writing while it is not.
    Moving,
    Ending,
    Done,
}

/// One direction.
#[derive(Debug)]
struct Transfer {
    state: State,
    end: End,
    buf: PooledBuf,
    hint: SizeHint,
    /// Something was written since the last flush.
    unflushed: bool,
    moved: u64,
}

impl Transfer {
    fn new(end: End) -> Transfer {
        Transfer {
            state: State::Moving,
            end,
            buf: PooledBuf::none(),
            hint: SizeHint::default(),
            unflushed: false,
            moved: 0,
        }
    }

    /// Moves what can be moved; ready with the number of bytes at the end, also
    /// when it is asked again.
    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        loop {
            match self.state {
                State::Moving if self.buf.is_empty() => {
                    // Given back at once: the reader may spend some and be pending.
                    ready!(budget::poll_proceed(cx)).refund();
                    if ready!(self.poll_read(cx, reader, writer))? == 0 {
                        self.state = State::Ending;
                    }
                    // Streams that know no budget must not keep the thread.
                    if !budget::is_spent()
                        && let Poll::Ready(unit) = budget::poll_proceed(cx)
                    {
                        unit.spend();
                    }
                }
                State::Moving => ready!(self.poll_write(cx, writer))?,
                State::Ending => {
                    let writer = Pin::new(&mut *writer);
                    ready!(match self.end {
                        End::Flush => writer.poll_flush(cx),
                        End::Close => writer.poll_close(cx),
                    })?;
                    self.state = State::Done;
                }
                State::Done => return Poll::Ready(Ok(self.moved)),
            }
        }
    }

    fn poll_read<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<usize>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        let class = self.hint.get();
        let mut buf = pool::take(class);
        // No more than that: a pipe holds 64 KiB, and a rest would wait for it.
        let space = &mut buf.space()[..class.bytes()];
        let Poll::Ready(n) = Pin::new(reader).poll_read(cx, space) else {
            drop(buf);
            // The peer may wait for what a buffering writer holds back.
            if self.unflushed
                && let Poll::Ready(flushed) = Pin::new(writer).poll_flush(cx)
            {
                self.unflushed = false;
                if let Err(error) = flushed {
                    self.state = State::Ending; // the writer's, not the reader's
                    return Poll::Ready(Err(error));
                }
            }
            return Poll::Pending;
        };
        let n = n?;
        self.hint.learn(n);
        if n > 0 {
            buf.advance(n);
            self.buf = buf;
        }
        Poll::Ready(Ok(n))
    }

    fn poll_write<W>(&mut self, cx: &mut Context<'_>, writer: &mut W) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin + ?Sized,
    {
        let n = ready!(Pin::new(writer).poll_write(cx, &self.buf))?;
        if n == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.buf.consume(n);
        self.moved += n as u64;
        self.unflushed = true;
        if self.buf.is_empty() {
            self.buf = PooledBuf::none();
        }
        Poll::Ready(Ok(()))
    }

    /// After an error of the writer this direction is over. The first one is told.
    fn or_over(
        &mut self,
        poll: Poll<io::Result<u64>>,
        failed: &mut Option<io::Error>,
    ) -> Poll<io::Result<u64>> {
        let Poll::Ready(Err(error)) = poll else {
            return poll;
        };
        if self.waits_for() == Kind::Read {
            return Poll::Ready(Err(failed.take().unwrap_or(error)));
        }
        self.state = State::Done;
        self.buf = PooledBuf::none();
        failed.get_or_insert(error);
        Poll::Ready(Ok(self.moved))
    }

    fn waits_for(&self) -> Kind {
        if self.state == State::Moving && self.buf.is_empty() {
            Kind::Read
        } else {
            Kind::Write
        }
    }
}

/// The future of [`copy()`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Copy<R, W> {
    reader: R,
    writer: W,
    transfer: Transfer,
    location: &'static Location<'static>,
}

impl<R, W> Copy<R, W> {
    /// How many bytes have been written so far.
    ///
    /// # Example
    ///
    /// ```
    /// let copy = wakeline_net::io::copy(&b"hello"[..], Vec::new());
    /// assert_eq!(copy.copied(), 0);
    /// ```
    #[must_use]
    pub fn copied(&self) -> u64 {
        self.transfer.moved
    }
}

impl<R, W> Future for Copy<R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    type Output = io::Result<u64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let poll = this.transfer.poll(cx, &mut this.reader, &mut this.writer);
        if poll.is_pending() {
            parked_at(this.transfer.waits_for(), this.location);
        }
        poll
    }
}

/// The future of [`copy_bidirectional`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct CopyBidirectional<'a, A: ?Sized, B: ?Sized> {
    a: &'a mut A,
    b: &'a mut B,
    there: Transfer,
    back: Transfer,
    /// Of a writer; the other direction goes on.
    failed: Option<io::Error>,
    back_first: bool,
    location: &'static Location<'static>,
}

impl<A: ?Sized, B: ?Sized> CopyBidirectional<'_, A, B> {
    /// How many bytes have been written so far, from `a` to `b` and from `b` to
    /// `a`: to see whether anything moves, or what an abandoned copy has done.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::UnixStream;
    /// use wakeline_net::io;
    ///
    /// let (mut front, mut back) = UnixStream::pair()?;
    /// let copy = io::copy_bidirectional(&mut front, &mut back);
    /// assert_eq!(copy.moved(), (0, 0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn moved(&self) -> (u64, u64) {
        (self.there.moved, self.back.moved)
    }
}

impl<A, B> Future for CopyBidirectional<'_, A, B>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    type Output = io::Result<(u64, u64)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (mut there, mut back) = (Poll::Pending, Poll::Pending);
        // Each poll begins with the other one: a direction that is always ready uses up the
        // budget, and would leave nothing to the one behind it.
        this.back_first = !this.back_first;
        for is_back in [this.back_first, !this.back_first] {
            if is_back {
                let poll = this.back.poll(cx, this.b, this.a);
                back = this.back.or_over(poll, &mut this.failed)?;
            } else {
                let poll = this.there.poll(cx, this.a, this.b);
                there = this.there.or_over(poll, &mut this.failed)?;
            }
        }
        match (there, back) {
            (Poll::Ready(there), Poll::Ready(back)) => {
                Poll::Ready(this.failed.take().map_or(Ok((there, back)), Err))
            }
            (there, _) => {
                let waiting = if there.is_pending() {
                    &this.there
                } else {
                    &this.back
                };
                parked_at(waiting.waits_for(), this.location);
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests;
