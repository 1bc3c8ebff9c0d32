//! [`Take`]: the first bytes of a reader, and then the end.

use futures_io::{AsyncBufRead, AsyncRead};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The reader of [`AsyncReadExt::take`](super::AsyncReadExt::take).
#[derive(Debug)]
#[must_use = "a reader does nothing unless it is read"]
pub struct Take<R> {
    inner: R,
    left: u64,
}

impl<R> Take<R> {
    pub(super) fn new(inner: R, limit: u64) -> Take<R> {
        Take { inner, left: limit }
    }

    /// How many bytes may still come. The reader may end before.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.left
    }

    /// From here on so many bytes may come, whatever came before.
    pub fn set_limit(&mut self, limit: u64) {
        self.left = limit;
    }

    /// The reader inside.
    #[must_use]
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The reader inside; what is read from it is not counted.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The reader, at the byte behind the last that was taken.
    #[must_use]
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// How many of `len` bytes may come now.
    fn cap(&self, len: usize) -> usize {
        usize::try_from(self.left).map_or(len, |left| left.min(len))
    }

    fn count(&mut self, n: usize) {
        let n = n as u64;
        assert!(
            n <= self.left,
            "the reader gave more than there was room for"
        );
        self.left -= n;
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Take<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        // The reader is not asked at the limit: it might wait for more.
        if self.left == 0 {
            return Poll::Ready(Ok(0));
        }
        let cap = self.cap(buf.len());
        let n = ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buf[..cap]))?;
        self.count(n);
        Poll::Ready(Ok(n))
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Take<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(Ok(&[]));
        }
        let left = usize::try_from(this.left).unwrap_or(usize::MAX);
        let shown = ready!(Pin::new(&mut this.inner).poll_fill_buf(cx))?;
        Poll::Ready(Ok(&shown[..shown.len().min(left)]))
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        self.count(n);
        Pin::new(&mut self.inner).consume(n);
    }
}
