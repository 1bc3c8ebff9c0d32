//! [`Chain`]: one reader after the other.

use futures_io::{AsyncBufRead, AsyncRead};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The reader of [`AsyncReadExt::chain`](super::AsyncReadExt::chain).
#[derive(Debug)]
#[must_use = "a reader does nothing unless it is read"]
pub struct Chain<A, B> {
    first: A,
    second: B,
    /// The first has ended, and is not asked again.
    behind: bool,
}

impl<A, B> Chain<A, B> {
    pub(super) fn new(first: A, second: B) -> Chain<A, B> {
        Chain {
            first,
            second,
            behind: false,
        }
    }

    /// The readers inside.
    #[must_use]
    pub fn get_ref(&self) -> (&A, &B) {
        (&self.first, &self.second)
    }

    /// The readers inside.
    pub fn get_mut(&mut self) -> (&mut A, &mut B) {
        (&mut self.first, &mut self.second)
    }

    /// The readers, as far as they were read.
    #[must_use]
    pub fn into_inner(self) -> (A, B) {
        (self.first, self.second)
    }
}

impl<A: AsyncRead + Unpin, B: AsyncRead + Unpin> AsyncRead for Chain<A, B> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if !self.behind {
            let n = ready!(Pin::new(&mut self.first).poll_read(cx, buf))?;
            // That nothing came into no room says nothing of the end.
            if n > 0 || buf.is_empty() {
                return Poll::Ready(Ok(n));
            }
            self.behind = true;
        }
        Pin::new(&mut self.second).poll_read(cx, buf)
    }
}

impl<A: AsyncBufRead + Unpin, B: AsyncBufRead + Unpin> AsyncBufRead for Chain<A, B> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if !this.behind {
            if !ready!(Pin::new(&mut this.first).poll_fill_buf(cx))?.is_empty() {
                // Shown again, as a borrow in a condition would last too long.
                return Pin::new(&mut this.first).poll_fill_buf(cx);
            }
            this.behind = true;
        }
        Pin::new(&mut this.second).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        if self.behind {
            Pin::new(&mut self.second).consume(n);
        } else {
            Pin::new(&mut self.first).consume(n);
        }
    }
}
