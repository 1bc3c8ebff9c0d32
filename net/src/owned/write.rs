//! Writing buffers that are owned: see the story of `mod.rs`.

use super::{Bufs, One, Stopped, cancelled, debug_as};
use crate::leaf::{Leaf, Operation};
use crate::stream::Stream;
use crate::sys::{self, Family};
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_reactor::op::IoBuf;
use wakeline_reactor::{Direction, Done};

fn length<B: IoBuf>(bufs: &[B]) -> usize {
    bufs.iter().map(IoBuf::len).sum()
}

/// Sends what comes behind the first `skip` bytes.
fn send<B: IoBuf>(
    fd: BorrowedFd<'_>,
    family: Family,
    bufs: &[B],
    skip: usize,
) -> io::Result<Done<usize>> {
    if let [buf] = bufs {
        return sys::write(fd, family, &buf.bytes()[skip..]);
    }
    let mut before = skip;
    let parts: Vec<IoSlice<'_>> = bufs
        .iter()
        .filter_map(|buf| {
            let bytes = buf.bytes();
            let rest = bytes.get(before..).unwrap_or_default();
            before = before.saturating_sub(bytes.len());
            (!rest.is_empty()).then(|| IoSlice::new(rest))
        })
        .take(sys::BUFFERS_MAX)
        .collect();
    sys::write_vectored(fd, family, &parts)
}

/// Sends its buffers from a place on.
pub(crate) struct Sending<P> {
    family: Family,
    bufs: Option<P>,
    sent: usize,
    total: usize,
}

impl<P: Bufs<Buf: IoBuf>> Operation for Sending<P> {
    type Output = usize;

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<usize>> {
        let bufs = self.bufs.as_ref().expect("polled after it was ready");
        send(fd, self.family, bufs.as_ref(), self.sent)
    }
}

struct Writing<'a, P>(Leaf<'a, Sending<P>>);

impl<P: Bufs<Buf: IoBuf>> Writing<'_, P> {
    #[track_caller]
    fn new(stream: &Stream, bufs: P) -> Writing<'_, P> {
        let total = length(bufs.as_ref());
        let sending = Sending {
            family: stream.family(),
            bufs: Some(bufs),
            sent: 0,
            total,
        };
        Writing(stream.leaf(Direction::Write, sending))
    }

    fn take(&mut self) -> P {
        let bufs = self.0.op_mut().bufs.take();
        bufs.expect("it was ready before, and gave its buffers back")
    }

    /// One call.
    fn poll_some(&mut self, cx: &mut Context<'_>) -> Poll<(io::Result<usize>, P)> {
        let result = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready((result, self.take()))
    }

    /// Calls until all is sent.
    fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.0.op_mut().sent < self.0.op_mut().total {
            match ready!(Pin::new(&mut self.0).poll(cx)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(n) => self.0.op_mut().sent += n,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The future of a stream's `write_owned`: how many bytes the kernel took, and
/// the buffer.
///
/// # Panics
///
/// When polled again after it was ready.
#[must_use = "futures do nothing unless awaited"]
pub struct WriteOwned<'a, B>(Writing<'a, One<B>>);

impl<'a, B: IoBuf> WriteOwned<'a, B> {
    #[track_caller]
    pub(crate) fn new(stream: &'a Stream, buf: B) -> WriteOwned<'a, B> {
        WriteOwned(Writing::new(stream, One(buf)))
    }

    /// Gives up, and gives the buffer back with an error of `ECANCELED`;
    /// nothing was written then.
    ///
    /// # Panics
    ///
    /// If it was ready before.
    pub fn cancel(mut self) -> Stopped<(io::Result<usize>, B)> {
        Stopped::now((Err(cancelled()), self.0.take().0))
    }
}

impl<B: IoBuf> Future for WriteOwned<'_, B> {
    type Output = (io::Result<usize>, B);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_some(cx).map(|(result, One(buf))| (result, buf))
    }
}

/// The future of a stream's `write_vectored_owned`: how many bytes the kernel
/// took, and the buffers.
///
/// # Panics
///
/// When polled again after it was ready.
#[must_use = "futures do nothing unless awaited"]
pub struct WriteVectoredOwned<'a, B>(Writing<'a, Vec<B>>);

impl<'a, B: IoBuf> WriteVectoredOwned<'a, B> {
    #[track_caller]
    pub(crate) fn new(stream: &'a Stream, bufs: Vec<B>) -> WriteVectoredOwned<'a, B> {
        WriteVectoredOwned(Writing::new(stream, bufs))
    }

    /// As [`WriteOwned::cancel`].
    ///
    /// # Panics
    ///
    /// If it was ready before.
    pub fn cancel(mut self) -> Stopped<(io::Result<usize>, Vec<B>)> {
        Stopped::now((Err(cancelled()), self.0.take()))
    }
}

impl<B: IoBuf> Future for WriteVectoredOwned<'_, B> {
    type Output = (io::Result<usize>, Vec<B>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_some(cx)
    }
}

/// The future of a stream's `write_all_vectored_owned`, and the buffers.
///
/// # Panics
///
/// When polled again after it was ready.
#[must_use = "futures do nothing unless awaited"]
pub struct WriteAllVectoredOwned<'a, B>(Writing<'a, Vec<B>>);

impl<'a, B: IoBuf> WriteAllVectoredOwned<'a, B> {
    #[track_caller]
    pub(crate) fn new(stream: &'a Stream, bufs: Vec<B>) -> WriteAllVectoredOwned<'a, B> {
        WriteAllVectoredOwned(Writing::new(stream, bufs))
    }

    /// Gives up, and gives the buffers back with how many bytes were written.
    ///
    /// # Panics
    ///
    /// If it was ready before.
    pub fn cancel(mut self) -> Stopped<(io::Result<usize>, Vec<B>)> {
        let sent = self.0.0.op_mut().sent;
        Stopped::now((Ok(sent), self.0.take()))
    }
}

impl<B: IoBuf> Future for WriteAllVectoredOwned<'_, B> {
    type Output = (io::Result<()>, Vec<B>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.0.poll_all(cx));
        Poll::Ready((result, self.0.take()))
    }
}

debug_as!(WriteOwned, WriteVectoredOwned, WriteAllVectoredOwned);
