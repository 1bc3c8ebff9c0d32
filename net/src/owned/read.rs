//! Reading into buffers that are owned: see the story of `mod.rs`.

use super::{Bufs, One, Stopped, cancelled, debug_as};
use crate::leaf::{Leaf, Operation};
use crate::stream::Stream;
use crate::sys;
use std::io;
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_reactor::op::IoBufMut;
use wakeline_reactor::{Direction, Done};

/// Receives into the room of its buffers.
pub(crate) struct Receiving<'a, P> {
    stream: &'a Stream,
    bufs: Option<P>,
    room: usize,
}

impl<P: Bufs<Buf: IoBufMut>> Operation for Receiving<'_, P> {
    type Output = usize;

    fn at_once(&mut self) -> Option<usize> {
        (self.room == 0).then_some(0)
    }

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<usize>> {
        let bufs = self.bufs.as_mut().expect("polled after it was ready");
        sys::read_owned(fd, self.stream.reading(), bufs.as_mut(), self.room)
    }
}

struct Reading<'a, P>(Leaf<'a, Receiving<'a, P>>);

impl<P: Bufs<Buf: IoBufMut>> Reading<'_, P> {
    #[track_caller]
    fn new(stream: &Stream, mut bufs: P) -> Reading<'_, P> {
        // Of the buffers that one call takes: a read that fills those is no short one.
        let rooms = bufs.as_mut().iter_mut().map(|buf| buf.room().1);
        let room = rooms.filter(|room| *room > 0).take(sys::BUFFERS_MAX).sum();
        let receiving = Receiving {
            stream,
            bufs: Some(bufs),
            room,
        };
        Reading(stream.leaf(Direction::Read, receiving))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(io::Result<usize>, P)> {
        let result = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready((result, self.take()))
    }

    fn take(&mut self) -> P {
        let bufs = self.0.op_mut().bufs.take();
        bufs.expect("it was ready before, and gave its buffers back")
    }
}

/// The future of a stream's `read_owned`: how many bytes came, and the buffer.
///
/// # Panics
///
/// When polled again after it was ready.
#[must_use = "futures do nothing unless awaited"]
pub struct ReadOwned<'a, B>(Reading<'a, One<B>>);

impl<'a, B: IoBufMut> ReadOwned<'a, B> {
    #[track_caller]
    pub(crate) fn new(stream: &'a Stream, buf: B) -> ReadOwned<'a, B> {
        ReadOwned(Reading::new(stream, One(buf)))
    }

    /// Gives up, and gives the buffer back with an error of `ECANCELED`.
    ///
    /// Nothing was read then: bytes are taken only by the poll that returns them.
    ///
    /// # Panics
    ///
    /// If it was ready before.
    pub fn cancel(mut self) -> Stopped<(io::Result<usize>, B)> {
        Stopped::now((Err(cancelled()), self.0.take().0))
    }
}

impl<B: IoBufMut> Future for ReadOwned<'_, B> {
    type Output = (io::Result<usize>, B);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx).map(|(result, One(buf))| (result, buf))
    }
}

/// The future of a stream's `read_vectored_owned`: how many bytes came in all,
/// and the buffers.
///
/// # Panics
///
/// When polled again after it was ready.
#[must_use = "futures do nothing unless awaited"]
pub struct ReadVectoredOwned<'a, B>(Reading<'a, Vec<B>>);

impl<'a, B: IoBufMut> ReadVectoredOwned<'a, B> {
    #[track_caller]
    pub(crate) fn new(stream: &'a Stream, bufs: Vec<B>) -> ReadVectoredOwned<'a, B> {
        ReadVectoredOwned(Reading::new(stream, bufs))
    }

    /// As [`ReadOwned::cancel`].
    ///
    /// # Panics
    ///
    /// If it was ready before.
    pub fn cancel(mut self) -> Stopped<(io::Result<usize>, Vec<B>)> {
        Stopped::now((Err(cancelled()), self.0.take()))
    }
}

impl<B: IoBufMut> Future for ReadVectoredOwned<'_, B> {
    type Output = (io::Result<usize>, Vec<B>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

debug_as!(ReadOwned, ReadVectoredOwned);
