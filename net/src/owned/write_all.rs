//! Writing one buffer whole, on request without a copy.
//!
//! ```text
//!   Sending ──1──▶ Sent ──2──▶ (result, buf)
//!    │  ▲
//!    └──┘ 3
//! ```
//! 1 all is sent, or there was an error
//! 2 the kernel reads nothing of the buffer any more; at once, unless it was lent
//! 3 a part is sent, or there is room again

use super::cancelled;
use crate::leaf::{Leaf, Operation};
use crate::stream::Stream;
use crate::sys::{self, Family};
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, waiting_on};
use wakeline_reactor::op::{IoBuf, ZeroCopy};
use wakeline_reactor::{Direction, Done, Source};

/// Where the buffer is.
enum Buffer<B: IoBuf> {
    Here(B),
    Lent(ZeroCopy<B>),
    Gone,
}

impl<B: IoBuf> Buffer<B> {
    fn poll_back(&mut self, cx: &mut Context<'_>) -> Poll<B> {
        let back = match self {
            Buffer::Here(buf) => std::mem::take(buf),
            Buffer::Lent(lent) => ready!(lent.poll_back(cx)),
            Buffer::Gone => panic!("it was ready before, and gave its buffer back"),
        };
        *self = Buffer::Gone;
        Poll::Ready(back)
    }
}

pub(crate) struct SendingAll<'a, B: IoBuf> {
    source: &'a Source,
    family: Family,
    buf: Buffer<B>,
    zero_copy: bool,
    sent: usize,
    total: usize,
}

impl<B: IoBuf> Operation for SendingAll<'_, B> {
    type Output = usize;

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<usize>> {
        if self.zero_copy
            && let Buffer::Here(buf) = &mut self.buf
        {
            let lent = ZeroCopy::new(self.source, std::mem::take(buf));
            self.buf = Buffer::Lent(lent);
        }
        match &self.buf {
            Buffer::Here(buf) => sys::write(fd, self.family, &buf.bytes()[self.sent..]),
            Buffer::Lent(lent) => lent.send(self.sent).map(Done::Full),
            Buffer::Gone => panic!("it was ready before, and gave its buffer back"),
        }
    }
}

/// The future of a stream's `write_all_owned`, and the buffer.
///
/// # Panics
///
/// When polled again after it was ready.
#[must_use = "futures do nothing unless awaited"]
pub struct WriteAllOwned<'a, B: IoBuf> {
    leaf: Leaf<'a, SendingAll<'a, B>>,
    result: Option<io::Result<()>>,
    location: &'static Location<'static>,
}

impl<'a, B: IoBuf> WriteAllOwned<'a, B> {
    #[track_caller]
    pub(crate) fn new(stream: &'a Stream, buf: B) -> WriteAllOwned<'a, B> {
        let sending = SendingAll {
            source: stream.source(),
            family: stream.family(),
            total: buf.len(),
            buf: Buffer::Here(buf),
            zero_copy: false,
            sent: 0,
        };
        WriteAllOwned {
            leaf: stream.leaf(Direction::Write, sending),
            result: None,
            location: Location::caller(),
        }
    }

    /// Has the network card read the buffer itself, where that can be: a TCP
    /// socket on io_uring.
    ///
    /// The buffer then comes back when the peer has confirmed the last byte,
    /// which takes a round trip, and for ever if the peer stops reading. It
    /// saves a copy and costs pinning the pages, so it pays for large buffers
    /// on real networks only. It is off unless asked for: over loopback, which
    /// copies all the same, it takes longer.
    ///
    /// # Example
    ///
    /// ```
    /// # wakeline_net::testing::block_on(async {
    /// # let (stream, peer) = wakeline_net::testing::tcp_pair().await?;
    /// let page = vec![7; 4096];
    /// let (result, page) = peer.write_all_owned(page).zero_copy(true).await;
    /// result?;
    /// assert_eq!(page.len(), 4096);
    /// # drop(stream);
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn zero_copy(mut self, zero_copy: bool) -> WriteAllOwned<'a, B> {
        self.leaf.op_mut().zero_copy = zero_copy;
        self
    }

    /// Gives up; the future gives the buffer, and how many of its bytes were
    /// sent, from the first on. The rest is not.
    ///
    /// # Panics
    ///
    /// If it was ready before.
    pub fn cancel(mut self) -> CancelWriteAll<B> {
        let op = self.leaf.op_mut();
        let result = match self.result.take() {
            Some(Err(error)) => Err(error),
            _ => Ok(op.sent),
        };
        CancelWriteAll {
            buf: std::mem::replace(&mut op.buf, Buffer::Gone),
            result: Some(result),
            location: self.location,
        }
    }

    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.leaf.op_mut().sent < self.leaf.op_mut().total {
            match ready!(Pin::new(&mut self.leaf).poll(cx)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(n) => self.leaf.op_mut().sent += n,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<B: IoBuf> Future for WriteAllOwned<'_, B> {
    type Output = (io::Result<()>, B);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.result.is_none() {
            this.result = Some(ready!(this.poll_sent(cx)));
        }
        let op = this.leaf.op_mut();
        let Poll::Ready(buf) = op.buf.poll_back(cx) else {
            waiting_on(Kind::Write, op.source.as_raw_fd() as u64, this.location);
            return Poll::Pending;
        };
        let result = this.result.take().expect("set above");
        Poll::Ready((result, buf))
    }
}

impl<B: IoBuf> fmt::Debug for WriteAllOwned<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteAllOwned")
            .field("leaf", &self.leaf)
            .finish_non_exhaustive()
    }
}

/// The future of [`WriteAllOwned::cancel`]: how much was sent, and the buffer.
///
/// # Panics
///
/// When polled again after it was ready.
#[must_use = "it has the buffer"]
pub struct CancelWriteAll<B: IoBuf> {
    buf: Buffer<B>,
    result: Option<io::Result<usize>>,
    location: &'static Location<'static>,
}

impl<B: IoBuf> Future for CancelWriteAll<B> {
    type Output = (io::Result<usize>, B);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(buf) = self.buf.poll_back(cx) else {
            waiting_on(Kind::Write, 0, self.location);
            return Poll::Pending;
        };
        let result = self.result.take().unwrap_or_else(|| Err(cancelled()));
        Poll::Ready((result, buf))
    }
}

impl<B: IoBuf> fmt::Debug for CancelWriteAll<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelWriteAll").finish_non_exhaustive()
    }
}
