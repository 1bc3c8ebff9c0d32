//! [`AsyncReadExt`]: what can be done with anything that reads.

use super::chain::Chain;
use super::parked_at;
use super::reader::EarlyEnd;
use super::take::Take;
use futures_io::AsyncRead;
use std::io::{self, IoSliceMut};
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_context::Kind;

/// The first step of `read_to_end`, which then doubles.
const FIRST_STEP: usize = 1024;
const LONGEST_STEP: usize = 64 << 10;

/// Reading for everything that is [`AsyncRead`].
///
/// # Example
///
/// ```
/// use wakeline_net::io::{AsyncReadExt, AsyncWriteExt};
///
/// # wakeline_net::testing::block_on(async {
/// # let (mut stream, mut peer) = wakeline_net::testing::tcp_pair().await?;
/// peer.write_all(b"headbody").await?;
/// peer.close().await?;
/// let mut head = [0; 4];
/// stream.read_exact(&mut head).await?;
/// let mut body = Vec::new();
/// stream.read_to_end(&mut body).await?;
/// assert_eq!((&head, &body[..]), (b"head", &b"body"[..]));
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait AsyncReadExt: AsyncRead {
    /// Reads into `buf` and tells how many bytes came; 0 is the end, or an
    /// empty `buf`.
    ///
    /// # Errors
    ///
    /// The reader's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    fn read<'a>(&'a mut self, buf: &'a mut [u8]) -> Read<'a, Self>
    where
        Self: Unpin,
    {
        Read {
            reader: self,
            buf,
            location: Location::caller(),
        }
    }

    /// Reads into several buffers, in order.
    ///
    /// # Errors
    ///
    /// The reader's.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    fn read_vectored<'a>(&'a mut self, bufs: &'a mut [IoSliceMut<'a>]) -> ReadVectored<'a, Self>
    where
        Self: Unpin,
    {
        ReadVectored {
            reader: self,
            bufs,
            location: Location::caller(),
        }
    }

    /// Fills `buf`.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` with an [`EarlyEnd`] that tells how much was read; else
    /// the reader's.
    ///
    /// # Cancellation
    ///
    /// What was read before the drop is in `buf`, and nobody tells how much it
    /// is. [`BufReader::read_exact`](super::BufReader::read_exact) loses nothing.
    #[track_caller]
    fn read_exact<'a>(&'a mut self, buf: &'a mut [u8]) -> ReadExact<'a, Self>
    where
        Self: Unpin,
    {
        ReadExact {
            reader: self,
            buf,
            done: 0,
            location: Location::caller(),
        }
    }

    /// Reads until the end, appends to `out`, and tells how many bytes came.
    ///
    /// There is no limit: use it for peers that are trusted to end.
    ///
    /// # Errors
    ///
    /// The reader's; what came before is in `out`.
    ///
    /// # Cancellation
    ///
    /// What was read before the drop is in `out`; another call goes on.
    #[track_caller]
    fn read_to_end<'a>(&'a mut self, out: &'a mut Vec<u8>) -> ReadToEnd<'a, Self>
    where
        Self: Unpin,
    {
        ReadToEnd {
            reader: self,
            before: out.len(),
            filled: out.len(),
            out,
            step: FIRST_STEP,
            location: Location::caller(),
        }
    }

    /// Reads until the end, appends to `out`, and tells how many bytes came.
    ///
    /// # Errors
    ///
    /// `InvalidData` if it is not UTF-8; else the reader's. `out` is unchanged
    /// then, and what came is lost.
    ///
    /// # Cancellation
    ///
    /// What was read before the drop is lost; `out` is unchanged.
    #[track_caller]
    fn read_to_string<'a>(&'a mut self, out: &'a mut String) -> ReadToString<'a, Self>
    where
        Self: Unpin,
    {
        ReadToString {
            reader: self,
            bytes: Vec::new(),
            out,
            location: Location::caller(),
        }
    }

    /// A reader of at most the next `limit` bytes: it ends then, and this one is read no
    /// further.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// # wakeline_net::testing::block_on(async {
    /// # let (mut stream, mut peer) = wakeline_net::testing::tcp_pair().await?;
    /// peer.write_all(b"bodynext").await?;
    /// let mut body = String::new();
    /// (&mut stream).take(4).read_to_string(&mut body).await?;
    /// let mut next = [0; 4];
    /// stream.read_exact(&mut next).await?;
    /// assert_eq!((body.as_str(), &next), ("body", b"next"));
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn take(self, limit: u64) -> Take<Self>
    where
        Self: Sized,
    {
        Take::new(self, limit)
    }

    /// This reader, and when it has ended, `next`.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// # wakeline_net::testing::block_on(async {
    /// # let (mut stream, mut peer) = wakeline_net::testing::tcp_pair().await?;
    /// peer.write_all(b"GET / HTTP/1.1").await?;
    /// peer.close().await?;
    /// let mut first = [0; 3];
    /// stream.read_exact(&mut first).await?; // to see what it speaks
    /// let mut whole = String::new();
    /// first.as_slice().chain(stream).read_to_string(&mut whole).await?;
    /// assert_eq!(whole, "GET / HTTP/1.1");
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn chain<R: AsyncRead>(self, next: R) -> Chain<Self, R>
    where
        Self: Sized,
    {
        Chain::new(self, next)
    }
}

