//! Streams in memory: [`duplex`] and [`simplex`], for tests of a protocol
//! without a kernel, and for parts of a program that speak by streams.
//!
//! ```text
//!   writer ──write──▶ at most `capacity` bytes ──read──▶ reader
//! ```
//!
//! They behave as sockets do: bytes without borders, a write that waits for
//! room, an end after what was written, `BrokenPipe` once nobody reads. Under
//! paused time a task that waits for one counts as blocked.

mod lane;

use futures_io::{AsyncRead, AsyncWrite};
use lane::Lane;
use std::io::{self, IoSlice, IoSliceMut};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A stream of one direction in memory, which holds up to `capacity` bytes that
/// were written and not read yet.
///
/// # Panics
///
/// If `capacity` is 0: no byte could ever pass.
///
/// # Example
///
/// ```
/// use wakeline_net::io::{self, AsyncReadExt, AsyncWriteExt};
///
/// # wakeline_net::testing::block_on(async {
/// let (mut reader, mut writer) = io::simplex(64);
/// writer.write_all(b"hello").await?;
/// writer.close().await?;
/// let mut all = String::new();
/// reader.read_to_string(&mut all).await?;
/// assert_eq!(all, "hello");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn simplex(capacity: usize) -> (SimplexReader, SimplexWriter) {
    assert!(
        capacity > 0,
        "a stream in memory with a capacity of 0 lets no byte pass: give it room for 1 at least"
    );
    let lane = Arc::new(Lane::new(capacity, Location::caller()));
    (SimplexReader(Arc::clone(&lane)), SimplexWriter(lane))
}

/// Two ends of a stream in memory: what is written to one is read from the
/// other. Each direction holds up to `capacity` bytes.
///
/// # Panics
///
/// If `capacity` is 0: no byte could ever pass.
///
/// # Example
///
/// A server's handler, tested without a socket:
///
/// ```
/// use wakeline_net::io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
/// # use wakeline_net::testing::both;
///
/// async fn shout(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
///     let mut word = [0; 5];
///     stream.read_exact(&mut word).await?;
///     word.make_ascii_uppercase();
///     stream.write_all(&word).await
/// }
/// # wakeline_net::testing::block_on(async {
/// let (mut client, server) = io::duplex(64);
/// let ask = async {
///     client.write_all(b"hello").await?;
///     let mut answer = String::new();
///     client.read_to_string(&mut answer).await?;
///     std::io::Result::Ok(answer)
/// };
/// let (answer, served) = both(ask, shout(server)).await;
/// served?;
/// assert_eq!(answer?, "HELLO");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn duplex(capacity: usize) -> (DuplexStream, DuplexStream) {
    let (here_reader, there_writer) = simplex(capacity);
    let (there_reader, here_writer) = simplex(capacity);
    (
        DuplexStream::new(here_reader, here_writer),
        DuplexStream::new(there_reader, there_writer),
    )
}

/// The end of a [`simplex`] that reads: what was written, and then its end.
///
/// Dropping it drops what was not read, and writes fail from then on.
#[derive(Debug)]
#[must_use = "dropping the reader breaks the stream"]
pub struct SimplexReader(Arc<Lane>);

/// The end of a [`simplex`] that writes.
///
/// Dropping it is the end for the reader, after what was written; `close` is
/// the same. A write that needs room waits until something was read.
#[derive(Debug)]
#[must_use = "dropping the writer ends the stream"]
pub struct SimplexWriter(Arc<Lane>);

/// An end of a [`duplex`]: reads what the other end writes, and the other way.
#[derive(Debug)]
#[must_use = "dropping an end breaks the stream"]
pub struct DuplexStream {
    reader: SimplexReader,
    writer: SimplexWriter,
}

impl DuplexStream {
    /// One stream of two directions, which may be of different capacities; the
    /// contrary of [`into_split`](DuplexStream::into_split).
    pub fn new(reader: SimplexReader, writer: SimplexWriter) -> DuplexStream {
        DuplexStream { reader, writer }
    }

    /// Parts it into its two directions, which two tasks may use.
    pub fn into_split(self) -> (SimplexReader, SimplexWriter) {
        (self.reader, self.writer)
    }
}

impl Drop for SimplexReader {
    fn drop(&mut self) {
        self.0.leave_reading();
    }
}

impl Drop for SimplexWriter {
    fn drop(&mut self) {
        self.0.leave_writing();
    }
}

impl AsyncRead for SimplexReader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, &mut [IoSliceMut::new(buf)])
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, bufs)
    }
}

impl AsyncWrite for SimplexWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // what was written can be read
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.end();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for DuplexStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for DuplexStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_close(cx)
    }
}
