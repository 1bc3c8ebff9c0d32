//! A buffered writer: many small writes become few large ones.

use futures_io::{AsyncRead, AsyncWrite};
use std::io::{self, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

const DEFAULT_CAPACITY: usize = 8 << 10;

/// Gathers writes, and hands them on when the buffer is full or flushed.
///
/// Dropping it loses what is buffered: `flush` or `close` first.
///
/// # Example
///
/// ```
/// use wakeline_net::io::{AsyncWriteExt, BufWriter};
///
/// # wakeline_net::testing::block_on(async {
/// # let (stream, peer) = wakeline_net::testing::tcp_pair().await?;
/// let mut writer = BufWriter::new(peer);
/// writer.write_all(b"head ").await?;
/// writer.write_all(b"body").await?;
/// writer.flush().await?; // one segment
/// assert_eq!(&stream.read_pooled().await?[..], b"head body");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct BufWriter<W> {
    inner: W,
    buf: Vec<u8>,
    /// How much of `buf` is handed on already.
    written: usize,
    capacity: usize,
}

impl<W> BufWriter<W> {
    /// Buffers up to 8 KiB for `inner`.
    #[must_use]
    pub fn new(inner: W) -> BufWriter<W> {
        BufWriter::with_capacity(DEFAULT_CAPACITY, inner)
    }

    /// Buffers up to `capacity` bytes for `inner`.
    #[must_use]
    pub fn with_capacity(capacity: usize, inner: W) -> BufWriter<W> {
        BufWriter {
            inner,
            buf: Vec::new(),
            written: 0,
            capacity,
        }
    }

    /// What is buffered and not yet handed on.
    #[must_use]
    pub fn buffer(&self) -> &[u8] {
        &self.buf[self.written..]
    }

    /// The writer inside. Writing to it goes past the buffer.
    #[must_use]
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    /// The writer inside. Writing to it goes past the buffer.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// The writer inside; what is buffered is lost.
    #[must_use]
    pub fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: AsyncWrite + Unpin> BufWriter<W> {
    /// Hands everything on. What was handed on stays so when it is dropped.
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.buf.len() {
            let rest = &self.buf[self.written..];
            match ready!(Pin::new(&mut self.inner).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.written += n,
            }
        }
        self.buf.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for BufWriter<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.buf.len() + buf.len() > this.capacity {
            ready!(this.poll_empty(cx))?;
        }
        if buf.len() >= this.capacity {
            return Pin::new(&mut this.inner).poll_write(cx, buf);
        }
        this.buf.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

/// Reading goes through to the inside.
impl<W: AsyncRead + Unpin> AsyncRead for BufWriter<W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_read_vectored(cx, bufs)
    }
}
