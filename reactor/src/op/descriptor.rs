//! A descriptor that operations share, and whether it has positions.

#![allow(unsafe_code, reason = "fcntl(2) of integers")]

use super::kinds::is_non_blocking;
use super::local::Look;
use crate::sys::check;
use io_uring::squeue::Flags;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// A descriptor for operations, which share it in an `Arc`.
///
/// It remembers what it is: a read must know, and asks the kernel only once.
///
/// # Example
///
/// ```
/// use std::fs::File;
/// use std::sync::Arc;
/// use wakeline_reactor::op::Descriptor;
///
/// let file: Arc<Descriptor> = Arc::new(File::open("/proc/self/comm")?.into());
/// assert!(!file.is_stream());
/// let (reader, _writer) = std::io::pipe()?;
/// assert!(Descriptor::from(reader).is_stream());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Descriptor {
    fd: OwnedFd,
    look: OnceLock<Look>,
    direct: OnceLock<bool>,
    /// Its file system cannot write without blocking, and has said so.
    refuses: AtomicBool,
}

impl Descriptor {
    /// Whether it goes past the page cache (`O_DIRECT`): then a call that must
    /// not block waits for the disk all the same, so it is not tried.
    pub(crate) fn is_direct(&self) -> bool {
        *self.direct.get_or_init(|| {
            // SAFETY: takes integers.
            let flags = check(unsafe { libc::fcntl(self.fd.as_raw_fd(), libc::F_GETFL) });
            flags.is_ok_and(|flags| flags & libc::O_DIRECT != 0)
        })
    }

    /// Whether what is read from it is gone: a pipe, a socket, a terminal.
    ///
    /// Files, directories and disks can be read again.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        !matches!(
            self.look().kind,
            None | Some(libc::S_IFREG | libc::S_IFDIR | libc::S_IFBLK)
        )
    }

    /// Whether it is opened and closed without waiting for somebody else: a file,
    /// directory or FIFO of a disk or in memory. It is not, if that cannot be told.
    ///
    /// Linux is asked, and not who keeps the file.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.look().is_local()
    }

    /// How the ring is to make a request about it: who keeps it elsewhere may take his
    /// time, and FUSE does not know "not, if it would block"; nor do all devices. A terminal
    /// does by its mode alone: in blocking mode, as soon as it tells of some room or of some
    /// bytes, the ring makes a call that waits for the rest, and the thread that has handed
    /// the request in stands there (seen with Linux 6.18).
    pub(crate) fn request_flags(&self) -> Flags {
        let waits = match self.look().kind {
            Some(libc::S_IFREG) => !self.is_local(),
            Some(libc::S_IFCHR) => {
                !(self.heeds_non_blocking() && is_non_blocking(self.fd.as_raw_fd()))
            }
            _ => false,
        };
        if waits { Flags::ASYNC } else { Flags::empty() }
    }

    /// Whether its calls keep to `O_NONBLOCK`.
    pub(super) fn heeds_non_blocking(&self) -> bool {
        self.look().heeds_non_blocking()
    }

    /// Looks once, and asks nobody else who may keep the file.
    fn look(&self) -> Look {
        *self.look.get_or_init(|| Look::at(self.fd.as_raw_fd()))
    }

    /// What it has been seen to be, if somebody has looked.
    pub(super) fn known(&self) -> Option<Look> {
        self.look.get().copied()
    }

    /// Whether a write that must not block would be tried in vain: its file
    /// system knows no such thing, and has said so before.
    pub(crate) fn refuses_writes(&self) -> bool {
        // Relaxed: at worst it is tried in vain once more.
        self.refuses.load(Ordering::Relaxed)
    }

    /// Remembers it if a write that must not block was refused. A named pipe
    /// refuses it as well, but can be waited for.
    pub(crate) fn note_refusal(&self, written: &io::Result<usize>) {
        let code = written.as_ref().err().and_then(io::Error::raw_os_error);
        if code == Some(libc::EOPNOTSUPP) && !self.is_stream() {
            self.refuses.store(true, Ordering::Relaxed); // as above
        }
    }

    /// Whether it is a pipe, with a name or without.
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.look().kind == Some(libc::S_IFIFO)
    }

    /// The descriptor inside.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.fd
    }
}

impl<T: Into<OwnedFd>> From<T> for Descriptor {
    fn from(fd: T) -> Descriptor {
        Descriptor {
            fd: fd.into(),
            look: OnceLock::new(),
            direct: OnceLock::new(),
            refuses: AtomicBool::new(false),
        }
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
