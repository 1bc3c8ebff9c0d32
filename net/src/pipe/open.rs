//! FIFOs: pipes that have a name in the file system.

use super::{End, Receiver, Sender, check};
use crate::error::{self, Context};
use crate::sys::{Family, retry};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// How to open a FIFO, a pipe that has a path.
///
/// Both ends are opened without waiting for the other, so there is nothing to
/// `await`.
///
/// # Example
///
/// ```
/// use wakeline_net::pipe::OpenOptions;
///
/// # wakeline_net::testing::block_on(async {
/// # let path = std::env::temp_dir().join(format!("wakeline-doc-{}.fifo", std::process::id()));
/// # let _ = std::fs::remove_file(&path);
/// # let mode = rustix::fs::Mode::from_raw_mode(0o600);
/// # rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0)?;
/// let receiver = OpenOptions::new().open_receiver(&path)?; // first, or the next is an error
/// let sender = OpenOptions::new().open_sender(&path)?;
/// sender.write(b"hello").await?;
/// assert_eq!(&receiver.read_pooled().await?[..], b"hello");
/// # std::fs::remove_file(&path)?;
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "options open nothing by themselves"]
pub struct OpenOptions {
    read_write: bool,
    unchecked: bool,
}

impl OpenOptions {
    /// The usual: one direction, and only what is a FIFO.
    pub fn new() -> OpenOptions {
        OpenOptions::default()
    }

    /// Opens for reading *and* writing, so that this end is its own peer.
    ///
    /// A receiver then never sees the end, when writers come and go; a sender
    /// can be opened before there is a reader, and never gets `BrokenPipe`.
    /// Linux allows this for FIFOs.
    pub fn read_write(&mut self, yes: bool) -> &mut OpenOptions {
        self.read_write = yes;
        self
    }

    /// Opens without a look at what it is.
    pub fn unchecked(&mut self, yes: bool) -> &mut OpenOptions {
        self.unchecked = yes;
        self
    }

    /// Opens the FIFO at `path` for reading.
    ///
    /// If nobody has it open for writing yet, reads wait for the first writer.
    ///
    /// # Errors
    ///
    /// An error that names the path: `NotFound`, `PermissionDenied`, or
    /// `InvalidInput` if it is no FIFO.
    pub fn open_receiver(&self, path: impl AsRef<Path>) -> io::Result<Receiver> {
        let fd = self.open(path.as_ref(), End::Reading)?;
        Ok(Receiver::new(fd, Family::ForeignPipe))
    }

    /// Opens the FIFO at `path` for writing, for which somebody must have it
    /// open for reading.
    ///
    /// # Errors
    ///
    /// An error that names the path: the kernel's ENXIO if there is no reader,
    /// `NotFound`, `PermissionDenied`, or `InvalidInput` if it is no FIFO.
    pub fn open_sender(&self, path: impl AsRef<Path>) -> io::Result<Sender> {
        let fd = self.open(path.as_ref(), End::Writing)?;
        Sender::new(fd, Family::ForeignPipe)
    }

    fn open(&self, path: &Path, end: End) -> io::Result<OwnedFd> {
        let access = match end {
            _ if self.read_write => OFlags::RDWR,
            End::Reading => OFlags::RDONLY,
            End::Writing => OFlags::WRONLY,
        };
        // Without NONBLOCK the call would wait for the other end; without
        // NOCTTY a wrong path could make a terminal ours.
        let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let fd = retry(|| rustix::fs::open(path, flags, Mode::empty()))
            .and_then(|fd| {
                if !self.unchecked {
                    check(&fd, end)?;
                }
                Ok(fd)
            })
            .map_err(|source| explain(path, end, source))?;
        Ok(fd)
    }
}

fn explain(path: &Path, end: End, source: io::Error) -> io::Error {
    let purpose = match end {
        End::Reading => "reading",
        End::Writing => "writing",
    };
    let errno = Errno::from_io_error(&source);
    let hint = match errno {
        Some(Errno::NXIO) => Some(
            "no process has it open for reading: open the receiver first, try again later, or open it with `read_write(true)`",
        ),
        Some(Errno::NOENT) => Some("there is no such path: make it by mkfifo"),
        Some(Errno::ACCESS) => Some("its mode or that of a directory above forbids it"),
        other => error::limits(other),
    };
    Context::with_hint(
        format!("open the FIFO {} for {purpose}", path.display()),
        hint,
        source,
    )
}
