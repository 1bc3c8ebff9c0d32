//! The system calls of this crate, in the one shape that `Source` wants.
//!
//! Everything that is true of *every* call is said here once:
//!
//! - `EINTR` is retried, so no caller sees it;
//! - every call on a socket that can carries `MSG_DONTWAIT`: the mode belongs to all
//!   duplicates together, and who has one (a child process, say) may change it;
//! - every send carries `MSG_NOSIGNAL`, so a closed peer is an error and never
//!   a `SIGPIPE`; for a write to a pipe there is no such flag, and it is the
//!   start of every Rust program that has the signal ignored;
//! - whether a transfer drained the descriptor ([`Done::Short`]) is decided in
//!   [`transferred`], [`received`] and their callers, and nowhere else.
//!
//! It knows no future and no reactor.

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendFlags};
use rustix::net::{SocketAddrAny, SocketFlags};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use wakeline_reactor::op::IoBufMut;
use wakeline_reactor::{Done, Source, faults};

/// A connection that failed before it was accepted costs an `accept` that says
/// so. This many in a row are skipped before the error is shown after all.
const FAILED_CONNECTIONS_SKIPPED: usize = 64;

/// More buffers in one call are an error of the kernel's, so we cut there.
pub(crate) const BUFFERS_MAX: usize = 1024;

/// Which rules tell that a stream is drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// The kernel tells with each read what is left, since [`count_received`].
    /// Less than was asked for proves nothing: a read stops at an urgent mark.
    Tcp,
    /// A TCP stream of which the reactor would have told urgent data. Then less
    /// than was asked for is all that there is, and the lighter call will do. So
    /// it will once the end has come, as nobody waits before that was read. See
    /// `Source::is_quiet`, also for what it cannot know.
    QuietTcp,
    /// The kernel does not tell, and less than was asked for proves nothing
    /// here either: a read never crosses a message with descriptors (which it
    /// closes, as nobody asked for them), nor an urgent mark. So after a short
    /// read we ask: `SO_INQ` would tell with the read, but only since Linux
    /// 6.17, and by a call that costs as much more as to ask.
    Unix,
    /// A pipe that we made: less than was asked for is all that there is.
    Pipe,
    /// A pipe that others made. Its writer may have set `O_DIRECT`, which does
    /// not show at this end: then a read gives one packet, however many wait.
    /// So after a short read we ask.
    ForeignPipe,
}

/// How each send is done.
const SEND: SendFlags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);

/// Calls until the result is something else than "interrupted".
pub(crate) fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        if faults::interrupts() {
            continue;
        }
        match call() {
            Err(Errno::INTR) => {}
            result => return result.map_err(io::Error::from),
        }
    }
}

/// Lets the reads of a TCP socket know what is left, and those of the streams
/// that a listener accepts.
pub(crate) fn count_received(fd: impl AsFd) {
    // A kernel that refuses is no reason to do without the socket: `read` then
    // goes by the length, which only urgent data proves wrong.
    let _ = wakeline_reactor::count_received(fd.as_fd());
}

/// `n` of `wanted` bytes went through a stream. Zero of a read is the end of
/// file, which stays readable for ever.
fn transferred(n: usize, wanted: usize) -> Done<usize> {
    if n > 0 && n < wanted {
        Done::Short(n)
    } else {
        Done::Full(n)
    }
}

