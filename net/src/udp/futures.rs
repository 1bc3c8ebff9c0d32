//! The futures of datagram sockets.

use super::{UdpSocket, receive_from};
use crate::addr::{LookupHost, no_address};
use crate::error::Context as ErrorContext;
use crate::leaf::{Leaf, Operation, named_future};
use crate::sys;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_reactor::Done;

#[derive(Debug)]
pub(crate) struct SendOp<'a> {
    pub(crate) buf: &'a [u8],
}

impl Operation for SendOp<'_> {
    type Output = usize;

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<usize>> {
        sys::send(fd, self.buf)
    }
}

named_future! {
    /// The future of a datagram socket's `send`: how many bytes were sent.
    Send, SendOp<'a>, usize
}

#[derive(Debug)]
pub(crate) struct RecvOp<'a> {
    pub(crate) buf: &'a mut [u8],
    pub(crate) peek: bool,
}

impl Operation for RecvOp<'_> {
    type Output = usize;

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<usize>> {
        sys::receive(fd, self.buf, self.peek)
    }
}

named_future! {
    /// The future of a datagram socket's `recv` and `peek`: how many bytes came.
    Recv, RecvOp<'a>, usize
}

#[derive(Debug)]
pub(crate) struct RecvFromOp<'a> {
    pub(super) buf: &'a mut [u8],
    pub(super) peek: bool,
}

impl Operation for RecvFromOp<'_> {
    type Output = (usize, SocketAddr);

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<Self::Output>> {
        receive_from(fd, self.buf, self.peek)
    }
}

named_future! {
    /// The future of [`UdpSocket::recv_from`] and [`UdpSocket::peek_from`]: how
    /// many bytes came, and from whom.
    RecvFrom, RecvFromOp<'a>, (usize, SocketAddr)
}

#[derive(Debug)]
pub(super) struct SendToOp<'a> {
    pub(super) buf: &'a [u8],
    pub(super) to: Option<SocketAddr>,
}

impl Operation for SendToOp<'_> {
    type Output = usize;

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<usize>> {
        match &self.to {
            Some(to) => sys::send_to(fd, self.buf, to),
            None => unreachable!("the destination is found before the first try"),
        }
    }
}

pub(super) enum Destination {
    Known(SocketAddr),
    Asked(LookupHost),
}

/// The future of [`UdpSocket::send_to`]: how many bytes were sent.
#[must_use = "futures do nothing unless awaited"]
pub struct SendTo<'a> {
    socket: &'a UdpSocket,
    leaf: Leaf<'a, SendToOp<'a>>,
    to: Destination,
}

impl<'a> SendTo<'a> {
    pub(super) fn new(
        socket: &'a UdpSocket,
        leaf: Leaf<'a, SendToOp<'a>>,
        to: Destination,
    ) -> SendTo<'a> {
        SendTo { socket, leaf, to }
    }
}

/// The first address; but an IPv4 socket can send to no other family.
fn reachable(socket: &UdpSocket, addrs: &[SocketAddr]) -> Option<SocketAddr> {
    let first = addrs.first()?;
    let is_v4 = first.is_ipv6() && socket.local_addr().is_ok_and(|addr| addr.is_ipv4());
    let reached = addrs.iter().find(|addr| is_v4 && addr.is_ipv4());
    Some(*reached.unwrap_or(first))
}

impl Future for SendTo<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let to = match &mut this.to {
            Destination::Known(to) => *to,
            Destination::Asked(lookup) => {
                let addrs = ready!(lookup.poll_addrs(cx))?;
                let to = reachable(this.socket, &addrs).ok_or_else(no_address)?;
                this.to = Destination::Known(to);
                to
            }
        };
        this.leaf.op_mut().to = Some(to);
        Pin::new(&mut this.leaf).poll(cx)
    }
}

impl fmt::Debug for SendTo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendTo")
            .field("leaf", &self.leaf)
            .finish_non_exhaustive()
    }
}

/// The future of [`UdpSocket::connect`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Connect<'a> {
    pub(super) socket: &'a UdpSocket,
    pub(super) lookup: LookupHost,
}

impl Future for Connect<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let addrs = ready!(self.lookup.poll_addrs(cx))?;
        let mut result = Err(no_address());
        for addr in addrs {
            let connected = sys::retry(|| rustix::net::connect(&self.socket.source, &addr));
            let doing = || format!("connect the UDP socket to {addr}");
            result = connected.map_err(|source| ErrorContext::wrap(doing(), source));
            if result.is_ok() {
                break;
            }
        }
        Poll::Ready(result)
    }
}
