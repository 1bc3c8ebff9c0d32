//! A receive that also tells how much is left, so that its caller knows
//! whether the socket is drained without asking again.
//!
//! ```text
//!   count_received(fd)   once, before the first read
//!   recv_counted(fd) ──▶ (bytes taken, bytes left | not told)
//! ```
//!
//! "Less came than was asked for" proves less than it seems: a read of TCP
//! stops at an urgent mark although more follows. Nor does a poll tell of the
//! mark (see `poll_bits` in `driver/uring/slot.rs`). The count does: it is how
//! far the stream has arrived, less how far it was read, so it covers what lies
//! behind a mark; and at the end of the stream it is 1, so that the end is read.
//!
//! Nor does a splice pass the mark: who splices asks [`is_at_mark`].
//!
//! Below are raw system calls; what the kernel may do with their arguments
//! ends when they return.

#![allow(unsafe_code, reason = "raw system calls; each ends before it returns")]

use crate::op::{IoBufMut, Parts, share_out};
use crate::sys::{check, check_len};
use libc::cmsghdr;
use std::io::{self, IoSliceMut};
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Room for the count (24 bytes), and for the time stamps that somebody may
/// have asked of the socket: the kernel puts those first, and then nothing of
/// what does not fit. Words, since the kernel aligns the messages to words.
type Control = [usize; 128 / size_of::<usize>()];

unsafe extern "C" {
    /// POSIX; the number of the question differs between architectures.
    safe fn sockatmark(fd: libc::c_int) -> libc::c_int;
}

/// Whether the next byte of a TCP stream is the urgent one. A receive passes the
/// mark, and gives what is behind it; `splice` and `FIONREAD` tell of nothing there.
///
/// # Example
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use std::os::fd::AsFd;
/// use wakeline_reactor::is_at_mark;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let (server, _) = listener.accept()?;
/// assert!(!is_at_mark(server.as_fd()));
/// socket2::SockRef::from(&client).send_out_of_band(b"!")?;
/// assert!(is_at_mark(server.as_fd()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn is_at_mark(fd: BorrowedFd<'_>) -> bool {
    sockatmark(fd.as_raw_fd()) == 1
}

/// Has the kernel tell [`recv_counted`] what is left of a TCP stream.
///
/// The streams that a listener accepts inherit it, if they connected after.
///
/// # Errors
///
/// The kernel's: before Linux 4.18, and on what is not TCP, there is no such
/// option. The socket is as usable as before.
///
/// # Example
///
/// See [`recv_counted`].
pub fn count_received(fd: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: `on` is an int, readable for the length of the call.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INQ,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// Receives into `bufs`, in order: how many bytes came, and how many were left
/// then in the kernel, if [`count_received`] was called and the kernel tells.
///
/// At the end of the stream 1 is left, though only the end is.
///
/// Descriptors that a peer sends along, on a Unix stream, are closed. It waits for
/// nothing, in whichever mode the socket is.
///
/// # Errors
///
/// The kernel's, untouched: also `Interrupted`, also `WouldBlock`, and an error
/// for more than 1,024 buffers.
///
/// # Example
///
/// ```
/// use std::io::{IoSliceMut, Write};
/// use std::net::{TcpListener, TcpStream};
/// use std::os::fd::AsFd;
/// use wakeline_reactor::{count_received, recv_counted};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// count_received(listener.as_fd())?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let (server, _) = listener.accept()?;
/// client.write_all(b"hello")?;
///
/// let mut buf = [0; 4];
/// let received = recv_counted(server.as_fd(), &mut [IoSliceMut::new(&mut buf)])?;
/// assert_eq!(received, (4, Some(1)));
/// let received = recv_counted(server.as_fd(), &mut [IoSliceMut::new(&mut buf)])?;
/// assert_eq!(received, (1, Some(0)));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn recv_counted(
    fd: BorrowedFd<'_>,
    bufs: &mut [IoSliceMut<'_>],
) -> io::Result<(usize, Option<usize>)> {
    // std promises that an `IoSliceMut` is an `iovec` in memory.
    let parts: *mut libc::iovec = bufs.as_mut_ptr().cast();
    // SAFETY: `parts` are `bufs`, borrowed mutably until this returns.
    unsafe { receive(fd, parts, bufs.len()) }
}

/// Receives into the room of `bufs`, in order, each until it is full; at most
/// 1,024 of them: how many bytes came and how many were left, as of
/// [`recv_counted`], which also says what becomes of descriptors.
///
/// # Errors
///
/// The kernel's, untouched: also `Interrupted`, also `WouldBlock`.
///
/// # Example
///
/// ```
/// use std::io::Write;
/// use std::net::{TcpListener, TcpStream};
/// use std::os::fd::AsFd;
/// use wakeline_reactor::{count_received, recv_owned};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// count_received(listener.as_fd())?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let (server, _) = listener.accept()?;
/// client.write_all(b"hello")?;
/// let mut buf: Vec<u8> = Vec::with_capacity(64);
/// let received = recv_owned(server.as_fd(), std::slice::from_mut(&mut buf))?;
/// assert_eq!(received, (5, Some(0)));
/// assert_eq!(buf, b"hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn recv_owned<B: IoBufMut>(
    fd: BorrowedFd<'_>,
    bufs: &mut [B],
) -> io::Result<(usize, Option<usize>)> {
    let (n, left) = with_room(bufs, |parts, count| {
        // SAFETY: each part is the room of a buffer, and all of those are
        // borrowed mutably until this returns.
        unsafe { receive(fd, parts, count) }
    })?;
    share_out(bufs, n);
    Ok((n, left))
}

