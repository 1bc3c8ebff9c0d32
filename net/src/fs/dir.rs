//! What is in a directory: a stream, batch by batch from the blocking pool.
//!
//! ```text
//!   read_dir ──▶ Batch(entries) ──1──▶ Reading ──2──▶ Batch ─ .. ─▶ Batch ──3──▶ End
//! ```
//! 1 the last entry of the batch is out: a job reads up to `BATCH` more
//! 2 the job gives the directory back, with what it read
//! 3 the kernel had no more
//!
//! At most `BATCH` entries are held, however large the directory. Each knows
//! its kind, which the kernel tells along with the name: no call per entry.
//! Dropping the stream lets a job in progress finish its batch and forget it.

use super::doing::Doing;
use super::metadata::{FileType, Metadata};
use super::work::PoolOp;
use futures_core::Stream;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::fs::DirEntryExt;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, budget, waiting_on};
use wakeline_reactor::{OffloadFuture, offload_from};

/// Entries that a job reads: some 10 KiB of names.
const BATCH: usize = 256;

type Batch = (std::fs::ReadDir, VecDeque<io::Result<DirEntry>>);

/// Opens a directory, to go through what is in it.
///
/// # Errors
///
/// `NotFound`, `NotADirectory`, `PermissionDenied` and what else the kernel
/// says; the error names the path.
///
/// # Cancellation
///
/// Dropping the future closes the directory.
///
/// # Example
///
/// ```
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// std::fs::write(dir.join("file"), "")?;
/// let mut entries = fs::read_dir(&*dir).await?;
/// while let Some(entry) = entries.next_entry().await? {
///     assert_eq!(entry.file_name(), "file");
///     assert!(entry.file_type()?.is_file());
/// }
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn read_dir(path: impl AsRef<Path>) -> PoolOp<ReadDir> {
    let path = path.as_ref();
    let owned = path.to_path_buf();
    let doing = Doing::one("read directory", path);
    let told = doing.clone();
    let location = Location::caller();
    PoolOp::new(doing, move |_stop| {
        let batch = fill(std::fs::read_dir(owned)?);
        Ok(ReadDir {
            state: State::from(batch),
            doing: told,
            location,
        })
    })
}

/// Reads a batch, on a thread that may block.
fn fill(mut dir: std::fs::ReadDir) -> Batch {
    let entries = dir.by_ref().take(BATCH);
    let entries = entries.map(|entry| entry.map(DirEntry::new)).collect();
    (dir, entries)
}

/// What is in a directory, in no order; see [`read_dir`].
///
/// `.` and `..` are left out. What is made or removed meanwhile may be seen or
/// not; what is there all the time is seen exactly once.
///
/// It is a [`Stream`] of `io::Result<DirEntry>`; after an error it ends.
///
/// # Cancellation
///
/// An entry leaves with the poll that returns it: dropping the future of
/// [`next_entry`](ReadDir::next_entry) loses none.
#[must_use = "a directory is read by `next_entry`, or as a stream"]
pub struct ReadDir {
    state: State,
    doing: Doing,
    location: &'static Location<'static>,
}

enum State {
    Batch {
        entries: VecDeque<io::Result<DirEntry>>,
        /// `None`: there is no more.
        dir: Option<std::fs::ReadDir>,
    },
    Reading(OffloadFuture<Batch>),
}

impl From<Batch> for State {
    fn from((dir, entries): Batch) -> State {
        // A short batch is the last: the directory is closed here.
        let dir = (entries.len() == BATCH).then_some(dir);
        State::Batch { entries, dir }
    }
}

impl ReadDir {
    /// The next entry; `None` at the end.
    ///
    /// # Errors
    ///
    /// What the kernel said; the error names the directory.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no entry.
    ///
    /// # Example
    ///
    /// See [`read_dir`].
    #[track_caller]
    pub fn next_entry(&mut self) -> NextEntry<'_> {
        self.location = Location::caller();
        NextEntry { dir: self }
    }

    fn poll_entry(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<DirEntry>>> {
        loop {
            match &mut self.state {
                State::Batch { entries, dir } => match entries.pop_front() {
                    Some(Ok(entry)) => {
                        let Poll::Ready(unit) = budget::poll_proceed(cx) else {
                            entries.push_front(Ok(entry));
                            waiting_on(Kind::Yield, 0, self.location);
                            return Poll::Pending;
                        };
                        unit.spend();
                        return Poll::Ready(Some(Ok(entry)));
                    }
                    Some(Err(error)) => {
                        *dir = None;
                        entries.clear();
                        return Poll::Ready(Some(Err(self.doing.failed(error))));
                    }
                    None => {
                        let Some(dir) = dir.take() else {
                            return Poll::Ready(None);
                        };
                        self.state = State::Reading(offload_from(self.location, move || fill(dir)));
                    }
                },
                State::Reading(job) => {
                    self.state = match ready!(Pin::new(job).poll(cx)) {
                        Ok(batch) => State::from(batch),
                        Err(error) => State::Batch {
                            entries: VecDeque::from([Err(error)]),
                            dir: None,
                        },
                    };
                }
            }
        }
    }
}

impl Stream for ReadDir {
    type Item = io::Result<DirEntry>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_entry(cx)
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadDir")
            .field("doing", &self.doing)
            .finish_non_exhaustive()
    }
}

/// The future of [`ReadDir::next_entry`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct NextEntry<'a> {
    dir: &'a mut ReadDir,
}

impl Future for NextEntry<'_> {
    type Output = io::Result<Option<DirEntry>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.dir.poll_entry(cx).map(Option::transpose)
    }
}

/// A name in a directory; see [`read_dir`].
///
/// It keeps the directory open, as [`metadata`](DirEntry::metadata) asks there.
#[derive(Debug)]
pub struct DirEntry {
    entry: Arc<std::fs::DirEntry>,
    file_type: io::Result<FileType>,
}

impl DirEntry {
    /// On a thread that may block: a few file systems must be asked for the kind.
    fn new(entry: std::fs::DirEntry) -> DirEntry {
        DirEntry {
            file_type: entry.file_type().map(FileType::from_std),
            entry: Arc::new(entry),
        }
    }

    /// Its name, without the directory's.
    #[must_use]
    pub fn file_name(&self) -> OsString {
        self.entry.file_name()
    }

    /// The path given to [`read_dir`], and its name.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.entry.path()
    }

    /// What it was when the directory was read; a link is a link. It makes no
    /// call.
    ///
    /// # Errors
    ///
    /// Only on file systems that do not tell the kind with the name: when it
    /// was gone as it was asked for.
    pub fn file_type(&self) -> io::Result<FileType> {
        match &self.file_type {
            Ok(file_type) => Ok(*file_type),
            Err(error) => Err(Doing::one("look at", &self.path()).failed(
                error
                    .raw_os_error()
                    .map_or_else(|| error.kind().into(), io::Error::from_raw_os_error),
            )),
        }
    }

    /// Its inode number.
    #[must_use]
    pub fn ino(&self) -> u64 {
        self.entry.ino()
    }

    /// What the kernel knows about it; about a link itself.
    ///
    /// # Errors
    ///
    /// `NotFound` if it was removed meanwhile, and what else the kernel says;
    /// the error names the path.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing but the answer.
    #[track_caller]
    pub fn metadata(&self) -> PoolOp<Metadata> {
        let entry = Arc::clone(&self.entry);
        PoolOp::new(Doing::one("look at", &self.path()), move |_stop| {
            entry.metadata().map(Metadata::from)
        })
    }
}
