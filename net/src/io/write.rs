//! [`AsyncWriteExt`]: what can be done with anything that writes.

use super::parked_at;
use futures_io::AsyncWrite;
use std::io::{self, IoSlice};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use wakeline_context::Kind;

/// Writing for everything that is [`AsyncWrite`].
///
/// # Example
///
/// ```
/// use wakeline_net::io::{AsyncReadExt, AsyncWriteExt};
///
/// # wakeline_net::testing::block_on(async {
/// # let (mut stream, mut peer) = wakeline_net::testing::tcp_pair().await?;
/// peer.write_all(b"hello").await?;
/// peer.flush().await?; // nothing to do for a socket, but for a `BufWriter`
/// peer.close().await?; // the end of this side; the other goes on
/// let mut text = String::new();
/// assert_eq!(stream.read_to_string(&mut text).await?, 5);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait AsyncWriteExt: AsyncWrite {
    /// Writes from `buf` and tells how many bytes were taken.
    ///
    /// # Errors
    ///
    /// The writer's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has written nothing; but for a
    /// [`fs::File`](crate::fs::File), which says there what it does.
    #[track_caller]
    fn write<'a>(&'a mut self, buf: &'a [u8]) -> Write<'a, Self>
    where
        Self: Unpin,
    {
        Write {
            writer: self,
            buf,
            location: Location::caller(),
        }
    }

    /// Writes from several buffers, in order.
    ///
    /// # Errors
    ///
    /// The writer's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has written nothing; but for a
    /// [`fs::File`](crate::fs::File), which says there what it does.
    #[track_caller]
    fn write_vectored<'a>(&'a mut self, bufs: &'a [IoSlice<'a>]) -> WriteVectored<'a, Self>
    where
        Self: Unpin,
    {
        WriteVectored {
            writer: self,
            bufs,
            location: Location::caller(),
        }
    }

    /// Writes all of `buf`.
    ///
    /// # Errors
    ///
    /// `WriteZero` if the writer takes no more; else its own. A part of `buf`
    /// may have been written.
    ///
    /// # Cancellation
    ///
    /// A part of `buf` may have been written, and nobody tells how much: end
    /// the connection then. It never mixes with a later write.
    #[track_caller]
    fn write_all<'a>(&'a mut self, buf: &'a [u8]) -> WriteAll<'a, Self>
    where
        Self: Unpin,
    {
        WriteAll {
            writer: self,
            buf,
            location: Location::caller(),
        }
    }

    /// Hands everything that is buffered to the layer below.
    ///
    /// # Errors
    ///
    /// The writer's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing; another call goes on.
    #[track_caller]
    fn flush(&mut self) -> Flush<'_, Self>
    where
        Self: Unpin,
    {
        Flush {
            writer: self,
            location: Location::caller(),
        }
    }

    /// Flushes, and ends the writing side.
    ///
    /// # Errors
    ///
    /// The writer's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing; another call goes on.
    #[track_caller]
    fn close(&mut self) -> Close<'_, Self>
    where
        Self: Unpin,
    {
        Close {
            writer: self,
            location: Location::caller(),
        }
    }
}

impl<W: AsyncWrite + ?Sized> AsyncWriteExt for W {}

/// The future of [`AsyncWriteExt::write`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Write<'a, W: ?Sized> {
    writer: &'a mut W,
    buf: &'a [u8],
    location: &'static Location<'static>,
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for Write<'_, W> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let poll = Pin::new(&mut *this.writer).poll_write(cx, this.buf);
        if poll.is_pending() {
            parked_at(Kind::Write, this.location);
        }
        poll
    }
}

/// The future of [`AsyncWriteExt::write_vectored`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct WriteVectored<'a, W: ?Sized> {
    writer: &'a mut W,
    bufs: &'a [IoSlice<'a>],
    location: &'static Location<'static>,
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for WriteVectored<'_, W> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let poll = Pin::new(&mut *this.writer).poll_write_vectored(cx, this.bufs);
        if poll.is_pending() {
            parked_at(Kind::Write, this.location);
        }
        poll
    }
}

/// The future of [`AsyncWriteExt::write_all`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct WriteAll<'a, W: ?Sized> {
    writer: &'a mut W,
    /// What is left to be written.
    buf: &'a [u8],
    location: &'static Location<'static>,
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for WriteAll<'_, W> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while !this.buf.is_empty() {
            match Pin::new(&mut *this.writer).poll_write(cx, this.buf) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => this.buf = &this.buf[n..],
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    parked_at(Kind::Write, this.location);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The future of [`AsyncWriteExt::flush`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Flush<'a, W: ?Sized> {
    writer: &'a mut W,
    location: &'static Location<'static>,
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for Flush<'_, W> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let poll = Pin::new(&mut *this.writer).poll_flush(cx);
        if poll.is_pending() {
            parked_at(Kind::Write, this.location);
        }
        poll
    }
}

/// The future of [`AsyncWriteExt::close`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Close<'a, W: ?Sized> {
    writer: &'a mut W,
    location: &'static Location<'static>,
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for Close<'_, W> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let poll = Pin::new(&mut *this.writer).poll_close(cx);
        if poll.is_pending() {
            parked_at(Kind::Write, this.location);
        }
        poll
    }
}
