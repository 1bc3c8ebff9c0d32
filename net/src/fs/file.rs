//! An open file.

use super::cursor::Cursor;
use super::lock::Locks;
use super::now::Now;
use super::open_options::{Open, OpenOptions};
use rustix::fs::OFlags;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
/// tells them. And it closes it there and then: where somebody else keeps the file
/// (FUSE, NFS, CIFS), the thread waits until he knows, for which `close` lets other
/// tasks run.
///
/// # Cancellation
///
/// A read or seek at the position that is dropped has moved nothing. What it has read
/// is read again; but where the kernel knows no read that does not wait (tmpfs, /proc,
/// /sys, `O_DIRECT`), the next read is given it, which is then as old as the dropped one
/// if somebody else has changed the file: neither this value nor a clone of it.
///
/// A write at the position that is dropped happens all the same. If the next write begins
/// with just its bytes it is taken for that one, tried again, and nothing is written
/// twice; after a flush, a close, a seek, a `set_len`, or a read that has moved the
/// position, it is another write.
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
    pub(super) fd: Arc<Descriptor>,
    flags: OFlags,
    now: Now,
    /// Counts the writes that this value has begun: what a dropped one wrote may
    /// be gone since.
    writes: AtomicU64,
    changes: Changes,
    pub(super) locks: Locks,
    /// `set_permissions` was called.
    new_rights: AtomicBool,
    pub(super) cursor: Cursor,
}

/// Counts what changes the file, when it begins and when it is over: what was
/// read before is old. Of all clones together, which have the file together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes(Arc<AtomicU64>);

impl Changes {
    pub(crate) fn note(&self) {
        // Relaxed: who writes and then reads orders the two himself.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed) // as above
    }
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
        File::opened_at(fd, flags, 0, Changes::default())
    }

    fn opened_at(fd: OwnedFd, flags: OFlags, position: u64, changes: Changes) -> File {
        File {
            fd: Arc::new(Descriptor::from(fd)),
            flags,
            now: Now::new(flags),
            writes: AtomicU64::new(0),
            changes,
            locks: Locks::default(),
            new_rights: AtomicBool::new(false),
            cursor: Cursor::at(position),
        }
    }

    /// Makes a file of this runtime out of std's, at its position.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be asked for its mode.
    ///
    /// # Example
    ///
    /// ```
    /// use std::io::Read;
    /// use wakeline_net::fs::File;
    /// use wakeline_net::io::AsyncReadExt;
    ///
    /// # wakeline_net::testing::block_on(async {
    /// let mut file = std::fs::File::open("Cargo.toml")?;
    /// file.read_exact(&mut [0; 1])?;
    /// let mut file = File::from_std(file)?;
    /// let mut word = [0; 7];
    /// file.read_exact(&mut word).await?;
    /// assert_eq!(&word, b"package");
    /// let mut file = file.into_std()?;
    /// file.read_exact(&mut word[..1])?;
    /// assert_eq!(word[0], b']');
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_std(file: std::fs::File) -> io::Result<File> {
        let fd = OwnedFd::from(file);
        let flags = rustix::fs::fcntl_getfl(&fd)?;
        // A pipe has no position.
        let position = rustix::fs::tell(&fd).unwrap_or(0);
        Ok(File::opened_at(fd, flags, position, Changes::default()))
    }

    /// Makes std's file of it, at its position.
    ///
    /// A write that was dropped may still be under way; `flush` before waits for
    /// it. What a dropped read has taken from a terminal or a FIFO, and has not been
    /// asked for since, is lost: read until nothing is ready.
    ///
    /// # Errors
    ///
    /// When an operation whose future was dropped has the descriptor too, and
    /// there is none left for a duplicate.
    pub fn into_std(self) -> io::Result<std::fs::File> {
        let position = self.cursor.position();
        let fd = match Arc::try_unwrap(self.fd) {
            Ok(own) => own.into_fd(),
            Err(shared) => shared.as_fd().try_clone_to_owned()?,
        };
        // A pipe has no position, and needs none.
        let _ = rustix::fs::seek(&fd, rustix::fs::SeekFrom::Start(position));
        Ok(fd.into())
    }

    /// A second descriptor of the same file, with a position of its own, which
    /// begins where this one's is.
    ///
    /// # Errors
    ///
    /// When there are no descriptors left.
    pub fn try_clone(&self) -> io::Result<File> {
        let fd = self.fd.as_fd().try_clone_to_owned()?;
        let (position, changes) = (self.cursor.position(), self.changes.clone());
        let clone = File::opened_at(fd, self.flags, position, changes);
        Ok(File {
            locks: self.locks.clone(),
            ..clone
        })
    }

    pub(crate) fn descriptor(&self) -> &Arc<Descriptor> {
        &self.fd
    }

    /// What has no positions is an error: a pipe, a terminal, a socket.
    pub(crate) fn check_position(&self) -> io::Result<()> {
        if self.fd.is_stream() {
            // Or a device that has them all the same: the kernel knows.
            rustix::fs::tell(&self.fd)?;
        }
        Ok(())
    }

    /// Whether it is a pipe, with a name or without.
    pub(crate) fn is_fifo(&self) -> bool {
        self.fd.is_fifo()
    }

    pub(crate) fn flags(&self) -> OFlags {
        self.flags
    }

    pub(crate) fn now(&self) -> &Now {
        &self.now
    }

    /// It was seen to have this length, in bytes: an end there needs no second look.
    pub(super) fn note_length(&mut self, length: u64) {
        self.now.note_length(length);
    }

    /// A write begins.
    pub(crate) fn note_write(&self) {
        // Relaxed: it is compared by who has the file as `&mut`.
        self.writes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn writes_begun(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// Who may do what with it is somebody's wish.
    pub(super) fn note_rights(&self) {
        // Relaxed: it is asked for by who has the file for itself.
        self.new_rights.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_new_rights(&self) -> bool {
        self.new_rights.load(Ordering::Relaxed)
    }

    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.flags.intersects(OFlags::WRONLY | OFlags::RDWR)
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
