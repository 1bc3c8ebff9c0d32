//! Reads and writes of several buffers, in order, as one operation.
//!
//! The kernel reads the list of the parts, too: it is memory of the operation
//! (`Parts`), made when the request or the call is.
//!
//! `kinds.rs` has the table of who may touch which memory until when.

#![allow(
    unsafe_code,
    reason = "system calls on the operation's own memory; see kinds.rs"
)]

use super::buf::{IoBuf, IoBufMut};
use super::cell::Attempt;
use super::descriptor::Descriptor;
use super::file::{at_offset, blocking, readv, writev};
use super::kinds::sealed::Steps;
use super::kinds::{LENGTH_MAX, Op, attempt_of, never_waits, read_attempt_of, retry};
use crate::state::Direction;
use crate::sys::check_len;
use io_uring::squeue::Entry;
use io_uring::{opcode, types};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// More parts in one call are an error of the kernel's, so the list ends there.
pub(super) const PARTS_MAX: usize = 1024;

/// Where the parts are, as the kernel reads it.
pub(crate) struct Parts(Vec<libc::iovec>);

// SAFETY: the pointers are to memory of buffers that are `Send` and that the
// same operation owns; nobody follows them but the kernel.
unsafe impl Send for Parts {}

impl Parts {
    pub(crate) fn new() -> Parts {
        Parts(Vec::new())
    }

    /// Lists `parts`, as many as one call takes.
    pub(crate) fn list(&mut self, parts: impl Iterator<Item = (*mut u8, usize)>) {
        let mut left = LENGTH_MAX;
        self.0.clear();
        for (memory, len) in parts.filter(|(_, len)| *len > 0).take(PARTS_MAX) {
            let iov_len = len.min(left);
            left -= iov_len;
            self.0.push(libc::iovec {
                iov_base: memory.cast(),
                iov_len,
            });
            if left == 0 {
                break;
            }
        }
    }

    pub(crate) fn as_ptr(&self) -> *const libc::iovec {
        self.0.as_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Reads from `offset` into several buffers, each until it is full.
///
/// Yields how many bytes came in all, and gives the buffers back, each as after
/// a [`Read`](super::Read) of its share. At most 1,024 buffers with room are
/// used.
pub struct ReadV<B = Vec<u8>> {
    fd: Arc<Descriptor>,
    bufs: Vec<B>,
    offset: u64,
    parts: Parts,
}

impl<B: IoBufMut> ReadV<B> {
    /// Reads from `fd` at `offset`, which is as of [`Read`](super::Read).
    ///
    /// # Example
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doc.rs")); }
    /// # use doc::block_on;
    /// use std::io::Write;
    /// use std::sync::Arc;
    /// use wakeline_reactor::{Config, Reactor, op};
    ///
    /// let (reader, mut writer) = std::io::pipe()?;
    /// writer.write_all(b"headbody")?;
    /// let reactor = Reactor::new(&Config::default())?;
    /// let _entered = reactor.enter();
    /// let bufs: Vec<Box<[u8]>> = vec![Box::from([0; 4]), Box::from([0; 8])];
    /// let read = op::ReadV::new(Arc::new(reader.into()), bufs, u64::MAX);
    /// let (read, bufs) = block_on(&reactor, op::submit(read))?;
    /// assert_eq!(read?, 8);
    /// assert_eq!((&bufs[0][..], &bufs[1][..4]), (&b"head"[..], &b"body"[..]));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn new(fd: Arc<Descriptor>, bufs: Vec<B>, offset: u64) -> ReadV<B> {
        let parts = Parts::new();
        ReadV {
            fd,
            bufs,
            offset,
            parts,
        }
    }

    fn call(&mut self, flags: libc::c_int) -> io::Result<usize> {
        self.parts.list(self.bufs.iter_mut().map(IoBufMut::room));
        let (fd, parts) = (self.fd.as_raw_fd(), &self.parts);
        let (list, count) = (parts.as_ptr(), parts.len() as libc::c_int);
        at_offset(self.offset, |offset| {
            // SAFETY: `count` parts, each the room of a buffer of `self`, which
            // is borrowed mutably until the call has returned.
            check_len(unsafe { readv(fd, list, count, offset, flags) })
        })
    }
}

/// `n` bytes were read into `bufs`, each in turn.
pub(crate) fn share_out<B: IoBufMut>(bufs: &mut [B], n: usize) {
    let mut left = n;
    for buf in bufs {
        let (_, room) = buf.room();
        let here = room.min(left);
        // SAFETY: the kernel fills a part before it goes to the next one, and
        // the parts were these buffers in this order, those without room left
        // out; so `here` bytes of this one are filled.
        unsafe { buf.filled(here) };
        left -= here;
        if left == 0 {
            return;
        }
    }
    assert_eq!(left, 0, "the kernel wrote within the buffers");
}

impl<B: IoBufMut> Op for ReadV<B> {}
impl<B: IoBufMut> Steps for ReadV<B> {
    type Output = usize;
    type Back = Vec<B>;