/// Reads into the room of `bufs` as [`recv_owned`] does, and counts nothing.
///
/// # Errors
///
/// The kernel's, untouched: also `Interrupted`, also `WouldBlock`.
///
/// # Example
///
/// ```
/// use std::io::{Write, pipe};
/// use std::os::fd::AsFd;
/// use wakeline_reactor::read_owned;
///
/// let (here, mut there) = pipe()?;
/// there.write_all(b"hello")?;
/// let mut buf: Vec<u8> = Vec::with_capacity(64);
/// let n = read_owned(here.as_fd(), std::slice::from_mut(&mut buf))?;
/// assert_eq!((n, &buf[..]), (5, &b"hello"[..]));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read_owned<B: IoBufMut>(fd: BorrowedFd<'_>, bufs: &mut [B]) -> io::Result<usize> {
    let n = with_room(bufs, |parts, count| {
        let count = count.min(1024) as libc::c_int;
        // SAFETY: each part is the room of a buffer, and all of those are
        // borrowed mutably until this returns.
        check_len(unsafe { libc::readv(fd.as_raw_fd(), parts, count) })
    })?;
    share_out(bufs, n);
    Ok(n)
}

/// Receives into the room of `bufs` as [`recv_owned`] does, and counts nothing.
///
/// What a peer sends along, the kernel drops.
///
/// # Errors
///
/// The kernel's, untouched: also `Interrupted`, also `WouldBlock`.
///
/// # Example
///
/// ```
/// use std::io::Write;
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
/// use wakeline_reactor::recv_owned_uncounted;
///
/// let (here, mut there) = UnixStream::pair()?;
/// there.write_all(b"hello")?;
/// let mut buf: Vec<u8> = Vec::with_capacity(64);
/// let n = recv_owned_uncounted(here.as_fd(), std::slice::from_mut(&mut buf))?;
/// assert_eq!((n, &buf[..]), (5, &b"hello"[..]));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn recv_owned_uncounted<B: IoBufMut>(fd: BorrowedFd<'_>, bufs: &mut [B]) -> io::Result<usize> {
    let n = with_room(bufs, |parts, count| {
        // SAFETY: as in `receive`: zero is a value of each field.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = parts;
        message.msg_iovlen = count.min(1024) as _;
        // SAFETY: `message` names the rooms of the buffers, all of which are borrowed
        // mutably until this returns.
        check_len(unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) })
    })?;
    share_out(bufs, n);
    Ok(n)
}

