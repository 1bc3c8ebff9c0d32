//! The writing end of a pipe.

use super::{End, check, closed};
use crate::error::Context as ErrorContext;
use crate::stream::{Stream, Writable, Write, WriteVectored};
use crate::sys::Family;
use futures_io::AsyncWrite;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The writing end of a pipe, from [`pipe`](super::pipe()) or
/// [`OpenOptions::open_sender`](super::OpenOptions::open_sender).
///
/// Its methods take `&self`: several tasks may write, and what each writes by
/// one call of at most [`PIPE_BUF`](super::PIPE_BUF) bytes stays in one piece.
/// Dropping it, or [`close`](crate::io::AsyncWriteExt::close), is the end that
/// the reader sees after the last byte. A close cannot fail; after it the
/// descriptor, as [`AsFd`] gives it, is that of a pipe without a reader.
///
/// # Example
///
/// ```
/// use std::io::ErrorKind;
/// use wakeline_net::io::AsyncWriteExt;
///
/// # wakeline_net::testing::block_on(async {
/// let (mut sender, receiver) = wakeline_net::pipe::pipe()?;
/// sender.write_all(b"hello").await?;
/// sender.close().await?;
/// assert_eq!(&receiver.read_pooled().await?[..], b"hello");
/// assert!(receiver.read_pooled().await?.is_empty(), "the end");
///
/// let error = sender.write_all(b"more").await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::BrokenPipe);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Sender {
    /// `None` after a close.
    inner: Option<Stream>,
}

impl Sender {
    /// Takes a non-blocking descriptor.
    pub(crate) fn new(fd: OwnedFd, family: Family) -> io::Result<Sender> {
        closed::prepare()?;
        let inner = Some(Stream::new(fd, family));
        Ok(Sender { inner })
    }

    #[inline]
    pub(crate) fn stream(&self) -> &Stream {
        self.inner.as_ref().unwrap_or_else(|| closed::stream())
    }

    /// Takes the writing end of a pipe, and makes its description non-blocking.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is no pipe, or cannot be written to; the descriptor
    /// is closed then.
    ///
    /// # Example
    ///
    /// ```
    /// use std::io::Read;
    /// use wakeline_net::pipe::Sender;
    ///
    /// # wakeline_net::testing::block_on(async {
    /// let (mut reading, writing) = std::io::pipe()?;
    /// let sender = Sender::from_owned_fd(writing.into())?;
    /// sender.write(b"hello").await?;
    /// assert_eq!(reading.read(&mut [0; 8])?, 5);
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_owned_fd(fd: OwnedFd) -> io::Result<Sender> {
        check(&fd, End::Writing)
            .map_err(|source| ErrorContext::wrap("take the writing end of a pipe", source))?;
        Sender::from_owned_fd_unchecked(fd)
    }

    /// The same without a look at what it is.
    ///
    /// If it is no pipe, writes may be errors or wait for ever.
    ///
    /// # Errors
    ///
    /// When the mode cannot be set, or descriptors have run out.
    pub fn from_owned_fd_unchecked(fd: OwnedFd) -> io::Result<Sender> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Sender::new(fd, Family::ForeignPipe)
    }

    /// Gives the descriptor back, in blocking mode: what a child process wants
    /// to inherit.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be given back, or the mode not be set.
    pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
        let fd = self.into_nonblocking_fd()?;
        rustix::io::ioctl_fionbio(&fd, false)?;
        Ok(fd)
    }

    /// Gives the descriptor back as it is, non-blocking.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be given back.
    pub fn into_nonblocking_fd(self) -> io::Result<OwnedFd> {
        match self.inner {
            Some(inner) => inner.into_nonblocking(),
            // One of its own: whoever has it may change its mode.
            None => Ok(super::new_pair()?.1),
        }
    }

    /// Writes from `buf` and tells how many bytes the pipe took: all, if they
    /// are at most [`PIPE_BUF`](super::PIPE_BUF), and then in one piece; maybe
    /// fewer of more.
    ///
    /// # Errors
    ///
    /// The kernel's, untouched: `BrokenPipe` if the last reader is gone.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has written nothing.
    ///
    /// # Example
    ///
    /// ```
    /// # wakeline_net::testing::block_on(async {
    /// let (sender, receiver) = wakeline_net::pipe::pipe()?;
    /// assert_eq!(sender.write(b"hello").await?, 5);
    /// drop(receiver);
    /// let error = sender.write(b"anybody?").await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> Write<'a> {
        self.stream().write(buf)
    }

    /// Writes from several buffers in order, as one call; at most 1,024 of them.
    ///
    /// # Errors
    ///
    /// As of [`write`](Sender::write).
    ///
    /// # Cancellation
    ///
    /// As of [`write`](Sender::write).
    #[track_caller]
    pub fn write_vectored<'a>(&'a self, bufs: &'a [IoSlice<'a>]) -> WriteVectored<'a> {
        self.stream().write_vectored(bufs)
    }

    /// Waits until a `try_write` is worth it; a hint. It is also ready when the
    /// last reader is gone.
    ///
    /// # Errors
    ///
    /// When the pipe cannot be watched.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn writable(&self) -> Writable<'_> {
        self.stream().writable()
    }

    /// Writes what the pipe takes at once, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if it takes nothing, which for at most
    /// [`PIPE_BUF`](super::PIPE_BUF) bytes is when it cannot take them all;
    /// else the kernel's.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.stream().try_write(buf)
    }

    /// Writes from several buffers what the pipe takes at once.
    ///
    /// # Errors
    ///
    /// As of [`try_write`](Sender::try_write).
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream().try_write_vectored(bufs)
    }
}

/// A flush has nothing to do, as nothing is buffered here; a close is the end
/// that the reader sees.
///
/// There is none for `&Sender`, which could not be closed.
impl AsyncWrite for Sender {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner = None;
        Poll::Ready(Ok(()))
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream().as_fd()
    }
}

impl AsRawFd for Sender {
    fn as_raw_fd(&self) -> RawFd {
        self.stream().as_fd().as_raw_fd()
    }
}
