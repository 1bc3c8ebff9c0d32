//! Reading and writing: files, and also pipes, terminals and sockets.
//! What else can be done with a file is in `open.rs` and `stat.rs`.
//!
//! `kinds.rs` has the table of who may touch which memory until when.

#![allow(
    unsafe_code,
    reason = "system calls on the operation's own memory; see kinds.rs"
)]

use super::buf::{IoBuf, IoBufMut};
use super::cell::Attempt;
use super::descriptor::Descriptor;
use super::kinds::sealed::Steps;
use super::kinds::{
    NO_OFFSET, Op, attempt_of, is_ready, length_max, never_waits, read_attempt_of, retry, wait_for,
};
use crate::state::Direction;
use crate::sys::check_len;
use io_uring::squeue::Entry;
use io_uring::{opcode, types};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// Reads from `offset` into `buf`.
///
/// Yields how many bytes came, 0 at the end of the file or if `buf` has no
/// room, and gives `buf` back: a `Vec` longer by that, others as
/// [`IoBufMut`] says. An `offset` of `u64::MAX` reads at the file's own
/// position; pipes and sockets have no positions and ignore it.
#[derive(Debug)]
pub struct Read<B = Vec<u8>> {
    /// What to read from.
    pub fd: Arc<Descriptor>,
    /// Where to; it is not grown.
    pub buf: B,
    /// From where, in bytes.
    pub offset: u64,
}

impl<B: IoBufMut> Read<B> {
    fn call(&mut self, flags: libc::c_int) -> io::Result<usize> {
        let (memory, room) = self.buf.room();
        let part = libc::iovec {
            iov_base: memory.cast(),
            iov_len: length_max(room),
        };
        let fd = self.fd.as_raw_fd();
        at_offset(self.offset, |offset| {
            // SAFETY: `part` is the room of the buffer, which is borrowed
            // mutably until the call has returned.
            check_len(unsafe { readv(fd, &part, 1, offset, flags) })
        })
    }
}

/// `preadv2`, or one of its elders where nothing is asked of it that they cannot do: a
/// sandbox may know them alone.
///
/// # Safety
///
/// `list` is of `count` parts, each of memory that may be written during the call.
pub(super) unsafe fn readv(
    fd: RawFd,
    list: *const libc::iovec,
    count: libc::c_int,
    offset: libc::off_t,
    flags: libc::c_int,
) -> libc::ssize_t {
    match (flags, offset) {
        // SAFETY: the caller's promise, here and below.
        (0, -1) => unsafe { libc::readv(fd, list, count) },
        // SAFETY: as above.
        (0, _) => unsafe { libc::preadv(fd, list, count, offset) },
        // SAFETY: as above.
        _ => unsafe { libc::preadv2(fd, list, count, offset, flags) },
    }
}

/// The same of `pwritev2`.
///
/// # Safety
///
/// `list` is of `count` parts, each of memory that may be read during the call.
pub(super) unsafe fn writev(
    fd: RawFd,
    list: *const libc::iovec,
    count: libc::c_int,
    offset: libc::off_t,
    flags: libc::c_int,
) -> libc::ssize_t {
    match (flags, offset) {
        // SAFETY: the caller's promise, here and below.
        (0, -1) => unsafe { libc::writev(fd, list, count) },
        // SAFETY: as above.
        (0, _) => unsafe { libc::pwritev(fd, list, count, offset) },
        // SAFETY: as above.
        _ => unsafe { libc::pwritev2(fd, list, count, offset, flags) },
    }
}

/// Calls with an offset, and without where there are no positions: io_uring
/// ignores it there, too.
pub(super) fn at_offset(
    offset: u64,
    call: impl Fn(libc::off_t) -> io::Result<usize>,
) -> io::Result<usize> {
    match call(offset as libc::off_t) {
        Err(error) if error.raw_os_error() == Some(libc::ESPIPE) => call(NO_OFFSET as libc::off_t),
        result => result,
    }
}

impl<B: IoBufMut> Op for Read<B> {}
impl<B: IoBufMut> Steps for Read<B> {
    type Output = usize;
    type Back = B;

    fn entry(&mut self) -> Entry {
        let (memory, room) = self.buf.room();
        let length = length_max(room) as u32;
        opcode::Read::new(types::Fd(self.fd.as_raw_fd()), memory, length)
            .offset(self.offset)
            .build()
            .flags(self.fd.request_flags())
    }

    fn attempt(&mut self) -> Attempt {
        if self.fd.is_direct() {
            return Attempt::Block;
        }
        let mut result = self.call(libc::RWF_NOWAIT);
        if never_waits(&result, &self.fd) {
            result = retry(|| self.call(0)).map(|n| n as usize);
        }
        read_attempt_of(result, self.buf.room().1 > 0, self.direction())
    }

    fn takes_for_good(&self) -> bool {
        self.fd.is_stream()
    }

    fn block(&mut self) -> io::Result<u32> {
        let fd = Arc::clone(&self.fd);
        blocking(&fd, libc::POLLIN, || self.call(0))
    }

