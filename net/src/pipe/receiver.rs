//! The reading end of a pipe.

use super::{End, check};
use crate::error::Context as ErrorContext;
use crate::methods::impl_async_read;
use crate::stream::{Read, ReadPooled, ReadVectored, Readable, Stream};
use crate::sys::Family;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// The reading end of a pipe, from [`pipe`](super::pipe()) or
/// [`OpenOptions::open_receiver`](super::OpenOptions::open_receiver).
///
/// Its methods take `&self`: several tasks may read, and each byte goes to one
/// of them. Dropping it closes this end; writers then get `BrokenPipe`.
///
/// # Example
///
/// ```
/// use wakeline_net::io::AsyncReadExt;
/// use wakeline_net::pipe::Receiver;
///
/// # wakeline_net::testing::block_on(async {
/// // Any pipe will do: here one of std, whose writer blocks.
/// let (reading, mut writing) = std::io::pipe()?;
/// let mut receiver = Receiver::from_owned_fd(reading.into())?;
/// std::io::Write::write_all(&mut writing, b"hello")?;
/// drop(writing);
/// let mut all = Vec::new();
/// receiver.read_to_end(&mut all).await?;
/// assert_eq!(all, b"hello");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Receiver {
    inner: Stream,
}

impl Receiver {
    /// Takes a non-blocking descriptor.
    pub(crate) fn new(fd: OwnedFd, family: Family) -> Receiver {
        let inner = Stream::new(fd, family);
        Receiver { inner }
    }

    #[inline]
    pub(crate) fn stream(&self) -> &Stream {
        &self.inner
    }

    /// Takes the reading end of a pipe, and makes its description non-blocking.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is no pipe, or cannot be read from; the descriptor
    /// is closed then.
    ///
    /// # Example
    ///
    /// See [`Receiver`].
    pub fn from_owned_fd(fd: OwnedFd) -> io::Result<Receiver> {
        check(&fd, End::Reading)
            .map_err(|source| ErrorContext::wrap("take the reading end of a pipe", source))?;
        Receiver::from_owned_fd_unchecked(fd)
    }

    /// The same without a look at what it is.
    ///
    /// If it is no pipe, reads may be errors or wait for ever.
    ///
    /// # Errors
    ///
    /// When the mode cannot be set.
    pub fn from_owned_fd_unchecked(fd: OwnedFd) -> io::Result<Receiver> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Receiver::new(fd, Family::ForeignPipe))
    }

    /// Gives the descriptor back, in blocking mode: what a child process wants
    /// to inherit.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be given back, or the mode not be set.
    ///
    /// # Example
    ///
    /// ```
    /// # wakeline_net::testing::block_on(async {
    /// use std::io::Read;
    ///
    /// let (sender, receiver) = wakeline_net::pipe::pipe()?;
    /// sender.write(b"hello").await?;
    /// let mut blocking = std::fs::File::from(receiver.into_blocking_fd()?);
    /// assert_eq!(blocking.read(&mut [0; 8])?, 5);
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
        self.inner.into_blocking()
    }

    /// Gives the descriptor back as it is, non-blocking.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be given back.
    pub fn into_nonblocking_fd(self) -> io::Result<OwnedFd> {
        self.inner.into_nonblocking()
    }

    /// Reads into `buf` and tells how many bytes came; 0 when every writer is
    /// gone, or for an empty `buf`.
    ///
    /// On a FIFO that nobody has opened for writing yet, it waits for somebody.
    ///
    /// # Errors
    ///
    /// The kernel's, untouched.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: a byte is taken only by the poll that
    /// returns it.
    ///
    /// # Example
    ///
    /// ```
    /// # wakeline_net::testing::block_on(async {
    /// let (sender, receiver) = wakeline_net::pipe::pipe()?;
    /// sender.write(b"hello").await?;
    /// let mut buf = [0; 16];
    /// let n = receiver.read(&mut buf).await?;
    /// assert_eq!(&buf[..n], b"hello");
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a> {
        self.inner.read(buf)
    }

    /// Reads into several buffers in order, as one call.
    ///
    /// # Errors
    ///
    /// The kernel's, untouched.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn read_vectored<'a>(&'a self, bufs: &'a mut [IoSliceMut<'a>]) -> ReadVectored<'a> {
        self.inner.read_vectored(bufs)
    }

    /// Waits for data, borrows a buffer for it, and reads; an empty buffer is
    /// the end. While it waits it holds no buffer.
    ///
    /// # Errors
    ///
    /// The kernel's, untouched.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Example
    ///
    /// See [`pipe`](super::pipe()).
    #[track_caller]
    pub fn read_pooled(&self) -> ReadPooled<'_> {
        self.inner.read_pooled()
    }

    /// Waits until a `try_read` is worth it; a hint, as somebody else may be
    /// faster. At the end of the pipe it is ready at once, again and again.
    ///
    /// # Errors
    ///
    /// When the pipe cannot be watched.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn readable(&self) -> Readable<'_> {
        self.inner.readable()
    }

    /// Reads what is there, without waiting.
    ///
    /// A FIFO that no writer has opened yet gives 0, like one at its end: the
    /// kernel does not tell them apart here.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing is there; else the kernel's.
    ///
    /// # Example
    ///
    /// ```
    /// use std::io::ErrorKind;
    ///
    /// let (sender, receiver) = wakeline_net::pipe::pipe()?;
    /// let error = receiver.try_read(&mut [0; 8]).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::WouldBlock);
    /// sender.try_write(b"hello")?;
    /// assert_eq!(receiver.try_read(&mut [0; 8])?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.try_read(buf)
    }

    /// Reads what is there into several buffers, without waiting.
    ///
    /// # Errors
    ///
    /// As of [`try_read`](Receiver::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.inner.try_read_vectored(bufs)
    }
}

impl_async_read!([] Receiver, stream);
impl_async_read!([] & Receiver, stream);

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl AsRawFd for Receiver {
    fn as_raw_fd(&self) -> RawFd {
        self.inner.as_fd().as_raw_fd()
    }
}