/// Calls with the rooms of `bufs`, which may be written until it returns.
fn with_room<B: IoBufMut, R>(bufs: &mut [B], call: impl FnOnce(*mut libc::iovec, usize) -> R) -> R {
    if let [buf] = bufs {
        let (memory, room) = buf.room();
        let mut part = libc::iovec {
            iov_base: memory.cast(),
            iov_len: room,
        };
        return call(&mut part, 1);
    }
    let mut parts = Parts::new();
    parts.list(bufs.iter_mut().map(IoBufMut::room));
    call(parts.as_ptr().cast_mut(), parts.len())
}

/// # Safety
///
/// `parts` are `count` pieces of memory that may be written until it returns.
unsafe fn receive(
    fd: BorrowedFd<'_>,
    parts: *mut libc::iovec,
    count: usize,
) -> io::Result<(usize, Option<usize>)> {
    // Not filled: what of it is read, the kernel has written.
    let mut control = MaybeUninit::<Control>::uninit();
    // SAFETY: `msghdr` consists of integers and pointers, for which zero is a
    // value; by name they cannot all be set, as musl has padding in there.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = parts;
    message.msg_iovlen = count as _;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // What a peer may send along on a Unix stream is for no child.
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    // SAFETY: `message` names `control`, borrowed mutably by this function
    // until it returns, and the memory of the caller's promise.
    let bytes = check_len(unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, flags) })?;
    let left = left(&message);
    if left.is_none() && message.msg_controllen > 0 {
        // SAFETY: `recvmsg` has filled it, and this is the one time.
        unsafe { close_rights(&message) };
    }
    Ok((bytes, left))
}

/// Looks the count up among the control messages.
fn left(message: &libc::msghdr) -> Option<usize> {
    // SAFETY: `recvmsg` has set `msg_controllen` to what it wrote of the buffer
    // at `msg_control`, which `receive` keeps until this returns; nothing behind
    // that is read, which nobody has written.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: the two functions that gave `header` give a whole header
        // inside of the buffer, or null; the buffer is aligned to words.
        let cmsghdr {
            cmsg_level,
            cmsg_type,
            ..
        } = unsafe { *header };
        if (cmsg_level, cmsg_type) == (libc::IPPROTO_TCP, libc::TCP_CM_INQ) {
            // SAFETY: computes the address behind the header, inside of the buffer.
            let data = unsafe { libc::CMSG_DATA(header) }.cast::<libc::c_int>();
            // SAFETY: the kernel has written an int there, since the buffer has room
            // for it behind all that the kernel puts first; any bits are an int.
            let left = unsafe { data.read_unaligned() };
            return usize::try_from(left).ok();
        }
        // SAFETY: as of the first header.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    None
}

/// Closes the descriptors that a peer has sent along, which nobody has asked for.
///
/// # Safety
///
/// `message` is as of [`left`], and it is passed once.
#[cold]
unsafe fn close_rights(message: &libc::msghdr) {
    // SAFETY: as in `left`.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: as in `left`.
        let cmsghdr {
            cmsg_level,
            cmsg_type,
            cmsg_len,
            ..
        } = unsafe { *header };
        if (cmsg_level, cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: computes the address behind the header, inside of the buffer.
            let data = unsafe { libc::CMSG_DATA(header) }.cast::<libc::c_int>();
            // SAFETY: computes.
            let before = unsafe { libc::CMSG_LEN(0) };
            let length: usize = cmsg_len.saturating_sub(before as _) as _;
            for nth in 0..length / size_of::<libc::c_int>() {
                // SAFETY: so many are within the message.
                let place = unsafe { data.add(nth) };
                // SAFETY: the kernel has written it; any bits are an int.
                let fd = unsafe { place.read_unaligned() };
                // SAFETY: it was made for this message, which is passed once.
                drop(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
        // SAFETY: as in `left`.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