impl<R: AsyncRead + ?Sized> AsyncReadExt for R {}

/// The future of [`AsyncReadExt::read`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Read<'a, R: ?Sized> {
    reader: &'a mut R,
    buf: &'a mut [u8],
    location: &'static Location<'static>,
}

impl<R: AsyncRead + Unpin + ?Sized> Future for Read<'_, R> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let poll = Pin::new(&mut *this.reader).poll_read(cx, this.buf);
        if poll.is_pending() {
            parked_at(Kind::Read, this.location);
        }
        poll
    }
}

/// The future of [`AsyncReadExt::read_vectored`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadVectored<'a, R: ?Sized> {
    reader: &'a mut R,
    bufs: &'a mut [IoSliceMut<'a>],
    location: &'static Location<'static>,
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadVectored<'_, R> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let poll = Pin::new(&mut *this.reader).poll_read_vectored(cx, this.bufs);
        if poll.is_pending() {
            parked_at(Kind::Read, this.location);
        }
        poll
    }
}

/// The future of [`AsyncReadExt::read_exact`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadExact<'a, R: ?Sized> {
    reader: &'a mut R,
    buf: &'a mut [u8],
    done: usize,
    location: &'static Location<'static>,
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadExact<'_, R> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while this.done < this.buf.len() {
            let rest = &mut this.buf[this.done..];
            match Pin::new(&mut *this.reader).poll_read(cx, rest) {
                Poll::Ready(Ok(0)) => {
                    let early = EarlyEnd::new(this.done, this.buf.len());
                    return Poll::Ready(Err(early.into()));
                }
                Poll::Ready(Ok(n)) => this.done += n,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    parked_at(Kind::Read, this.location);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The future of [`AsyncReadExt::read_to_end`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadToEnd<'a, R: ?Sized> {
    reader: &'a mut R,
    out: &'a mut Vec<u8>,
    before: usize,
    filled: usize,
    step: usize,
    location: &'static Location<'static>,
}

/// Appends to `out` until the end. Between polls `out` holds what came, and no
/// zeroed space behind it.
fn poll_to_end<R: AsyncRead + Unpin + ?Sized>(
    reader: &mut R,
    out: &mut Vec<u8>,
    step: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        let filled = out.len();
        out.resize(filled + *step, 0);
        let poll = Pin::new(&mut *reader).poll_read(cx, &mut out[filled..]);
        let n = match &poll {
            Poll::Ready(Ok(n)) => *n,
            _ => 0,
        };
        out.truncate(filled + n);
        match ready!(poll)? {
            0 => return Poll::Ready(Ok(())),
            n if n == *step => *step = (*step * 2).min(LONGEST_STEP),
            _ => {}
        }
    }
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadToEnd<'_, R> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let poll = poll_to_end(this.reader, this.out, &mut this.step, cx);
        this.filled = this.out.len();
        match poll {
            Poll::Ready(result) => Poll::Ready(result.map(|()| this.filled - this.before)),
            Poll::Pending => {
                parked_at(Kind::Read, this.location);
                Poll::Pending
            }
        }
    }
}

/// The future of [`AsyncReadExt::read_to_string`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadToString<'a, R: ?Sized> {
    reader: &'a mut R,
    bytes: Vec<u8>,
    out: &'a mut String,
    location: &'static Location<'static>,
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadToString<'_, R> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut step = this.bytes.capacity().clamp(FIRST_STEP, LONGEST_STEP);
        match poll_to_end(this.reader, &mut this.bytes, &mut step, cx) {
            Poll::Pending => {
                parked_at(Kind::Read, this.location);
                return Poll::Pending;
            }
            Poll::Ready(result) => result?,
        }
        let text = String::from_utf8(mem::take(&mut this.bytes)).map_err(not_text)?;
        this.out.push_str(&text);
        Poll::Ready(Ok(text.len()))
    }
}

pub(super) fn not_text<E>(error: E) -> io::Error
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    io::Error::new(io::ErrorKind::InvalidData, error)
}