fn length(bufs: &[IoSliceMut<'_>]) -> usize {
    bufs.iter().map(|buf| buf.len()).sum()
}

/// Reads from a stream.
pub(crate) fn read(fd: BorrowedFd<'_>, family: Family, buf: &mut [u8]) -> io::Result<Done<usize>> {
    let most = faults::length(buf.len());
    let buf = &mut buf[..most];
    match family {
        Family::QuietTcp => Ok(transferred(receive_plain(fd, buf)?, buf.len())),
        Family::Tcp => receive_counted(fd, &mut [IoSliceMut::new(buf)]),
        Family::Unix => Ok(look_for_more(fd, receive_plain(fd, buf)?, buf.len())),
        Family::Pipe => {
            let n = retry(|| rustix::io::read(fd, &mut *buf))?;
            Ok(transferred(n, buf.len()))
        }
        Family::ForeignPipe => {
            let n = retry(|| rustix::io::read(fd, &mut *buf))?;
            Ok(look_for_more(fd, n, buf.len()))
        }
    }
}

pub(crate) fn receive_plain(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    retry(|| rustix::net::recv(fd, &mut *buf, RecvFlags::DONTWAIT)).map(|(n, _)| n)
}

/// Reads from a stream into several buffers, in order.
pub(crate) fn read_vectored(
    fd: BorrowedFd<'_>,
    family: Family,
    bufs: &mut [IoSliceMut<'_>],
) -> io::Result<Done<usize>> {
    let most = faults::length(bufs.len().min(BUFFERS_MAX));
    let bufs = &mut bufs[..most];
    match family {
        Family::Tcp => receive_counted(fd, bufs),
        Family::QuietTcp => Ok(transferred(receive_vectored(fd, bufs)?, length(bufs))),
        Family::Pipe => {
            let n = retry(|| rustix::io::readv(fd, bufs))?;
            Ok(transferred(n, length(bufs)))
        }
        Family::Unix => {
            let n = receive_vectored(fd, bufs)?;
            Ok(look_for_more(fd, n, length(bufs)))
        }
        Family::ForeignPipe => {
            let n = retry(|| rustix::io::readv(fd, bufs))?;
            Ok(look_for_more(fd, n, length(bufs)))
        }
    }
}

/// Without room for what a peer may send along, which the kernel then closes.
fn receive_vectored(fd: BorrowedFd<'_>, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    let mut control = RecvAncillaryBuffer::default();
    let received = retry(|| rustix::net::recvmsg(fd, bufs, &mut control, RecvFlags::DONTWAIT))?;
    Ok(received.bytes)
}

/// Reads from a stream into the room of owned buffers, which is `wanted` bytes.
pub(crate) fn read_owned<B: IoBufMut>(
    fd: BorrowedFd<'_>,
    family: Family,
    bufs: &mut [B],
    wanted: usize,
) -> io::Result<Done<usize>> {
    match family {
        Family::Tcp => {
            let (n, left) = uninterrupted(|| wakeline_reactor::recv_owned(fd, bufs))?;
            Ok(counted(fd, n, left, wanted))
        }
        Family::QuietTcp => {
            let n = uninterrupted(|| wakeline_reactor::recv_owned_uncounted(fd, bufs))?;
            Ok(transferred(n, wanted))
        }
        Family::Pipe => {
            let n = uninterrupted(|| wakeline_reactor::read_owned(fd, bufs))?;
            Ok(transferred(n, wanted))
        }
        Family::Unix => {
            let n = uninterrupted(|| wakeline_reactor::recv_owned_uncounted(fd, bufs))?;
            Ok(look_for_more(fd, n, wanted))
        }
        Family::ForeignPipe => {
            let n = uninterrupted(|| wakeline_reactor::read_owned(fd, bufs))?;
            Ok(look_for_more(fd, n, wanted))
        }
    }
}

/// As [`retry`], of std's errors.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Reads from a TCP stream, and with it whether that drained it.
#[inline]
fn receive_counted(fd: BorrowedFd<'_>, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Done<usize>> {
    let (n, left) = uninterrupted(|| wakeline_reactor::recv_counted(fd, bufs))?;
    Ok(counted(fd, n, left, length(bufs)))
}

/// `n` of `wanted` bytes were read, and `left` were not, if the kernel tells.
/// A read that took the last byte is short also when it filled its buffer.
fn received(n: usize, left: Option<usize>, wanted: usize) -> Done<usize> {
    match left {
        Some(0) if n > 0 => Done::Short(n),
        Some(_) => Done::Full(n),
        None => transferred(n, wanted),
    }
}

/// The same, where the kernel may not have been asked to tell: the stream connected before
/// its listener was ours. It is asked from here on, and this read proves nothing.
#[inline]
fn counted(fd: BorrowedFd<'_>, n: usize, left: Option<usize>, wanted: usize) -> Done<usize> {
    match received(n, left, wanted) {
        Done::Short(n) if left.is_none() && wakeline_reactor::count_received(fd).is_ok() => {
            Done::Full(n)
        }
        done => done,
    }
}

/// `n` of `wanted` bytes were read, and if that is short it still proves
/// nothing: asks, which costs less than the read into `EAGAIN` that it saves.
pub(crate) fn look_for_more(fd: BorrowedFd<'_>, n: usize, wanted: usize) -> Done<usize> {
    let drained = n > 0 && n < wanted && rustix::io::ioctl_fionread(fd) == Ok(0);
    if drained {
        Done::Short(n)
    } else {
        Done::Full(n)
    }
}

/// Reads without taking anything out; so it never drains the descriptor.
pub(crate) fn peek(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<Done<usize>> {
    let (n, _) = retry(|| rustix::net::recv(fd, &mut *buf, receive_flags(true)))?;
    Ok(Done::Full(n))
}

/// Writes to a stream.
#[inline]
pub(crate) fn write(fd: BorrowedFd<'_>, family: Family, buf: &[u8]) -> io::Result<Done<usize>> {
    let buf = &buf[..faults::length(buf.len())];
    let n = match family {
        Family::Tcp | Family::QuietTcp | Family::Unix => {
            retry(|| rustix::net::send(fd, buf, SEND))?
        }
        Family::Pipe | Family::ForeignPipe => retry(|| rustix::io::write(fd, buf))?,
    };
    Ok(transferred(n, buf.len()))
}

/// Writes several buffers to a stream, in order.
pub(crate) fn write_vectored(
    fd: BorrowedFd<'_>,
    family: Family,
    bufs: &[IoSlice<'_>],
) -> io::Result<Done<usize>> {
    let bufs = &bufs[..faults::length(bufs.len().min(BUFFERS_MAX))];
    let wanted = bufs.iter().map(|buf| buf.len()).sum();
    let n = match family {
        Family::Tcp | Family::QuietTcp | Family::Unix => {
            let mut control = SendAncillaryBuffer::default();
            retry(|| rustix::net::sendmsg(fd, bufs, &mut control, SEND))?
        }
        Family::Pipe | Family::ForeignPipe => retry(|| rustix::io::writev(fd, bufs))?,
    };
    Ok(transferred(n, wanted))
}

/// Sends one datagram to the connected peer. It goes whole or not at all, and
/// says nothing about the next one.
pub(crate) fn send(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<Done<usize>> {
    retry(|| rustix::net::send(fd, buf, SEND)).map(Done::Full)
}

/// Sends one datagram to `to`.
pub(crate) fn send_to(
    fd: BorrowedFd<'_>,
    buf: &[u8],
    to: &impl rustix::net::addr::SocketAddrArg,
) -> io::Result<Done<usize>> {
    retry(|| rustix::net::sendto(fd, buf, SEND, to)).map(Done::Full)
}

/// Receives one datagram, or looks at it; what does not fit is cut off.
pub(crate) fn receive(fd: BorrowedFd<'_>, buf: &mut [u8], peek: bool) -> io::Result<Done<usize>> {
    let (n, _) = retry(|| rustix::net::recv(fd, &mut *buf, receive_flags(peek)))?;
    Ok(Done::Full(n))
}

/// The same, with its sender.
pub(crate) fn receive_from(
    fd: BorrowedFd<'_>,
    buf: &mut [u8],
    peek: bool,
) -> io::Result<Done<(usize, Option<SocketAddrAny>)>> {
    let (n, _, from) = retry(|| rustix::net::recvfrom(fd, &mut *buf, receive_flags(peek)))?;
    Ok(Done::Full((n, from)))
}

fn receive_flags(peek: bool) -> RecvFlags {
    if peek {
        RecvFlags::PEEK | RecvFlags::DONTWAIT
    } else {
        RecvFlags::DONTWAIT
    }
}

/// Takes a connection, non-blocking and closed on exec.
///
/// A connection that broke while it waited is reported by the kernel as an
/// error of `accept` though the listener is well; such are skipped.
pub(crate) fn accept(fd: BorrowedFd<'_>) -> io::Result<Done<(OwnedFd, Option<SocketAddrAny>)>> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let mut skipped = 0;
    loop {
        match retry(|| rustix::net::acceptfrom_with(fd, flags)) {
            Err(error)
                if is_about_one_connection(&error) && skipped < FAILED_CONNECTIONS_SKIPPED =>
            {
                skipped += 1;
            }
            result => return result.map(Done::Full),
        }
    }
}

/// A connection, and its peer where that is known.
pub(crate) type Accepted = (OwnedFd, Option<SocketAddrAny>);

/// Takes a connection that was accepted ahead, if `source` does that.
pub(crate) fn accept_of(source: &Source, fd: BorrowedFd<'_>) -> io::Result<Done<Accepted>> {
    match source.take_accepted() {
        wakeline_reactor::Accepted::Connection(fd) => {
            // A peer that is gone already may have no address any more.
            let peer = rustix::net::getpeername(&fd).ok().flatten();
            Ok(Done::Full((fd, peer)))
        }
        wakeline_reactor::Accepted::None => Err(io::ErrorKind::WouldBlock.into()),
        wakeline_reactor::Accepted::Ask => accept(fd),
    }
}

/// The errors that accept(2) tells to treat like "try again".
pub(crate) fn is_about_one_connection(error: &io::Error) -> bool {
    let one_connection = [
        Errno::CONNABORTED,
        Errno::PROTO,
        Errno::PERM,
        Errno::NETDOWN,
        Errno::NETUNREACH,
        Errno::NOPROTOOPT,
        Errno::HOSTDOWN,
        Errno::HOSTUNREACH,
        Errno::NONET,
    ];
    Errno::from_io_error(error).is_some_and(|errno| one_connection.contains(&errno))
}

/// The Internet address that the kernel gave.
pub(crate) fn internet(addr: SocketAddrAny) -> io::Result<SocketAddr> {
    SocketAddr::try_from(addr).map_err(io::Error::from)
}

/// The Internet address of a peer, which an Internet socket always has.
pub(crate) fn sender(addr: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
    addr.map_or_else(|| Err(io::ErrorKind::NotConnected.into()), internet)
}

#[cfg(test)]
mod tests;
