//! An open file.

use super::now::Now;
use super::open_options::{Open, OpenOptions};
use rustix::fs::OFlags;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wakeline_reactor::op::Descriptor;

/// An open file.
///
/// It is read and written at offsets ([`read_at`](File::read_at),
/// [`write_at`](File::write_at)) by any number of tasks at once; or, by who has
/// it as `&mut`, at its position: see `AsyncRead`, `AsyncWrite`, `AsyncSeek`
/// of [`io`](crate::io).
///
/// The position is this value's own and begins at 0, unlike that of a
/// [`std::fs::File`], which the kernel shares among all duplicates.
///
/// Dropping it closes it, without a word about errors; [`close`](File::close)
/// tells them.
///
/// # Example
///
/// ```
/// use wakeline_net::fs::File;
///
/// # let path = std::env::temp_dir().join(format!("wakeline-doc-file-{}", std::process::id()));
/// # wakeline_net::testing::block_on(async {
/// let file = File::create(&path).await?;
/// file.write_at(b"hello", 0).await?;
/// file.sync_all().await?;
/// file.close().await?;
///
/// let file = File::open(&path).await?;
/// let mut buf = [0; 5];
/// assert_eq!(file.read_at(&mut buf, 0).await?, 5);
/// assert_eq!(&buf, b"hello");
/// # std::fs::remove_file(&path)?;
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct File {
    fd: Arc<Descriptor>,
    flags: OFlags,
    now: Now,
    /// Counts the writes that were begun: what was read before one is old.
    writes: AtomicU64,
}

impl File {
    /// Opens a file to be read.
    ///
    /// # Errors
    ///
    /// As [`OpenOptions::open`].
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the file, also one that arrives later.
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> Open {
        OpenOptions::new().read(true).open(path)
    }

    /// Opens a file to be written, and makes it or empties it.
    ///
    /// # Errors
    ///
    /// As [`OpenOptions::open`].
    ///
    /// # Cancellation
    ///
    /// As [`OpenOptions::open`].
    #[track_caller]
    pub fn create(path: impl AsRef<Path>) -> Open {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
    }

    /// Makes a file to be read and written, where there is none.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`; else as [`OpenOptions::open`].
    ///
    /// # Cancellation
    ///
    /// As [`OpenOptions::open`].
    #[track_caller]
    pub fn create_new(path: impl AsRef<Path>) -> Open {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
    }

    /// The choice of how to open a file: as [`OpenOptions::new`].
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    pub(crate) fn opened(fd: OwnedFd, flags: OFlags) -> File {
        File {
            fd: Arc::new(Descriptor::from(fd)),
            flags,
            now: Now::new(flags),
            writes: AtomicU64::new(0),
        }
    }

    /// Makes a file of this runtime out of std's.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be asked for its mode.
    pub fn from_std(file: std::fs::File) -> io::Result<File> {
        let fd = OwnedFd::from(file);
        let flags = rustix::fs::fcntl_getfl(&fd)?;
        Ok(File::opened(fd, flags))
    }

    /// A second descriptor of the same file. Reads and writes of the two are
    /// independent of each other.
    ///
    /// # Errors
    ///
    /// When there are no descriptors left.
    pub fn try_clone(&self) -> io::Result<File> {
        let fd = self.fd.as_fd().try_clone_to_owned()?;
        Ok(File::opened(fd, self.flags))
    }

    pub(crate) fn descriptor(&self) -> &Arc<Descriptor> {
        &self.fd
    }

    pub(crate) fn flags(&self) -> OFlags {
        self.flags
    }

    pub(crate) fn now(&self) -> &Now {
        &self.now
    }

    pub(crate) fn note_write(&self) {
        // Relaxed: who writes and then reads orders the two itself.
        self.writes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn into_descriptor(self) -> Arc<Descriptor> {
        self.fd
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