    fn entry(&mut self) -> Entry {
        self.parts.list(self.bufs.iter_mut().map(IoBufMut::room));
        let (list, count) = (self.parts.as_ptr(), self.parts.len() as u32);
        opcode::Readv::new(types::Fd(self.fd.as_raw_fd()), list, count)
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
        read_attempt_of(result, self.parts.len() > 0, self.direction())
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

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<usize>, Vec<B>) {
        let mut bufs = std::mem::take(&mut self.bufs);
        let read = result.map(|n| n as usize);
        if let Ok(read) = read {
            share_out(&mut bufs, read);
        }
        (read, bufs)
    }
}

impl<B> fmt::Debug for ReadV<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show("ReadV", &self.fd, self.bufs.len(), self.offset, f)
    }
}

/// Writes several buffers, in order, at `offset`.
///
/// Yields how many bytes were written, which may be fewer than all; gives the
/// buffers back. At most 1,024 buffers that are not empty are used.
pub struct WriteV<B = Vec<u8>> {
    fd: Arc<Descriptor>,
    bufs: Vec<B>,
    offset: u64,
    parts: Parts,
}

impl<B: IoBuf> WriteV<B> {
    /// Writes to `fd` at `offset`, which is as of [`Write`](super::Write).
    ///
    /// # Example
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doc.rs")); }
    /// # use doc::block_on;
    /// use std::io::Read;
    /// use std::sync::Arc;
    /// use wakeline_reactor::{Config, Reactor, op};
    ///
    /// let (mut reader, writer) = std::io::pipe()?;
    /// let reactor = Reactor::new(&Config::default())?;
    /// let _entered = reactor.enter();
    /// let write = op::WriteV::new(Arc::new(writer.into()), vec!["head", "body"], u64::MAX);
    /// let (written, _) = block_on(&reactor, op::submit(write))?;
    /// assert_eq!(written?, 8);
    /// let mut text = String::new();
    /// reader.read_to_string(&mut text)?;
    /// assert_eq!(text, "headbody");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn new(fd: Arc<Descriptor>, bufs: Vec<B>, offset: u64) -> WriteV<B> {
        let parts = Parts::new();
        WriteV {
            fd,
            bufs,
            offset,
            parts,
        }
    }

    fn list(&mut self) {
        let bytes = |buf: &B| (buf.as_ptr().cast_mut(), buf.len());
        self.parts.list(self.bufs.iter().map(bytes));
    }

    fn call(&mut self, flags: libc::c_int) -> io::Result<usize> {
        self.list();
        let (fd, parts) = (self.fd.as_raw_fd(), &self.parts);
        let (list, count) = (parts.as_ptr(), parts.len() as libc::c_int);
        at_offset(self.offset, |offset| {
            // SAFETY: `count` parts, each the bytes of a buffer of `self`, which
            // is borrowed until the call has returned; they are only read.
            check_len(unsafe { writev(fd, list, count, offset, flags) })
        })
    }
}

impl<B: IoBuf> Op for WriteV<B> {}
impl<B: IoBuf> Steps for WriteV<B> {
    type Output = usize;
    type Back = Vec<B>;

    fn entry(&mut self) -> Entry {
        self.list();
        let (list, count) = (self.parts.as_ptr(), self.parts.len() as u32);
        opcode::Writev::new(types::Fd(self.fd.as_raw_fd()), list, count)
            .offset(self.offset)
            .build()
            .flags(self.fd.request_flags())
    }

    fn attempt(&mut self) -> Attempt {
        if self.fd.is_direct() || self.fd.refuses_writes() {
            return Attempt::Block;
        }
        let call = self.call(libc::RWF_NOWAIT);
        self.fd.note_refusal(&call);
        attempt_of(call, self.direction())
    }

    fn block(&mut self) -> io::Result<u32> {
        let fd = Arc::clone(&self.fd);
        blocking(&fd, libc::POLLOUT, || self.call(0))
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

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<usize>, Vec<B>) {
        (result.map(|n| n as usize), std::mem::take(&mut self.bufs))
    }
}

impl<B> fmt::Debug for WriteV<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show("WriteV", &self.fd, self.bufs.len(), self.offset, f)
    }
}

fn show(
    name: &str,
    fd: &Descriptor,
    bufs: usize,
    offset: u64,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    f.debug_struct(name)
        .field("fd", fd)
        .field("bufs", &bufs)
        .field("offset", &offset)
        .finish_non_exhaustive()
}
