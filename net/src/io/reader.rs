//! A buffered reader whose reads take all or nothing.
//!
//! ```text
//!   inner reader ──fill──▶ [ consumed | buffered … | space ] ──take──▶ the caller
//!                                       ▲ scanned
//! ```
//!
//! `read_exact`, `read_until` and `read_line` first gather in the buffer, and
//! hand out only in the poll that has everything. So a future that is dropped
//! half-way (a timeout, a lost `select!`) leaves what came in the buffer, and
//! the next read finds it there. An error leaves it there too: an end in the
//! middle, a line beyond the limit, a text that is no UTF-8.
//!
//! While nothing is buffered and nothing comes, there is no buffer either: see
//! `pool.rs`.

mod error;
mod kept;
mod traits;

pub use error::{EarlyEnd, LimitExceeded};
pub use kept::{Fill, Lines, NextLine, ReadExactKept, ReadLineKept, ReadUntilKept};

use super::pool::{self, PooledBuf, SizeHint};
use super::read::not_text;
use futures_io::AsyncRead;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Bytes that `read_until` and `read_line` gather at most, unless
/// [`BufReader::with_limit`] says otherwise.
const DEFAULT_LIMIT: usize = 1 << 20;

/// Reads in larger steps, and keeps what a dropped future has read.
///
/// # Example
///
/// ```
/// use wakeline_net::io::{AsyncWriteExt, BufReader};
///
/// # wakeline_net::testing::block_on(async {
/// # let (stream, mut peer) = wakeline_net::testing::tcp_pair().await?;
/// let mut reader = BufReader::new(stream);
/// peer.write_all(b"first\nsec").await?;
///
/// let mut line = String::new();
/// reader.read_line(&mut line).await?;
/// assert_eq!(line, "first\n");
///
/// line.clear();
/// drop(reader.read_line(&mut line)); // as a timeout would
/// peer.write_all(b"ond\n").await?;
/// reader.read_line(&mut line).await?;
/// assert_eq!(line, "second\n");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct BufReader<R> {
    inner: R,
    buf: PooledBuf,
    hint: SizeHint,
    limit: usize,
    /// How much of the buffered bytes is known to hold no end of `separator`.
    scanned: usize,
    separator: Vec<u8>,
}

impl<R> BufReader<R> {
    /// Buffers `inner`; a line may have 1 MiB.
    #[must_use]
    pub fn new(inner: R) -> BufReader<R> {
        BufReader::with_limit(DEFAULT_LIMIT, inner)
    }

    /// Buffers `inner`; a line, with its separator, may have `limit` bytes.
    #[must_use]
    pub fn with_limit(limit: usize, inner: R) -> BufReader<R> {
        BufReader {
            inner,
            buf: PooledBuf::none(),
            hint: SizeHint::default(),
            limit,
            scanned: 0,
            separator: Vec::new(),
        }
    }

    /// What is buffered and not yet taken.
    #[must_use]
    pub fn buffer(&self) -> &[u8] {
        &self.buf
    }

    /// The reader inside. Reading from it goes past the buffer.
    #[must_use]
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The reader inside. Reading from it goes past the buffer.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The reader inside; what is buffered is lost.
    #[must_use]
    pub fn into_inner(self) -> R {
        self.inner
    }

    fn take(&mut self, n: usize) {
        self.buf.consume(n);
        self.scanned = self.scanned.saturating_sub(n);
        if self.buf.is_empty() {
            // Back to the pool until something comes.
            self.buf = PooledBuf::none();
        }
    }
}

impl<R: AsyncRead + Unpin> BufReader<R> {
    /// Reads once more, behind what is buffered; `total` is how much the caller
    /// needs in all. 0 is the end.
    fn poll_more(&mut self, cx: &mut Context<'_>, total: usize) -> Poll<io::Result<usize>> {
        if self.buf.is_none() {
            self.buf = pool::take(self.hint.get());
        }
        self.buf.make_room(total);
        let space = self.buf.space();
        let poll = Pin::new(&mut self.inner).poll_read(cx, space);
        match &poll {
            Poll::Ready(Ok(n)) => {
                self.buf.advance(*n);
                self.hint.learn(*n);
            }
            _ if self.buf.is_empty() => self.buf = PooledBuf::none(),
            _ => {}
        }
        poll
    }

