//! Reading and writing: files, and also pipes, terminals and sockets.
//! What else can be done with a file is in `open.rs` and `stat.rs`.
//!
//! `kinds.rs` has the table of who may touch which memory until when.

#![allow(
    unsafe_code,
    reason = "system calls on the operation's own memory; see kinds.rs"
)]

use super::cell::Attempt;
use super::descriptor::Descriptor;
use super::kinds::sealed::Steps;
use super::kinds::{LENGTH_MAX, NO_OFFSET, Op, attempt_of, retry, wait_for};
use crate::state::Direction;
use crate::sys::check_len;
use io_uring::squeue::Entry;
use io_uring::{opcode, types};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// Reads from `offset` into the spare capacity of `buf`.
///
/// Yields how many bytes were appended, 0 at the end of the file; gives `buf`
/// back, longer by that. An `offset` of `u64::MAX` reads at the file's own
/// position; pipes and sockets have no positions and ignore it.
#[derive(Debug)]
pub struct Read {
    /// What to read from.
    pub fd: Arc<Descriptor>,
    /// Where to; it is not grown.
    pub buf: Vec<u8>,
    /// From where, in bytes.
    pub offset: u64,
}

impl Read {
    fn call(&mut self, flags: libc::c_int) -> io::Result<usize> {
        let spare = self.buf.spare_capacity_mut();
        let part = libc::iovec {
            iov_base: spare.as_mut_ptr().cast(),
            iov_len: spare.len().min(LENGTH_MAX),
        };
        let fd = self.fd.as_raw_fd();
        let call = |offset: u64| {
            // SAFETY: `part` is the buffer's own spare memory, borrowed
            // mutably until the call has returned.
            check_len(unsafe { libc::preadv2(fd, &part, 1, offset as i64, flags) })
        };
        match call(self.offset) {
            // What has no positions: as io_uring does, ignore the offset.
            Err(error) if error.raw_os_error() == Some(libc::ESPIPE) => call(NO_OFFSET),
            result => result,
        }
    }
}

impl Op for Read {}
impl Steps for Read {
    type Output = usize;
    type Back = Vec<u8>;
    const DIRECTION: Option<Direction> = Some(Direction::Read);

    fn entry(&mut self) -> Entry {
        let spare = self.buf.spare_capacity_mut();
        let length = spare.len().min(LENGTH_MAX) as u32;
        opcode::Read::new(
            types::Fd(self.fd.as_raw_fd()),
            spare.as_mut_ptr().cast(),
            length,
        )
        .offset(self.offset)
        .build()
    }

    fn attempt(&mut self) -> Attempt {
        attempt_of(self.call(libc::RWF_NOWAIT), Direction::Read)
    }

    fn takes_for_good(&self) -> bool {
        self.fd.is_stream()
    }

    fn block(&mut self) -> io::Result<u32> {
        loop {
            match retry(|| self.call(0)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait_for(self.fd.as_raw_fd(), libc::POLLIN)?;
                }
                result => return result,
            }
        }
    }

    fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn duplicate_fd(&self) -> io::Result<OwnedFd> {
        self.fd.as_fd().try_clone_to_owned()
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<usize>, Vec<u8>) {
        let mut buf = std::mem::take(&mut self.buf);
        let read = result.map(|n| n as usize);
        if let Ok(read) = read {
            assert!(
                read <= buf.capacity() - buf.len(),
                "the kernel wrote within the buffer"
            );
            // SAFETY: the kernel has written `read` bytes at the end of `buf`,
            // in the request built by `entry` or the call in `call`, and it
            // has completed: it will not touch them again.
            unsafe { buf.set_len(buf.len() + read) };
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
pub struct Write {
    /// What to write to.
    pub fd: Arc<Descriptor>,
    /// What to write.
    pub buf: Vec<u8>,
    /// Where, in bytes.
    pub offset: u64,
}

impl Write {
    fn call(&mut self, flags: libc::c_int) -> io::Result<usize> {
        let part = libc::iovec {
            iov_base: self.buf.as_mut_ptr().cast(),
            iov_len: self.buf.len().min(LENGTH_MAX),
        };
        let fd = self.fd.as_raw_fd();
        let call = |offset: u64| {
            // SAFETY: `part` is the buffer, borrowed until the call has
            // returned; it is only read.
            check_len(unsafe { libc::pwritev2(fd, &part, 1, offset as i64, flags) })
        };
        match call(self.offset) {
            Err(error) if error.raw_os_error() == Some(libc::ESPIPE) => call(NO_OFFSET),
            result => result,
        }
    }
}

impl Op for Write {}
impl Steps for Write {
    type Output = usize;
    type Back = Vec<u8>;
    const DIRECTION: Option<Direction> = Some(Direction::Write);

    fn entry(&mut self) -> Entry {
        let length = self.buf.len().min(LENGTH_MAX) as u32;
        opcode::Write::new(types::Fd(self.fd.as_raw_fd()), self.buf.as_ptr(), length)
            .offset(self.offset)
            .build()
    }

    fn attempt(&mut self) -> Attempt {
        attempt_of(self.call(libc::RWF_NOWAIT), Direction::Write)
    }

    fn block(&mut self) -> io::Result<u32> {
        loop {
            match retry(|| self.call(0)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait_for(self.fd.as_raw_fd(), libc::POLLOUT)?;
                }
                result => return result,
            }
        }
    }

    fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn duplicate_fd(&self) -> io::Result<OwnedFd> {
        self.fd.as_fd().try_clone_to_owned()
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<usize>, Vec<u8>) {
        (result.map(|n| n as usize), std::mem::take(&mut self.buf))
    }
}
