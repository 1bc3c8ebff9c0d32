//! The futures of a datagram that has an address.

use super::{UnixDatagram, receive_from};
use crate::leaf::{Operation, named_future};
use crate::unix::pace::Pace;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use wakeline_context::{Kind, waiting_on};
use wakeline_reactor::Done;

#[derive(Debug)]
pub(crate) struct RecvFromOp<'a> {
    pub(super) buf: &'a mut [u8],
}

impl Operation for RecvFromOp<'_> {
    type Output = (usize, SocketAddr);

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<Self::Output>> {
        receive_from(fd, self.buf)
    }
}

named_future! {
    /// The future of [`UnixDatagram::recv_from`]: how many bytes came, and from
    /// whom.
    RecvFrom, RecvFromOp<'a>, (usize, SocketAddr)
}

/// The future of [`UnixDatagram::send_to`]: how many bytes were sent.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct SendTo<'a> {
    socket: &'a UnixDatagram,
    buf: &'a [u8],
    /// The address, or why there is none; taken by the poll that tells it.
    addr: Result<SocketAddr, Option<io::Error>>,
    pace: Pace,
    location: &'static Location<'static>,
}

impl<'a> SendTo<'a> {
    #[track_caller]
    pub(super) fn new(
        socket: &'a UnixDatagram,
        buf: &'a [u8],
        addr: io::Result<SocketAddr>,
    ) -> SendTo<'a> {
        SendTo {
            socket,
            buf,
            addr: addr.map_err(Some),
            pace: Pace::default(),
            location: Location::caller(),
        }
    }
}

impl Future for SendTo<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let addr = match &mut this.addr {
            Ok(addr) => &*addr,
            Err(error) => {
                let error = error.take().expect("a send was polled after it was ready");
                return Poll::Ready(Err(error));
            }
        };
        let attempt = || this.socket.try_send_to_addr(this.buf, addr);
        let poll = this.pace.poll(cx, attempt);
        if poll.is_pending() {
            let id = this.socket.as_raw_fd() as u64;
            waiting_on(Kind::Write, id, this.location);
        }
        poll
    }
}
