//! [`empty`], [`repeat`], [`sink`]: streams with nothing behind them.
//!
//! None of them ever waits, so each counts what it does towards the task's budget: a loop
//! over one gives way to others as one over a socket does.

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_context::budget;

/// A reader that is at its end.
///
/// # Example
///
/// ```
/// use wakeline_net::io::{AsyncReadExt, empty};
///
/// # wakeline_net::testing::block_on(async {
/// assert_eq!(empty().read(&mut [0; 8]).await?, 0);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn empty() -> Empty {
    Empty(())
}

/// The reader of [`empty`].
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "a reader does nothing unless it is read"]
pub struct Empty(());

/// A reader that gives `byte` for ever.
///
/// # Example
///
/// ```
/// use wakeline_net::io::{AsyncReadExt, repeat};
///
/// # wakeline_net::testing::block_on(async {
/// let mut zeros = Vec::new();
/// repeat(0).take(1000).read_to_end(&mut zeros).await?;
/// assert_eq!(zeros, [0; 1000]);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn repeat(byte: u8) -> Repeat {
    Repeat { byte }
}

/// The reader of [`repeat`].
#[derive(Clone, Copy, Debug)]
#[must_use = "a reader does nothing unless it is read"]
pub struct Repeat {
    byte: u8,
}

/// A writer that takes everything and keeps nothing.
///
/// # Example
///
/// ```
/// use wakeline_net::io::{AsyncReadExt, copy, repeat, sink};
///
/// # wakeline_net::testing::block_on(async {
/// let counted = copy(&mut repeat(0).take(1 << 20), &mut sink()).await?;
/// assert_eq!(counted, 1 << 20);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn sink() -> Sink {
    Sink(())
}

/// The writer of [`sink`].
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "a writer does nothing unless it is written to"]
pub struct Sink(());

fn charge(cx: &mut Context<'_>) -> Poll<()> {
    ready!(budget::poll_proceed(cx)).spend();
    Poll::Ready(())
}

impl AsyncRead for Empty {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        charge(cx).map(|()| Ok(0))
    }
}

impl AsyncBufRead for Empty {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        charge(cx).map(|()| Ok(&[][..]))
    }

    fn consume(self: Pin<&mut Self>, _n: usize) {}
}

impl AsyncRead for Repeat {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(charge(cx));
        buf.fill(self.byte);
        Poll::Ready(Ok(buf.len()))
    }
}

impl AsyncWrite for Sink {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        charge(cx).map(|()| Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        charge(cx).map(|()| Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        charge(cx).map(|()| Ok(()))
    }
}
