//! Opening a file, and what is done with it as a whole: sync, truncate, reserve.
//!
//! ```text
//!   OpenAt ── path in the kernel's cache? ──yes──▶ kept here? ──yes──▶ done, in the
//!                │ no, or the file may have           │ no             call that submits
//!                ▼ to be made or emptied              │
//!             ring or pool ◀──────────────────────────┘
//! ```
//!
//! The cache answers for the path, not for the open: under FUSE or NFS that is a
//! question to somebody else, on the worker. So a file is opened there only where
//! nobody else keeps it (`local.rs`): where the path begins is looked at and no
//! other mount entered (`RESOLVE_NO_XDEV`), or else the file itself, by `O_PATH`,
//! which opens nothing. The ring's own first try has the fault, too, and is left
//! out by `ASYNC`: what comes to the ring has been tried here in vain.
//!
//! Every open carries `O_NONBLOCK`, and loses it when it has succeeded: a FIFO
//! without a peer or a serial line without a carrier would keep a worker, a pool
//! thread or the ring's own helper waiting, and the ring adds the flag to its
//! first try anyway, so that without it an open would mean one thing here and
//! another there. Who leased the file (`F_SETLEASE`) is then asked to give it
//! back, but not waited for, and the kernel says `EAGAIN`: a pool thread tries
//! again, with pauses, until the lease is given back or taken away. Without the
//! flag the kernel would do the waiting; but by then the path may be another
//! file's, and that may be a FIFO, for which it would wait for ever.
//!
//! `kinds.rs` has the table of who may touch which memory until when.

#![allow(
    unsafe_code,
    reason = "system calls on the operation's own memory; see kinds.rs"
)]

use super::cached;
use super::cell::Attempt;
use super::descriptor::Descriptor;
use super::kinds::sealed::Steps;
use super::kinds::{Op, retry};
use super::lease::{is_leased, past_lease};
use super::local::{self, Look};
use crate::sys::check;
use io_uring::squeue::{Entry, Flags};
use io_uring::{opcode, types};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// What `openat2` does not serve from the cache alone.
const NEVER_CACHED: i32 = libc::O_CREAT | libc::O_TRUNC | libc::O_TMPFILE;

/// Opens a path; `O_CLOEXEC` is added to the flags.
///
/// A FIFO is opened without waiting for its peer, also where the flags do not
/// say `O_NONBLOCK`; the descriptor itself is non-blocking only if they do. Of a
/// file that is leased, one that does not say so waits for the lease's end, and
/// somewhat longer than the kernel lets it last: then it fails with `WouldBlock`.
/// The path comes back.
#[derive(Debug)]
pub struct OpenAt {
    /// Where a relative path begins; `None` is the working directory.
    pub dir: Option<Arc<OwnedFd>>,
    /// What to open.
    pub path: CString,
    /// `libc::O_*`.
    pub flags: i32,
    /// Permissions of a file that is made, before the umask.
    pub mode: u32,
}

impl OpenAt {
    fn dir(&self) -> RawFd {
        dir_fd(self.dir.as_ref())
    }

    /// As the kernel gets them; see the module's story.
    fn flags(&self) -> i32 {
        let non_blocking = if self.flags & libc::O_PATH == 0 {
            libc::O_NONBLOCK
        } else {
            0
        };
        self.flags | libc::O_CLOEXEC | non_blocking
    }

    /// Whether it waits for a lease's end, and its descriptor blocks: nobody asked for
    /// the opposite.
    fn may_wait(&self) -> bool {
        self.flags & (libc::O_NONBLOCK | libc::O_PATH) == 0
    }

    /// On a pool thread.
    fn call(&self) -> io::Result<u32> {
        let (path, flags) = (self.path.as_ptr(), self.flags());
        retry(|| {
            // SAFETY: the path is a C string that lives until the call returns.
            check(unsafe { libc::openat(self.dir(), path, flags, self.mode) }).map(|fd| fd as usize)
        })
    }

