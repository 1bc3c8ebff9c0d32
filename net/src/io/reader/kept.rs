//! The futures of `BufReader`: they gather in the reader and take at the end.

use super::{BufReader, LimitExceeded};
use crate::io::parked_at;
use crate::io::read::not_text;
use futures_core::Stream;
use futures_io::AsyncRead;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_context::Kind;

/// The future of [`BufReader::fill`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Fill<'a, R> {
    /// `None` after it was ready: the reader is lent to the caller then.
    pub(super) reader: Option<&'a mut BufReader<R>>,
    pub(super) location: &'static Location<'static>,
}

impl<'a, R: AsyncRead + Unpin> Future for Fill<'a, R> {
    type Output = io::Result<&'a [u8]>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let location = self.location;
        let reader = self
            .reader
            .take()
            .expect("`fill` was polled after it was ready");
        if reader.buf.is_empty() {
            match reader.poll_more(cx, 0) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.reader = Some(reader);
                    parked_at(Kind::Read, location);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(&reader.buf))
    }
}

/// The future of [`BufReader::read_exact`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadExactKept<'a, R> {
    pub(super) reader: &'a mut BufReader<R>,
    pub(super) buf: &'a mut [u8],
    pub(super) location: &'static Location<'static>,
}

impl<R: AsyncRead + Unpin> Future for ReadExactKept<'_, R> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let poll = this.reader.poll_exact(cx, this.buf);
        if poll.is_pending() {
            parked_at(Kind::Read, this.location);
        }
        poll
    }
}

/// The future of [`BufReader::read_until`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadUntilKept<'a, R> {
    pub(super) reader: &'a mut BufReader<R>,
    pub(super) separator: &'a [u8],
    pub(super) out: &'a mut Vec<u8>,
    pub(super) location: &'static Location<'static>,
}

impl<R: AsyncRead + Unpin> Future for ReadUntilKept<'_, R> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match this.reader.poll_find(cx, this.separator) {
            Poll::Pending => {
                parked_at(Kind::Read, this.location);
                Poll::Pending
            }
            Poll::Ready(end) => {
                let end = end?;
                this.out.extend_from_slice(&this.reader.buf[..end]);
                this.reader.take(end);
                Poll::Ready(Ok(end))
            }
        }
    }
}

/// The future of [`BufReader::read_line`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadLineKept<'a, R> {
    pub(super) reader: &'a mut BufReader<R>,
    pub(super) out: &'a mut String,
    pub(super) location: &'static Location<'static>,
}

impl<R: AsyncRead + Unpin> Future for ReadLineKept<'_, R> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match this.reader.poll_find(cx, b"\n") {
            Poll::Pending => {
                parked_at(Kind::Read, this.location);
                Poll::Pending
            }
            Poll::Ready(end) => {
                let end = end?;
                let text = str::from_utf8(&this.reader.buf[..end]).map_err(not_text)?;
                this.out.push_str(text);
                this.reader.take(end);
                Poll::Ready(Ok(end))
            }
        }
    }
}

/// Lines one after the other; made by [`BufReader::lines`]. It is also a
/// [`Stream`].
#[derive(Debug)]
pub struct Lines<R> {
    pub(super) reader: BufReader<R>,
    /// By a line beyond the limit, which cannot be passed over.
    pub(super) ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The next line, or `None` at the end.
    ///
    /// # Errors
    ///
    /// `InvalidData` for a line that is no UTF-8, with its bytes (by
    /// [`FromUtf8Error`](std::string::FromUtf8Error)): the next call goes on behind it.
    /// `InvalidData` with a [`LimitExceeded`](super::LimitExceeded) for one beyond the
    /// limit, which stays in the reader, and is the end of the lines. Else the reader's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn next_line(&mut self) -> NextLine<'_, R> {
        NextLine {
            lines: self,
            location: Location::caller(),
        }
    }

    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<String>>> {
        if self.ended {
            return Poll::Ready(Ok(None));
        }
        let found = ready!(self.reader.poll_find(cx, b"\n"));
        let end = found.inspect_err(|error| self.ended = is_beyond_limit(error))?;
        if end == 0 {
            return Poll::Ready(Ok(None));
        }
        let line = &self.reader.buf[..end];
        let line = match line.strip_suffix(b"\n") {
            Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
            None => line,
        };
        let line = line.to_vec();
        // Also if it is no text: else it would be the next one for ever.
        self.reader.take(end);
        let line = String::from_utf8(line).map_err(not_text)?;
        Poll::Ready(Ok(Some(line)))
    }
}

fn is_beyond_limit(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<LimitExceeded>())
}

impl<R> Lines<R> {
    /// The reader, with what it has buffered.
    #[must_use]
    pub fn into_inner(self) -> BufReader<R> {
        self.reader
    }
}

impl<R: AsyncRead + Unpin> Stream for Lines<R> {
    type Item = io::Result<String>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_line(cx).map(Result::transpose)
    }
}

/// The future of [`Lines::next_line`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct NextLine<'a, R> {
    lines: &'a mut Lines<R>,
    location: &'static Location<'static>,
}

impl<R: AsyncRead + Unpin> Future for NextLine<'_, R> {
    type Output = io::Result<Option<String>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let poll = this.lines.poll_line(cx);
        if poll.is_pending() {
            parked_at(Kind::Read, this.location);
        }
        poll
    }
}
