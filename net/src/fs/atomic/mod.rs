//! A file that is replaced as a whole: written beside, then renamed.
//!
//! ```text
//!   create ──1──▶ Temporary ──2──▶ Synced ──3──▶ Renamed ──4──▶ Committed
//!                     │              │
//!                     └──────5───────┴──────▶ Removed
//! ```
//! 1 `begin`  a new file in the same directory, with the old one's permissions, but for
//!   whose rights it runs with: those it gets when it is written, by `settle`
//! 2 `fsync`  after a dropped write has settled: the content is on the disk;
//!   else the name could get there first
//! 3 `rename` the one step at which the old content becomes the new one; by then the
//!   file is closed, which may have told that the content is not whole
//! 4 `fsync`  of the directory: the rename is on the disk
//! 5 `discard`, or the drop of `Temp` before step 3, on the way out of an error; by
//!   then the file is closed, so that its room is given back here, and on no worker
//!
//! Whoever opens the file at whatever moment, also after the process was killed
//! or the machine lost power, finds the old content or the new one.
//!
//! `O_TMPFILE` would leave nothing behind when the process is killed; but the
//! kernel can give such a file only a name that is free. So the temporary one
//! has a name, that says whose it is: [`AtomicFile::is_temporary`].

mod temp;

use super::contents::write_all_at;
use super::doing::Doing;
use super::file::File;
use super::paths;
use super::several::Several;
use super::work::PoolOp;
use std::fs::Permissions;
use std::future::poll_fn;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use temp::{Begun, Temp};

/// A file being written that gets its name, and replaces what had it, by
/// [`commit`](AtomicFile::commit).
///
/// It keeps the permissions of the file that it replaces, unless it is given others
/// before it is committed, with its access list,
/// and its owner as far as the process may give files away; where the group
/// cannot be kept, nor are the group's rights and the access list. Where that
/// cannot be kept or read, only the owner has rights. Other extended attributes
/// are not kept. If the path is a symbolic link, that stays, and what it leads
/// to is replaced.
///
/// Dropping it removes the temporary file. A process that is killed cannot: its
/// file stays beside the target, with a name that
/// [`is_temporary`](AtomicFile::is_temporary) knows.
///
/// # Example
///
/// ```
/// use wakeline_net::fs::{self, AtomicFile};
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// fs::write(dir.join("conf"), "old").await?;
/// let new = AtomicFile::create(dir.join("conf")).await?;
/// new.file().write_at(b"new", 0).await?;
/// assert_eq!(fs::read(dir.join("conf")).await?, b"old");
/// new.commit().await?;
/// assert_eq!(fs::read(dir.join("conf")).await?, b"new");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "without `commit` the file is removed again"]
pub struct AtomicFile {
    file: File,
    temp: Temp,
    /// For the end: see `temp::Begun`.
    rights: Option<Permissions>,
    doing: Doing,
}