    /// Waits until at least one byte is buffered, and shows what is there;
    /// nothing at the end. It is taken by
    /// [`consume`](futures_io::AsyncBufRead::consume).
    ///
    /// # Errors
    ///
    /// The reader's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::Pin;
    /// use wakeline_net::io::{AsyncBufRead, AsyncWriteExt, BufReader};
    ///
    /// # wakeline_net::testing::block_on(async {
    /// # let (stream, mut peer) = wakeline_net::testing::tcp_pair().await?;
    /// let mut reader = BufReader::new(stream);
    /// peer.write_all(b"GET /").await?;
    /// assert_eq!(reader.fill().await?, b"GET /");
    /// Pin::new(&mut reader).consume(4);
    /// assert_eq!(reader.buffer(), b"/");
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn fill(&mut self) -> Fill<'_, R> {
        Fill {
            reader: Some(self),
            location: Location::caller(),
        }
    }

    /// Fills `buf`, or takes nothing.
    ///
    /// What comes is gathered in the reader first, which grows as large as
    /// `buf` for that time: ask for what you would also hold.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` with an [`EarlyEnd`] that tells how much there was, which
    /// stays buffered; else the reader's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: what came is buffered.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::io::{AsyncWriteExt, BufReader};
    ///
    /// # wakeline_net::testing::block_on(async {
    /// # let (stream, mut peer) = wakeline_net::testing::tcp_pair().await?;
    /// let mut reader = BufReader::new(stream);
    /// peer.write_all(b"\0\0\0\x05hello").await?;
    /// let mut length = [0; 4];
    /// reader.read_exact(&mut length).await?;
    /// let mut body = vec![0; u32::from_be_bytes(length) as usize];
    /// reader.read_exact(&mut body).await?;
    /// assert_eq!(body, b"hello");
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn read_exact<'a>(&'a mut self, buf: &'a mut [u8]) -> ReadExactKept<'a, R> {
        ReadExactKept {
            reader: self,
            buf,
            location: Location::caller(),
        }
    }

    /// Appends to `out` up to and with the next `separator`, and tells how many
    /// bytes that is; at the end of the stream, what is left, which may be 0.
    ///
    /// The separator may have several bytes. An empty one is found at once.
    ///
    /// # Errors
    ///
    /// `InvalidData` with a [`LimitExceeded`] if it does not come within the
    /// limit: nothing is taken then, and a `read` still finds it all. Else the
    /// reader's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: what came is buffered.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::io::{AsyncWriteExt, BufReader};
    ///
    /// # wakeline_net::testing::block_on(async {
    /// # let (stream, mut peer) = wakeline_net::testing::tcp_pair().await?;
    /// let mut reader = BufReader::new(stream);
    /// peer.write_all(b"Host: a\r\n\r\nbody").await?;
    /// let mut head = Vec::new();
    /// reader.read_until(b"\r\n\r\n", &mut head).await?;
    /// assert_eq!(head, b"Host: a\r\n\r\n");
    /// assert_eq!(reader.buffer(), b"body");
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn read_until<'a>(
        &'a mut self,
        separator: &'a [u8],
        out: &'a mut Vec<u8>,
    ) -> ReadUntilKept<'a, R> {
        ReadUntilKept {
            reader: self,
            separator,
            out,
            location: Location::caller(),
        }
    }

    /// Appends the next line, with its `\n`, and tells how many bytes that is;
    /// 0 at the end of the stream. The last line may lack the `\n`.
    ///
    /// # Errors
    ///
    /// `InvalidData` if the line is no UTF-8 or beyond the limit: nothing is
    /// taken then. Else the reader's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: what came is buffered.
    #[track_caller]
    pub fn read_line<'a>(&'a mut self, out: &'a mut String) -> ReadLineKept<'a, R> {
        ReadLineKept {
            reader: self,
            out,
            location: Location::caller(),
        }
    }

    /// The lines one after the other, without `\n` or `\r\n`.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::io::{AsyncWriteExt, BufReader};
    ///
    /// # wakeline_net::testing::block_on(async {
    /// # let (stream, mut peer) = wakeline_net::testing::tcp_pair().await?;
    /// peer.write_all(b"a\r\nb\nc").await?;
    /// drop(peer);
    /// let mut lines = BufReader::new(stream).lines();
    /// let mut all = Vec::new();
    /// while let Some(line) = lines.next_line().await? {
    ///     all.push(line);
    /// }
    /// assert_eq!(all, ["a", "b", "c"]);
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn lines(self) -> Lines<R> {
        Lines {
            reader: self,
            ended: false,
        }
    }

    fn poll_exact(&mut self, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<()>> {
        while self.buf.len() < out.len() {
            if ready!(self.poll_more(cx, out.len()))? == 0 {
                let early = EarlyEnd::new(self.buf.len(), out.len());
                return Poll::Ready(Err(early.into()));
            }
        }
        out.copy_from_slice(&self.buf[..out.len()]);
        self.take(out.len());
        Poll::Ready(Ok(()))
    }

    /// Where the bytes end that go up to and with `separator`.
    fn poll_find(&mut self, cx: &mut Context<'_>, separator: &[u8]) -> Poll<io::Result<usize>> {
        if self.separator != separator {
            // Another separator: what was scanned for the last one says nothing.
            self.separator.clear();
            self.separator.extend_from_slice(separator);
            self.scanned = 0;
        }
        loop {
            let end = self.scan();
            match end {
                Some(end) if end <= self.limit => return Poll::Ready(Ok(end)),
                // Up to the limit, also with it: the end of the stream may come next.
                None if self.buf.len() <= self.limit => {}
                _ => {
                    let limit = self.limit;
                    self.scanned = 0;
                    return Poll::Ready(Err(not_text(LimitExceeded { limit })));
                }
            }
            let total = self.buf.len() + 1;
            if ready!(self.poll_more(cx, total))? == 0 {
                return Poll::Ready(Ok(self.buf.len()));
            }
        }
    }

    /// The end of the first separator in the buffer. Remembers how far it has
    /// looked, less what may be the beginning of a separator.
    fn scan(&mut self) -> Option<usize> {
        let length = self.separator.len();
        let found = match self.separator[..] {
            [] => Some(0),
            [byte] => {
                let rest = &self.buf[self.scanned..];
                rest.iter().position(|b| *b == byte)
            }
            _ => {
                let rest = &self.buf[self.scanned..];
                rest.windows(length)
                    .position(|window| window == self.separator)
            }
        };
        if let Some(at) = found {
            return Some(self.scanned + at + length);
        }
        self.scanned = (self.buf.len() + 1).saturating_sub(length);
        None
    }
}

#[cfg(test)]
mod tests;
