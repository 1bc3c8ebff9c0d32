//! A copy of a file, which the kernel makes: on the pool, step by step.
//!
//! ```text
//!   FICLONE ──no──▶ copy_file_range ──no──▶ read and write
//!      │                 │ STEP bytes at a time     │ CHUNK bytes at a time
//!      ▼                 ▼                          ▼
//!   shared blocks     no byte comes here        where the kernel refuses
//! ```
//!
//! Between two steps the job looks whether somebody still waits for it.
//!
//! A FIFO or a terminal may wait for its other end for as long as that likes,
//! so no thread of the pool reads or writes it: the job only opens the two, and
//! the copy goes on as reads and writes of the runtime.

use super::doing::Doing;
use super::several::Several;
use super::work::{PoolOp, Stop};
use crate::pipe::Sender;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use wakeline_reactor::op::past_lease;

/// Bytes that one call may copy: some milliseconds of a disk.
const STEP: usize = 4 << 20;
/// Bytes that are read and written at a time where that is the only way.
const CHUNK: usize = 128 << 10;

/// Copies a file's content and its permissions; yields how many bytes.
///
/// What `to` named before is overwritten. A file system that can share blocks
/// copies in no time and takes no room. A FIFO is copied until its writers are
/// gone; onto a FIFO or a device the content is written.
///
/// # Errors
///
/// `InvalidInput` if `from` is neither a regular file nor a FIFO, or if both are
/// the same file, which would be emptied; a `to` that is a FIFO which nobody has
/// open for reading; what the kernel says. The error names both paths. `to` may
/// then have a part of the content.
///
/// # Cancellation
///
/// Dropping the future stops the copy after at most 4 MiB more; `to` has a
/// part of the content then. What was taken out of a FIFO and is not yet written
/// is lost. A copy that is there as a whole or not at all is
/// one to a temporary name that is then [renamed](super::rename).
///
/// # Example
///
/// ```
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// fs::write(dir.join("a"), "content").await?;
/// assert_eq!(fs::copy(dir.join("a"), dir.join("b")).await?, 7);
/// assert_eq!(fs::read(dir.join("b")).await?, b"content");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Several<'static, u64> {
    let (from, to) = (from.as_ref(), to.as_ref());
    let doing = Doing::two("copy", from, "to", to);
    let (from, to) = (from.to_path_buf(), to.to_path_buf());
    let here = PoolOp::new(doing.clone(), move |stop| copy_here(&from, &to, stop));
    Several::new(async move {
        match here.await? {
            Step::Copied(n) => Ok(n),
            Step::Opened { source, target } => {
                let copied = by_streams(source, target).await;
                copied.map_err(|error| doing.failed(error))
            }
        }
    })
}

/// What the pool came to.
enum Step {
    Copied(u64),
    /// One of them may have to be waited for.
    Opened {
        source: File,
        target: File,
    },
}

/// The same on a thread that may block.
fn copy_here(from: &Path, to: &Path, stop: &Stop) -> io::Result<Step> {
    let source = open(OpenOptions::new().read(true), from, stop)?;
    let known = source.metadata()?;
    if !known.is_file() && !is_fifo(&known) {
        return Err(invalid("what is copied must be a regular file or a FIFO"));
    }
    let mode = known.permissions().mode();
    // Not emptied before it is known to be another file.
    let mut writing = OpenOptions::new();
    writing.write(true).create(true).truncate(false).mode(mode);
    let target = open(&mut writing, to, stop)?;
    let found = target.metadata()?;
    if is_same(&known, &found) {
        return Err(invalid("both are the same file"));
    }
    fcntl_setfl(&source, OFlags::empty())?;
    fcntl_setfl(&target, OFlags::empty())?;
    if found.is_file() {
        target.set_len(0)?;
        target.set_permissions(known.permissions())?;
    }
    if is_fifo(&known) || is_fifo(&found) || found.file_type().is_char_device() {
        return Ok(Step::Opened { source, target });
    }
    // The whole content at once: a file system with shared blocks.
    if found.is_file() && rustix::fs::ioctl_ficlone(&target, &source).is_ok() {
        return Ok(Step::Copied(known.len()));
    }
    by_ranges(source, target, stop).map(Step::Copied)
}

/// Opens without waiting: a FIFO would keep the thread until somebody writes, or reads.
/// The same keeps the kernel from waiting for who has leased the file: so that is waited
/// for here.
fn open(options: &mut OpenOptions, path: &Path, stop: &Stop) -> io::Result<File> {
    let options = options.custom_flags(OFlags::NONBLOCK.bits() as i32);
    past_lease(|| options.open(path), || stop.check())
}

/// As the runtime reads and writes.
async fn by_streams(source: File, target: File) -> io::Result<u64> {
    let source = super::File::from_std(source)?;
    if is_fifo(&target.metadata()?) {
        // Its reader may be slow: it is waited for, not written in blocking mode.
        let target = Sender::from_owned_fd_unchecked(target.into())?;
        return crate::io::copy(source, target).await;
    }
    crate::io::copy(source, super::File::from_std(target)?).await
}

fn is_same(a: &Metadata, b: &Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

fn is_fifo(metadata: &Metadata) -> bool {
    metadata.file_type().is_fifo()
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn by_ranges(source: File, target: File, stop: &Stop) -> io::Result<u64> {
    let mut copied = 0;
    loop {
        stop.check()?;
        match rustix::fs::copy_file_range(&source, None, &target, None, STEP) {
            // Nothing at the beginning: empty, or one that has no size but
            // content, as those of /proc. A read can tell.
            Ok(0) if copied == 0 => return by_hand(source, target, stop),
            Ok(0) => return Ok(copied),
            Ok(n) => copied += n as u64,
            Err(Errno::INTR) => {}
            // Not between these two, or not here at all.
            Err(
                Errno::XDEV
                | Errno::INVAL
                | Errno::OPNOTSUPP
                | Errno::NOSYS
                | Errno::PERM
                | Errno::BADF,
            ) if copied == 0 => return by_hand(source, target, stop),
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn by_hand(mut source: File, mut target: File, stop: &Stop) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let mut copied = 0;
    loop {
        stop.check()?;
        match source.read(&mut chunk) {
            Ok(0) => return Ok(copied),
            Ok(n) => {
                target.write_all(&chunk[..n])?;
                copied += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