    /// Opens from what the kernel has cached; `None`: it has not, cannot say, or
    /// the open itself may have to wait for somebody.
    fn cached(&self) -> Option<io::Result<OwnedFd>> {
        if !cached::is_known() {
            return None;
        }
        let flags = self.flags();
        if flags & libc::O_PATH != 0 {
            return self.cached_with(flags, 0); // which tells no file system
        }
        // What is within the mount where the path begins is kept by the same.
        if local::begins_here(self.dir(), &self.path)
            && let Some(opened) = self.cached_with(flags, libc::RESOLVE_NO_XDEV)
        {
            return Some(opened);
        }
        match self.look(flags)? {
            Ok(look) if look.is_local() => self.cached_with(flags, 0),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Looks at the file without opening it.
    fn look(&self, flags: i32) -> Option<io::Result<Look>> {
        let same = flags & (libc::O_NOFOLLOW | libc::O_DIRECTORY | libc::O_CLOEXEC);
        let looked = self.cached_with(libc::O_PATH | same, 0)?;
        Some(looked.map(|fd| Look::at(fd.as_raw_fd())))
    }

    fn cached_with(&self, flags: i32, resolve: u64) -> Option<io::Result<OwnedFd>> {
        cached::open(self.dir(), &self.path, flags, resolve)
    }
}

/// Where a path begins, as the kernel is told.
pub(super) fn dir_fd(dir: Option<&Arc<OwnedFd>>) -> RawFd {
    dir.map_or(libc::AT_FDCWD, |dir| dir.as_raw_fd())
}

impl Op for OpenAt {}
impl Steps for OpenAt {
    type Output = OwnedFd;
    type Back = CString;

    fn at_once(&mut self) -> Option<io::Result<u32>> {
        // O_TMPFILE includes O_DIRECTORY, which is served.
        let never = NEVER_CACHED & !libc::O_DIRECTORY;
        if self.flags & never != 0 {
            return None;
        }
        // As the number that drivers have of it: `finish` owns it.
        let opened = self.cached()?;
        Some(opened.map(|fd| fd.into_raw_fd().cast_unsigned()))
    }

    fn entry(&mut self) -> Entry {
        opcode::OpenAt::new(types::Fd(self.dir()), self.path.as_ptr())
            .flags(self.flags())
            .mode(self.mode)
            .build()
            .flags(Flags::ASYNC)
    }

    fn attempt(&mut self) -> Attempt {
        Attempt::Block
    }

    fn must_block(&self, result: &io::Result<u32>) -> bool {
        is_leased(result) && self.may_wait()
    }

    fn block(&mut self) -> io::Result<u32> {
        if self.may_wait() {
            past_lease(|| self.call(), || Ok(()))
        } else {
            self.call()
        }
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<OwnedFd>, CString) {
        let opened = result.map(|fd| {
            // SAFETY: the kernel has just made this descriptor for this operation
            // and told nobody else.
            let fd = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
            if self.may_wait() {
                // SAFETY: takes integers. It changes only flags that were set
                // above, and there it does not fail.
                unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, self.flags) };
            }
            fd
        });
        (opened, std::mem::take(&mut self.path))
    }
}

/// Waits until what was written is on stable storage.
#[derive(Debug)]
pub struct Fsync {
    /// The file.
    pub fd: Arc<Descriptor>,
    /// Leave out metadata that reading the data back does not need.
    pub data_only: bool,
}

impl Op for Fsync {}
impl Steps for Fsync {
    type Output = ();
    type Back = ();

    fn entry(&mut self) -> Entry {
        let flags = if self.data_only {
            types::FsyncFlags::DATASYNC
        } else {
            types::FsyncFlags::empty()
        };
        opcode::Fsync::new(types::Fd(self.fd.as_raw_fd()))
            .flags(flags)
            .build()
    }

    fn attempt(&mut self) -> Attempt {
        Attempt::Block
    }

    fn block(&mut self) -> io::Result<u32> {
        let fd = self.fd.as_raw_fd();
        let data_only = self.data_only;
        retry(|| {
            if data_only {
                // SAFETY: takes an integer.
                check(unsafe { libc::fdatasync(fd) }).map(|_| 0)
            } else {
                // SAFETY: takes an integer.
                check(unsafe { libc::fsync(fd) }).map(|_| 0)
            }
        })
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<()>, ()) {
        (result.map(drop), ())
    }
}

/// Cuts a file off at a length, or extends it by zeros to that.
#[derive(Debug)]
pub struct Ftruncate {
    /// The file, open for writing.
    pub fd: Arc<Descriptor>,
    /// Its new length, in bytes.
    pub length: u64,
}

impl Op for Ftruncate {}
impl Steps for Ftruncate {
    type Output = ();
    type Back = ();
    /// Linux 6.9.
    const OPCODE: Option<u8> = Some(opcode::Ftruncate::CODE);

    fn entry(&mut self) -> Entry {
        opcode::Ftruncate::new(types::Fd(self.fd.as_raw_fd()), self.length).build()
    }

    fn attempt(&mut self) -> Attempt {
        Attempt::Block
    }

    fn block(&mut self) -> io::Result<u32> {
        let (fd, length) = (self.fd.as_raw_fd(), self.length.cast_signed());
        // SAFETY: takes integers; a length beyond the signed ones is an EINVAL.
        retry(|| check(unsafe { libc::ftruncate64(fd, length) }).map(|_| 0))
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<()>, ()) {
        (result.map(drop), ())
    }
}

/// Reserves, or gives back, room on the disk.
#[derive(Debug)]
pub struct Fallocate {
    /// The file, open for writing.
    pub fd: Arc<Descriptor>,
    /// `libc::FALLOC_FL_*`; 0 reserves, and extends the file.
    pub mode: i32,
    /// From where, in bytes.
    pub offset: u64,
    /// How much, in bytes; not 0.
    pub length: u64,
}

impl Op for Fallocate {}
impl Steps for Fallocate {
    type Output = ();
    type Back = ();

    fn entry(&mut self) -> Entry {
        opcode::Fallocate::new(types::Fd(self.fd.as_raw_fd()), self.length)
            .offset(self.offset)
            .mode(self.mode)
            .build()
    }

    fn attempt(&mut self) -> Attempt {
        Attempt::Block
    }

    fn block(&mut self) -> io::Result<u32> {
        let (fd, mode) = (self.fd.as_raw_fd(), self.mode);
        let (offset, length) = (self.offset.cast_signed(), self.length.cast_signed());
        // SAFETY: takes integers.
        retry(|| check(unsafe { libc::fallocate64(fd, mode, offset, length) }).map(|_| 0))
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<()>, ()) {
        (result.map(drop), ())
    }
}
