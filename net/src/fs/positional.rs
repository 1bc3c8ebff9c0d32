//! Reads and writes at an offset, which move no position.

use super::chunk::{self, Chunk};
use super::file::{Changes, File};
use super::now;
use super::started::Started;
use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, budget, waiting_on};
use wakeline_reactor::op::{self, InFlight, IoBuf, IoBufMut};

impl File {
    /// Reads into `buf` from `offset` on, in bytes, and tells how many bytes
    /// came; 0 is the end of the file, or an empty `buf`.
    ///
    /// It may be fewer than there are: what is in memory comes first. Any
    /// number of such reads and writes may run at once.
    ///
    /// # Errors
    ///
    /// What the kernel says: not open for reading, a directory, a pipe (which
    /// has no offsets), a disk that fails.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::fs::File;
    ///
    /// # wakeline_net::testing::block_on(async {
    /// let file = File::open("Cargo.toml").await?;
    /// let mut buf = [0; 9];
    /// let n = file.read_at(&mut buf, 0).await?;
    /// assert_eq!(&buf[..n], b"[package]");
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn read_at<'a>(&'a self, buf: &'a mut [u8], offset: u64) -> ReadAt<'a> {
        ReadAt {
            file: self,
            buf,
            offset: checked(offset),
            reading: None,
            location: Location::caller(),
        }
    }

    /// Writes from `buf` at `offset`, in bytes, and tells how many bytes were
    /// written, which may be fewer.
    ///
    /// A file opened for appending gets them at its end, whatever `offset` is.
    ///
    /// # Errors
    ///
    /// What the kernel says: not open for writing, no room on the disk, a limit
    /// on the size of files. What the disk says when it really writes is told
    /// by [`sync_all`](File::sync_all).
    ///
    /// # Cancellation
    ///
    /// A dropped write has happened, or a part from its beginning has, or it
    /// has not. It may still happen for as long as the kernel takes.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::fs::File;
    ///
    /// # let path = std::env::temp_dir().join(format!("wakeline-doc-write-at-{}", std::process::id()));
    /// # wakeline_net::testing::block_on(async {
    /// let file = File::options().read(true).write(true).create_new(true).open(&path).await?;
    /// assert_eq!(file.write_at(b"world", 6).await?, 5);
    /// assert_eq!(file.metadata().await?.len(), 11);
    /// # std::fs::remove_file(&path)?;
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn write_at<'a>(&'a self, buf: &'a [u8], offset: u64) -> WriteAt<'a> {
        WriteAt {
            file: self,
            buf,
            offset: checked(offset),
            writing: None,
            location: Location::caller(),
        }
    }

    /// Reads into `buf` from `offset` on; yields how many bytes came, and the
    /// buffer: a `Vec` longer by that, others as [`IoBufMut`] says.
    ///
    /// Nothing is copied. The future does not borrow the file. What has no
    /// offsets (a pipe) ignores it.
    ///
    /// # Errors
    ///
    /// As [`read_at`](File::read_at).
    ///
    /// # Cancellation
    ///
    /// The buffer of a dropped read is freed when the kernel is done with it.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::fs::File;
    ///
    /// # wakeline_net::testing::block_on(async {
    /// let file = File::open("Cargo.toml").await?;
    /// let (n, buf) = file.read_at_owned(Vec::with_capacity(9), 0).await;
    /// assert_eq!((n?, &buf[..]), (9, &b"[package]"[..]));
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn read_at_owned<B: IoBufMut>(&self, buf: B, offset: u64) -> ReadAtOwned<B> {
        let (fd, offset) = (Arc::clone(self.descriptor()), checked(offset));
        ReadAtOwned(Started::new(
            Location::caller(),
            op::Read { fd, buf, offset },
        ))
    }

    /// Writes `buf` at `offset`; yields how many bytes were written, which may
    /// be fewer, and the buffer.
    ///
    /// Nothing is copied. The future does not borrow the file.
    ///
    /// # Errors
    ///
    /// As [`write_at`](File::write_at).
    ///
    /// # Cancellation
    ///
    /// As [`write_at`](File::write_at); the buffer is freed when the kernel is
    /// done with it.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::fs::File;
    ///
    /// # let path = std::env::temp_dir().join(format!("wakeline-doc-write-owned-{}", std::process::id()));
    /// # wakeline_net::testing::block_on(async {
    /// let file = File::create(&path).await?;
    /// let (n, buf) = file.write_at_owned(b"hello".to_vec(), 0).await;
    /// assert_eq!((n?, &buf[..]), (5, &b"hello"[..]));
    /// # std::fs::remove_file(&path)?;
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn write_at_owned<B: IoBuf>(&self, buf: B, offset: u64) -> WriteAtOwned<B> {
        self.note_write();
        let (fd, offset) = (Arc::clone(self.descriptor()), checked(offset));
        WriteAtOwned {
            write: Started::new(Location::caller(), op::Write { fd, buf, offset }),
            changes: self.changes().clone(),
        }
    }
}