impl AtomicFile {
    /// Begins a new content of the file `path`, which need not exist.
    ///
    /// # Errors
    ///
    /// `NotFound` if its directory is missing, `InvalidInput` if `path` is
    /// something other than a regular file; what the kernel says. The error
    /// names the path.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves nothing behind.
    #[track_caller]
    pub fn create(path: impl AsRef<Path>) -> Several<'static, AtomicFile> {
        AtomicFile::begin(Doing::one("replace", path.as_ref()), true)
    }

    /// Begins the content of the file `path`, which must not exist; nor when
    /// it is committed.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, and those of [`create`](AtomicFile::create).
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves nothing behind.
    ///
    /// # Example
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use wakeline_net::fs::{self, AtomicFile};
    /// # use wakeline_net::testing::{Scratch, block_on};
    /// # let dir = Scratch::new();
    /// # block_on(async {
    /// let new = AtomicFile::create_new(dir.join("once")).await?;
    /// fs::write(dir.join("once"), "somebody was faster").await?;
    /// let error = new.commit().await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn create_new(path: impl AsRef<Path>) -> Several<'static, AtomicFile> {
        AtomicFile::begin(Doing::one("create", path.as_ref()), false)
    }

    #[track_caller]
    fn begin(doing: Doing, replace: bool) -> Several<'static, AtomicFile> {
        let path = doing.path().to_path_buf();
        let begin = PoolOp::new(doing.clone(), move |_stop| temp::begin(&path, replace));
        Several::new(async move {
            let Begun { file, temp, rights } = begin.await?;
            let file = File::from_std(file).map_err(|error| doing.failed(error))?;
            Ok(AtomicFile {
                file,
                temp,
                rights,
                doing,
            })
        })
    }

    /// The new content, to be written (and read).
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The same, to be written at its position.
    #[must_use]
    pub fn file_mut(&mut self) -> &mut File {
        &mut self.file
    }

    /// The name of the new content until `commit`.
    #[must_use]
    pub fn temporary_path(&self) -> &Path {
        self.temp.path()
    }

    /// Brings the content to the disk, then gives it the name, and brings that
    /// to the disk.
    ///
    /// # Errors
    ///
    /// What the kernel says, also to a write that was dropped. The old content
    /// is still there then; unless it was the last step that failed, which the
    /// error says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future: the file has the old content, or the new one, maybe
    /// only after the drop; the temporary file is removed.
    #[track_caller]
    pub fn commit(mut self) -> Several<'static, ()> {
        Several::new(async move {
            let mut whole = self.settle().await;
            if whole.is_ok() {
                whole = self.file.sync_all().await;
                whole = whole.map_err(|error| self.doing.failed(error));
            }
            let doing = self.doing.clone();
            let temp = self.name_it(whole).await?;
            let synced = sync_directory(temp.directory()).await;
            synced.map_err(|error| {
                let kind = error.kind();
                let text = format!(
                    "{error}; the file has its new content, which a power failure may undo"
                );
                doing.failed(io::Error::new(kind, text))
            })
        })
    }

    /// Gives the content its name without waiting for the disk.
    ///
    /// A process that is killed leaves the old content or the new one all the
    /// same; after a power failure the file may have neither.
    ///
    /// # Errors
    ///
    /// What the kernel says, also to a write that was dropped. The old content
    /// is still there then.
    ///
    /// # Cancellation
    ///
    /// As that of [`commit`](AtomicFile::commit).
    #[track_caller]
    pub fn commit_unsynced(mut self) -> Several<'static, ()> {
        Several::new(async move {
            let whole = self.settle().await;
            self.name_it(whole).await?;
            Ok(())
        })
    }

    /// Gives the content its name if it is `whole`. An error leaves nothing behind when it
    /// is told: on a full disk the room is wanted.
    async fn name_it(self, whole: io::Result<()>) -> io::Result<Temp> {
        let AtomicFile {
            file,
            mut temp,
            doing,
            ..
        } = self;
        // First, as it may tell that it is not whole; and as the last close of what has no
        // name any more gives its room back, which takes its time, on this worker.
        let closed = file.close_unless_local().await;
        let whole = whole.and(closed.map_err(|error| doing.failed(error)));
        let named = match whole {
            Ok(()) => rename(&mut temp).await,
            Err(error) => {
                temp.remove().await;
                return Err(error);
            }
        };
        if let Err(error) = named {
            temp.remove().await;
            return Err(doing.failed(error));
        }
        Ok(temp)
    }

    /// Waits for a write at the position whose future was dropped: it is part of
    /// the content, or its error is told. Then it gets the rights that are for the end,
    /// unless somebody has given it others.
    async fn settle(&mut self) -> io::Result<()> {
        let flushed = poll_fn(|cx| self.file.poll_flush_here(cx)).await;
        flushed.map_err(|error| self.doing.failed(error))?;
        let Some(rights) = self.rights.take() else {
            return Ok(());
        };
        let found = self.file.metadata().await;
        let found = found.map_err(|error| self.doing.failed(error))?;
        if self.file.has_new_rights() || found.mode() & 0o7777 != rights.mode() & 0o777 {
            return Ok(());
        }
        let set = self.file.set_permissions(rights).await;
        set.map_err(|error| self.doing.failed(error))
    }

    /// Removes the new content, and waits until it is gone.
    ///
    /// To drop it removes it, too, but a process may end before that is done.
    ///
    /// # Errors
    ///
    /// What the kernel says; the error names the temporary file.
    ///
    /// # Cancellation
    ///
    /// Dropping the future removes it as dropping the file does.
    #[track_caller]
    pub fn discard(self) -> Several<'static, ()> {
        Several::new(async move {
            let AtomicFile { file, mut temp, .. } = self;
            // First, as in `name_it`. What it tells is about a content that nobody wants.
            let _closed = file.close_unless_local().await;
            paths::remove_file(temp.path()).await?;
            temp.is_gone();
            Ok(())
        })
    }

    /// Whether this is the name of a temporary file, of this process or of one
    /// that was killed.
    ///
    /// Such a name is `.NAME.wakeline-PID-NUMBER.tmp`. Who finds one whose
    /// process is gone may remove it.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::fs::AtomicFile;
    ///
    /// assert!(AtomicFile::is_temporary("/etc/.conf.wakeline-4711-0.tmp"));
    /// assert!(!AtomicFile::is_temporary("/etc/conf.tmp"));
    /// ```
    #[must_use]
    pub fn is_temporary(path: impl AsRef<Path>) -> bool {
        path.as_ref().file_name().is_some_and(temp::is_ours)
    }
}

/// Step 3.
async fn rename(temp: &mut Temp) -> io::Result<()> {
    let (from, to) = (temp.path(), temp.target());
    if temp.replaces() {
        paths::rename(from, to).await?;
    } else {
        match paths::rename_noreplace(from, to).await {
            // This file system cannot promise it; but it can for a second name.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                paths::hard_link(from, to).await?;
                temp.remove().await;
                return Ok(());
            }
            result => result?,
        }
    }
    temp.is_gone();
    Ok(())
}

async fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = File::open(path).await?;
    let synced = directory.sync_all().await;
    let _closed = directory.close_unless_local().await;
    match synced {
        // A file system that has nothing to bring to a disk.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// Replaces the content of a file as a whole: whoever reads it, whenever, finds
/// the old or the new one, also after a crash of the machine.
///
/// That costs two waits for the disk; [`write`](super::write) costs none.
///
/// # Errors
///
/// Those of [`AtomicFile::create`] and [`commit`](AtomicFile::commit);
/// `StorageFull`. The error names the path.
///
/// # Cancellation
///
/// Dropping the future: the file has the old content, or the new one, maybe only
/// after the drop; the temporary file is removed.
///
/// # Example
///
/// ```
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// fs::write_atomic(dir.join("state"), "42").await?;
/// assert_eq!(fs::read(dir.join("state")).await?, b"42");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn write_atomic<'a, C>(path: impl AsRef<Path>, contents: C) -> Several<'a, ()>
where
    C: AsRef<[u8]> + Send + 'a,
{
    let doing = Doing::one("replace", path.as_ref());
    let create = AtomicFile::create(path);
    Several::new(async move {
        let new = create.await?;
        let written = write_all_at(new.file(), contents.as_ref(), 0).await;
        if let Err(error) = written {
            return new.name_it(Err(doing.failed(error))).await.map(drop);
        }
        new.commit().await
    })
}
