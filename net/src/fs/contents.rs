//! A file's content in one go: read it all, or replace it all.

use super::doing::Doing;
use super::file::File;
use super::several::Several;
use crate::io::{AsyncReadExt, AsyncWriteExt};
use crate::pipe::Sender;
use std::io;
use std::path::Path;

/// Bytes to begin with where the size says nothing, and the step beyond it.
const STEP: usize = 32 << 10;

/// Reads all of a file; of a pipe, until its writers are gone.
///
/// # Errors
///
/// Those of opening it; what the kernel says to a read; `OutOfMemory` if it is
/// larger than memory. The error names the path.
///
/// # Cancellation
///
/// Dropping the future frees what was read.
///
/// # Example
///
/// ```
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// fs::write(dir.join("data"), [1, 2, 3]).await?;
/// assert_eq!(fs::read(dir.join("data")).await?, [1, 2, 3]);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn read(path: impl AsRef<Path>) -> Several<'static, Vec<u8>> {
    let doing = Doing::one("read", path.as_ref());
    Several::new(async move {
        let mut file = File::open(doing.path()).await?;
        let read = contents(&mut file).await;
        // It waits for who keeps the file, and what it tells is about writes.
        let _closed = file.close_unless_local().await;
        read.map_err(|error| doing.failed(error))
    })
}

async fn contents(file: &mut File) -> io::Result<Vec<u8>> {
    let known = file.metadata().await?;
    // What /proc shows has no size; and a file may grow meanwhile.
    let size = known.len();
    if known.is_file() {
        file.note_length(size);
    }
    let mut bytes = Vec::new();
    // One more, so that a file of this size is read to its end in one buffer.
    let first = usize::try_from(size)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    bytes.try_reserve_exact(first.max(64))?;
    loop {
        let read = bytes.len();
        if bytes.capacity() == read {
            bytes.try_reserve(STEP)?;
        }
        let end = bytes.capacity().min(read.saturating_add(8 * STEP));
        bytes.resize(end, 0);
        // At the position, as a pipe has no offsets.
        let n = file.read(&mut bytes[read..]).await?;
        bytes.truncate(read + n);
        if n == 0 {
            return Ok(bytes);
        }
    }
}

/// Reads all of a text file.
///
/// # Errors
///
/// Those of [`read`]; `InvalidData`, with the path and where, if it is not
/// UTF-8.
///
/// # Cancellation
///
/// Dropping the future frees what was read.
///
/// # Example
///
/// ```
/// use std::io::ErrorKind;
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// fs::write(dir.join("text"), b"fine \xff not").await?;
/// let error = fs::read_to_string(dir.join("text")).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidData);
/// assert!(error.to_string().contains("text\": not UTF-8: byte 5"));
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn read_to_string(path: impl AsRef<Path>) -> Several<'static, String> {
    let doing = Doing::one("read", path.as_ref());
    let read = read(path);
    Several::new(async move {
        String::from_utf8(read.await?).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let text = format!("not UTF-8: byte {at} is {:#04x}", error.as_bytes()[at]);
            doing.failed(io::Error::new(io::ErrorKind::InvalidData, text))
        })
    })
}

/// Makes a file with this content, or replaces what it had; or hands it to who
/// reads a pipe.
///
/// Whoever reads it meanwhile sees a part: for those,
/// [`write_atomic`](super::write_atomic).
///
/// # Errors
///
/// Those of opening it; what the kernel says to a write, or on a network to the
/// close. The error names the path. The file then has a part of the content.
///
/// # Cancellation
///
/// Dropping the future leaves a part of the content, from its beginning.
///
/// # Example
///
/// ```
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// fs::write(dir.join("note"), "hello").await?;
/// assert_eq!(fs::read_to_string(dir.join("note")).await?, "hello");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn write<'a, C>(path: impl AsRef<Path>, contents: C) -> Several<'a, ()>
where
    C: AsRef<[u8]> + Send + 'a,
{
    let doing = Doing::one("write", path.as_ref());
    Several::new(async move {
        let file = File::create(doing.path()).await?;
        let written = write_all(file, contents.as_ref()).await;
        written.map_err(|error| doing.failed(error))
    })
}

/// Writes all of `bytes` to a file that was just opened.
async fn write_all(mut file: File, bytes: &[u8]) -> io::Result<()> {
    if file.is_fifo() {
        // Its reader may be slow, and no thread is to wait for that.
        let mut sender = Sender::from_owned_fd_unchecked(file.into_std()?.into())?;
        return sender.write_all(bytes).await;
    }
    let written = file.write_all(bytes).await;
    let closed = file.close_unless_local().await;
    written.and(closed)
}

/// Writes all of `bytes` from `offset` on.
pub(super) async fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        let at = offset + written as u64;
        match file.write_at(&bytes[written..], at).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            n => written += n,
        }
    }
    Ok(())
}