/// An offset as the kernel gets it. The largest of all would mean "wherever the
/// file is"; it is as wrong as the one before it, so that one goes instead.
fn checked(offset: u64) -> u64 {
    offset.min(u64::MAX - 1)
}

/// The future of [`File::read_at`].
#[must_use = "futures do nothing unless awaited"]
pub struct ReadAt<'a> {
    file: &'a File,
    buf: &'a mut [u8],
    offset: u64,
    reading: Option<InFlight<op::Read<Chunk>>>,
    location: &'static Location<'static>,
}

impl Future for ReadAt<'_> {
    type Output = io::Result<usize>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.reading.is_none() {
            let Poll::Ready(unit) = budget::poll_proceed(cx) else {
                waiting_on(Kind::Yield, 0, this.location);
                return Poll::Pending;
            };
            if this.buf.is_empty() {
                unit.refund();
                return Poll::Ready(Ok(0));
            }
            let fd = this.file.as_fd();
            if let Some(result) = this.file.now().read(fd, this.buf, this.offset) {
                now::spend(unit, &result);
                return Poll::Ready(result);
            }
            unit.refund();
        }
        this.poll_operation(cx)
    }
}

impl ReadAt<'_> {
    #[cold]
    fn poll_operation(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let reading = match &mut self.reading {
            Some(reading) => reading,
            none => {
                self.file.check_position()?;
                let read = op::Read {
                    fd: Arc::clone(self.file.descriptor()),
                    buf: chunk::take(self.buf.len()),
                    offset: self.offset,
                };
                none.insert(op::submit_from(self.location, read))
            }
        };
        let (result, chunk) = ready!(Pin::new(reading).poll(cx));
        if let Ok(n) = result {
            self.buf[..n].copy_from_slice(&chunk[..n]);
        }
        chunk::give_back(chunk);
        Poll::Ready(result)
    }
}

impl fmt::Debug for ReadAt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadAt")
            .field("offset", &self.offset)
            .field("in_flight", &self.reading.is_some())
            .finish_non_exhaustive()
    }
}

/// The future of [`File::write_at`].
#[must_use = "futures do nothing unless awaited"]
pub struct WriteAt<'a> {
    file: &'a File,
    buf: &'a [u8],
    offset: u64,
    writing: Option<InFlight<op::Write<Chunk>>>,
    location: &'static Location<'static>,
}

impl Future for WriteAt<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.writing.is_none() {
            let Poll::Ready(unit) = budget::poll_proceed(cx) else {
                waiting_on(Kind::Yield, 0, this.location);
                return Poll::Pending;
            };
            if this.buf.is_empty() {
                unit.refund();
                return Poll::Ready(Ok(0));
            }
            this.file.note_write();
            let fd = this.file.as_fd();
            if let Some(result) = this.file.now().write(fd, this.buf, this.offset) {
                this.file.changes().note();
                now::spend(unit, &result);
                return Poll::Ready(result);
            }
            unit.refund();
        }
        let writing = match &mut this.writing {
            Some(writing) => writing,
            none => {
                this.file.check_position()?;
                this.file.changes().note(); // as of an owned one
                let write = op::Write {
                    fd: Arc::clone(this.file.descriptor()),
                    buf: chunk::filled(this.buf),
                    offset: this.offset,
                };
                none.insert(op::submit_from(this.location, write))
            }
        };
        let (result, chunk) = ready!(Pin::new(writing).poll(cx));
        this.file.changes().note();
        chunk::give_back(chunk);
        Poll::Ready(result)
    }
}

impl fmt::Debug for WriteAt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteAt")
            .field("offset", &self.offset)
            .field("in_flight", &self.writing.is_some())
            .finish_non_exhaustive()
    }
}

/// The future of [`File::read_at_owned`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadAtOwned<B: IoBufMut>(Started<op::Read<B>>);

impl<B: IoBufMut> Future for ReadAtOwned<B> {
    type Output = (io::Result<usize>, B);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// The future of [`File::write_at_owned`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct WriteAtOwned<B: IoBuf> {
    write: Started<op::Write<B>>,
    changes: Changes,
}

impl<B: IoBuf> Future for WriteAtOwned<B> {
    type Output = (io::Result<usize>, B);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.changes.note(); // it begins, and nobody may hear of its end
        let done = ready!(Pin::new(&mut self.write).poll(cx));
        self.changes.note();
        Poll::Ready(done)
    }
}
