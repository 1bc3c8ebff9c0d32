//! [`AsyncBufReadExt`]: what can be done with anything that reads through a
//! buffer.
//!
//! The trait shows more only when what it showed was consumed, so these reads
//! move data in steps, into the caller's `out`. [`BufReader`](super::BufReader)
//! has the same names with the stronger promise of all or nothing.

use super::parked_at;
use super::read::not_text;
use futures_io::AsyncBufRead;
use std::io;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use wakeline_context::Kind;

/// Buffered reading for everything that is [`AsyncBufRead`].
///
/// # Example
///
/// ```
/// use wakeline_net::io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader};
///
/// async fn first_line(input: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<String> {
///     let mut line = String::new();
///     input.read_line(&mut line).await?;
///     Ok(line)
/// }
///
/// # wakeline_net::testing::block_on(async {
/// # let (stream, mut peer) = wakeline_net::testing::tcp_pair().await?;
/// peer.write_all(b"a\nb\n").await?;
/// assert_eq!(first_line(&mut BufReader::new(stream)).await?, "a\n");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait AsyncBufReadExt: AsyncBufRead {
    /// Waits until something is buffered and shows it; nothing at the end.
    ///
    /// # Errors
    ///
    /// The reader's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    fn fill_buf(&mut self) -> FillBuf<'_, Self>
    where
        Self: Unpin,
    {
        FillBuf {
            reader: Some(self),
            location: Location::caller(),
        }
    }

    /// Appends to `out` up to and with the next `byte`, and tells how many bytes
    /// that is; at the end, what is left. There is no limit.
    ///
    /// # Errors
    ///
    /// The reader's; what came before is in `out`.
    ///
    /// # Cancellation
    ///
    /// What came before the drop is in `out`; another call goes on.
    #[track_caller]
    fn read_until<'a>(&'a mut self, byte: u8, out: &'a mut Vec<u8>) -> ReadUntil<'a, Self>
    where
        Self: Unpin,
    {
        ReadUntil {
            reader: self,
            byte,
            out,
            read: 0,
            location: Location::caller(),
        }
    }

    /// Appends the next line, with its `\n`, and tells how many bytes that is.
    ///
    /// # Errors
    ///
    /// `InvalidData` if it is no UTF-8: the line is lost then. Else the
    /// reader's.
    ///
    /// # Cancellation
    ///
    /// The part of the line that came before the drop is lost.
    #[track_caller]
    fn read_line<'a>(&'a mut self, out: &'a mut String) -> ReadLine<'a, Self>
    where
        Self: Unpin,
    {
        ReadLine {
            reader: self,
            bytes: Vec::new(),
            out,
            location: Location::caller(),
        }
    }

    /// Takes `n` of the bytes that were shown.
    fn consume(&mut self, n: usize)
    where
        Self: Unpin,
    {
        AsyncBufRead::consume(Pin::new(self), n);
    }
}

impl<R: AsyncBufRead + ?Sized> AsyncBufReadExt for R {}

/// The future of [`AsyncBufReadExt::fill_buf`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct FillBuf<'a, R: ?Sized> {
    /// `None` after it was ready: the reader is lent to the caller then.
    reader: Option<&'a mut R>,
    location: &'static Location<'static>,
}

impl<'a, R: AsyncBufRead + Unpin + ?Sized> Future for FillBuf<'a, R> {
    type Output = io::Result<&'a [u8]>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let location = self.location;
        let reader = self
            .reader
            .take()
            .expect("`fill_buf` was polled after it was ready");
        match Pin::new(&mut *reader).poll_fill_buf(cx) {
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => {
                self.reader = Some(reader);
                parked_at(Kind::Read, location);
                return Poll::Pending;
            }
        }
        // Asked again because the first answer borrows `reader` only here; what
        // is buffered is shown without a read.
        Pin::new(reader).poll_fill_buf(cx)
    }
}

fn poll_until<R: AsyncBufRead + Unpin + ?Sized>(
    reader: &mut R,
    byte: u8,
    out: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        let shown = match Pin::new(&mut *reader).poll_fill_buf(cx) {
            Poll::Ready(shown) => shown?,
            Poll::Pending => return Poll::Pending,
        };
        let found = shown.iter().position(|b| *b == byte);
        let n = found.map_or(shown.len(), |at| at + 1);
        out.extend_from_slice(&shown[..n]);
        AsyncBufRead::consume(Pin::new(&mut *reader), n);
        if found.is_some() || n == 0 {
            return Poll::Ready(Ok(()));
        }
    }
}

/// The future of [`AsyncBufReadExt::read_until`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadUntil<'a, R: ?Sized> {
    reader: &'a mut R,
    byte: u8,
    out: &'a mut Vec<u8>,
    read: usize,
    location: &'static Location<'static>,
}

impl<R: AsyncBufRead + Unpin + ?Sized> Future for ReadUntil<'_, R> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let before = this.out.len();
        let poll = poll_until(this.reader, this.byte, this.out, cx);
        this.read += this.out.len() - before;
        match poll {
            Poll::Ready(result) => Poll::Ready(result.map(|()| this.read)),
            Poll::Pending => {
                parked_at(Kind::Read, this.location);
                Poll::Pending
            }
        }
    }
}

/// The future of [`AsyncBufReadExt::read_line`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadLine<'a, R: ?Sized> {
    reader: &'a mut R,
    bytes: Vec<u8>,
    out: &'a mut String,
    location: &'static Location<'static>,
}

impl<R: AsyncBufRead + Unpin + ?Sized> Future for ReadLine<'_, R> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match poll_until(this.reader, b'\n', &mut this.bytes, cx) {
            Poll::Pending => {
                parked_at(Kind::Read, this.location);
                Poll::Pending
            }
            Poll::Ready(result) => {
                result?;
                let text = String::from_utf8(mem::take(&mut this.bytes)).map_err(not_text)?;
                this.out.push_str(&text);
                Poll::Ready(Ok(text.len()))
            }
        }
    }
}