    fn direction(&self) -> Option<Direction> {
        self.fd.is_stream().then_some(Direction::Read)
    }

    fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn duplicate_fd(&self) -> io::Result<OwnedFd> {
        self.fd.as_fd().try_clone_to_owned()
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<usize>, B) {
        let mut buf = std::mem::take(&mut self.buf);
        let read = result.map(|n| n as usize);
        if let Ok(read) = read {
            let (_, room) = buf.room();
            assert!(read <= room, "the kernel wrote within the buffer");
            // SAFETY: the kernel has written `read` bytes where `room` says, in
            // the request built by `entry` or the call in `call`, and it has
            // completed: it will not touch them again.
            unsafe { buf.filled(read) };
        }
        (read, buf)
    }
}

/// Writes `buf` at `offset`.
///
/// Yields how many bytes were written, which may be fewer; gives `buf` back.
/// An `offset` of `u64::MAX` writes at the file's own position; pipes and
/// sockets have no positions and ignore it.
#[derive(Debug)]
pub struct Write<B = Vec<u8>> {
    /// What to write to.
    pub fd: Arc<Descriptor>,
    /// What to write.
    pub buf: B,
    /// Where, in bytes.
    pub offset: u64,
}

impl<B: IoBuf> Write<B> {
    /// At most so many bytes.
    fn call(&mut self, flags: libc::c_int, most: usize) -> io::Result<usize> {
        let part = libc::iovec {
            iov_base: self.buf.as_ptr().cast_mut().cast(),
            iov_len: length_max(self.buf.len().min(most)),
        };
        let fd = self.fd.as_raw_fd();
        at_offset(self.offset, |offset| {
            // SAFETY: `part` is the buffer, borrowed until the call has
            // returned; it is only read.
            check_len(unsafe { writev(fd, &part, 1, offset, flags) })
        })
    }
}

impl<B: IoBuf> Op for Write<B> {}
impl<B: IoBuf> Steps for Write<B> {
    type Output = usize;
    type Back = B;

    fn entry(&mut self) -> Entry {
        let length = length_max(self.buf.len()) as u32;
        opcode::Write::new(types::Fd(self.fd.as_raw_fd()), self.buf.as_ptr(), length)
            .offset(self.offset)
            .build()
            .flags(self.fd.request_flags())
    }

    fn attempt(&mut self) -> Attempt {
        if self.fd.is_direct() || self.fd.refuses_writes() {
            return Attempt::Block;
        }
        let call = self.call(libc::RWF_NOWAIT, usize::MAX);
        self.fd.note_refusal(&call);
        match attempt_of(call, self.direction()) {
            // One with a name takes no call that does not wait, but it tells
            // when there is room.
            Attempt::Block if self.fd.is_fifo() && !is_ready(self.raw_fd(), libc::POLLOUT) => {
                Attempt::Wait(Direction::Write)
            }
            attempt => attempt,
        }
    }

    fn block(&mut self) -> io::Result<u32> {
        let fd = Arc::clone(&self.fd);
        // A FIFO that has room has it for so much: its reader may be slow, and
        // is not to hold the thread.
        let most = if fd.is_fifo() {
            libc::PIPE_BUF
        } else {
            usize::MAX
        };
        blocking(&fd, libc::POLLOUT, || self.call(0, most))
    }

    fn direction(&self) -> Option<Direction> {
        self.fd.is_stream().then_some(Direction::Write)
    }

    fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn duplicate_fd(&self) -> io::Result<OwnedFd> {
        self.fd.as_fd().try_clone_to_owned()
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<usize>, B) {
        (result.map(|n| n as usize), std::mem::take(&mut self.buf))
    }
}

/// On a pool thread: calls until it is over, waiting where the descriptor is
/// in non-blocking mode and can be waited for; a file is always ready.
pub(super) fn blocking(
    fd: &Descriptor,
    events: libc::c_short,
    mut call: impl FnMut() -> io::Result<usize>,
) -> io::Result<u32> {
    loop {
        match retry(&mut call) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && fd.is_stream() => {
                wait_for(fd.as_raw_fd(), events)?;
            }
            result => return result,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_says_try_again_is_not_asked_for_ever() {
        let fd = Descriptor::from(std::fs::File::open("/proc/self/exe").unwrap());
        let mut calls = 0;
        let result = blocking(&fd, libc::POLLIN, || {
            calls += 1;
            assert_eq!(calls, 1);
            Err(io::ErrorKind::WouldBlock.into())
        });
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_file_that_refuses_what_must_not_wait_is_not_asked_again() {
        let attempt = |fd: Descriptor| {
            fd.note_refusal(&Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)));
            let (fd, buf) = (Arc::new(fd), b"byte".to_vec());
            Write { fd, buf, offset: 0 }.attempt()
        };
        let executable = std::fs::File::open("/proc/self/exe").unwrap();
        let asked = attempt(executable.into());
        assert!(matches!(asked, Attempt::Block), "not asked, or it is EBADF");
        let (_reader, writer) = io::pipe().unwrap();
        assert!(matches!(attempt(writer.into()), Attempt::Done(Ok(4))));
    }
}
