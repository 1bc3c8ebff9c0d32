//! Two halves of any stream that reads and writes.
//!
//! TCP and Unix streams have halves of their own, which need no lock. This is
//! for what wraps them (TLS, compression): one poll at a time, under a lock that
//! is held for that poll and never across one.

use futures_io::{AsyncRead, AsyncWrite};
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// Parts `stream` into a half that reads and one that writes.
///
/// Closing is the writing half's `close`; dropping a half ends nothing.
///
/// # Example
///
/// ```
/// use wakeline_net::UnixStream;
/// use wakeline_net::io::{self, AsyncReadExt, AsyncWriteExt};
///
/// # wakeline_net::testing::block_on(async {
/// let (stream, mut peer) = UnixStream::pair()?;
/// let (mut reader, mut writer) = io::split(stream);
/// writer.write_all(b"ping").await?;
/// let mut buf = [0; 4];
/// AsyncReadExt::read_exact(&mut peer, &mut buf).await?;
/// peer.write_all(b"pong").await?;
/// reader.read_exact(&mut buf).await?;
/// assert_eq!(&buf, b"pong");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn split<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> (ReadHalf<S>, WriteHalf<S>) {
    let shared = Arc::new(Mutex::new(stream));
    (ReadHalf(Arc::clone(&shared)), WriteHalf(shared))
}

/// The half that reads; made by [`split`].
#[derive(Debug)]
pub struct ReadHalf<S>(Arc<Mutex<S>>);

/// The half that writes; made by [`split`].
#[derive(Debug)]
pub struct WriteHalf<S>(Arc<Mutex<S>>);

impl<S> ReadHalf<S> {
    /// Puts the halves together again; `None` if they are not of one stream.
    #[must_use]
    pub fn reunite(self, writer: WriteHalf<S>) -> Option<S> {
        if !Arc::ptr_eq(&self.0, &writer.0) {
            return None;
        }
        drop(writer);
        let stream = Arc::into_inner(self.0)?;
        Some(stream.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A poll that panicked left the stream as the panic left it, which is the
/// stream's business.
fn lock<S>(shared: &Mutex<S>) -> MutexGuard<'_, S> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadHalf<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.0)).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.0)).poll_read_vectored(cx, bufs)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteHalf<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.0)).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.0)).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_close(cx)
    }
}
