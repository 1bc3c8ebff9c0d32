//! What is asked about a path.
//!
//! What the kernel knows of a file is a `statx`, which a ring has. For the rest
//! there is no request: it runs on the blocking pool, by `std`.

use super::doing::Doing;
use super::metadata::Metadata;
use super::work::{NameOp, PoolOp, c_path};
use rustix::fs::AtFlags;
use std::fs::Permissions;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use wakeline_reactor::op::Statx;

#[track_caller]
fn ask<T: Send + 'static>(
    verb: &'static str,
    path: &Path,
    ask: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> PoolOp<T> {
    let owned = path.to_path_buf();
    PoolOp::new(Doing::one(verb, path), move |_stop| ask(&owned))
}

/// What the kernel knows about what the path leads to: kind, size, times.
///
/// # Errors
///
/// `NotFound`, also for a symbolic link that leads nowhere, and what else the
/// kernel says; the error names the path.
///
/// # Cancellation
///
/// Dropping the future loses nothing but the answer.
///
/// # Example
///
/// ```
/// use wakeline_net::fs;
/// # use wakeline_net::testing::block_on;
/// # block_on(async {
/// assert!(fs::metadata("/proc/self").await?.is_dir());
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn metadata(path: impl AsRef<Path>) -> GetPathMetadata {
    GetPathMetadata(statx("look at", path.as_ref(), AtFlags::empty()))
}

#[track_caller]
fn statx(verb: &'static str, path: &Path, flags: AtFlags) -> NameOp<Statx> {
    let flags = flags.bits() as i32;
    let op = c_path(path).map(|c_path| Statx::at(None, c_path, flags));
    NameOp::new(Doing::one(verb, path), op)
}

/// The future of [`metadata`] and [`symlink_metadata`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct GetPathMetadata(NameOp<Statx>);

impl Future for GetPathMetadata {
    type Output = io::Result<Metadata>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_ok(Metadata)
    }
}

/// The same about a symbolic link itself.
///
/// # Errors
///
/// `NotFound` and what else the kernel says; the error names the path.
///
/// # Cancellation
///
/// Dropping the future loses nothing but the answer.
///
/// # Example
///
/// ```
/// use wakeline_net::fs;
/// # use wakeline_net::testing::block_on;
/// # block_on(async {
/// assert!(fs::symlink_metadata("/proc/self").await?.is_symlink());
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn symlink_metadata(path: impl AsRef<Path>) -> GetPathMetadata {
    GetPathMetadata(statx("look at", path.as_ref(), AtFlags::SYMLINK_NOFOLLOW))
}

/// Whether the path leads to something.
///
/// # Errors
///
/// When that cannot be found out: `PermissionDenied`, a circle of links.
///
/// # Cancellation
///
/// Dropping the future loses nothing but the answer.
///
/// # Example
///
/// ```
/// use wakeline_net::fs;
/// # use wakeline_net::testing::block_on;
/// # block_on(async {
/// assert!(fs::try_exists("/proc").await?);
/// assert!(!fs::try_exists("/no/such/file").await?);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn try_exists(path: impl AsRef<Path>) -> TryExists {
    TryExists(statx("look for", path.as_ref(), AtFlags::empty()))
}

/// The future of [`try_exists`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct TryExists(NameOp<Statx>);

impl Future for TryExists {
    type Output = io::Result<bool>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|found| match found {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        })
    }
}

/// The absolute path without symbolic links, `.` and `..`.
///
/// # Errors
///
/// `NotFound`, `NotADirectory` and what else the kernel says; the error names
/// the path.
///
/// # Cancellation
///
/// Dropping the future loses nothing but the answer.
///
/// # Example
///
/// ```
/// use std::path::Path;
/// use wakeline_net::fs;
/// # use wakeline_net::testing::block_on;
/// # block_on(async {
/// assert_eq!(fs::canonicalize("/proc/../proc/.").await?, Path::new("/proc"));
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn canonicalize(path: impl AsRef<Path>) -> PoolOp<PathBuf> {
    ask("resolve", path.as_ref(), |path| std::fs::canonicalize(path))
}

/// What a symbolic link says.
///
/// # Errors
///
/// `InvalidInput` for what is no link, and what else the kernel says; the error
/// names the path.
///
/// # Cancellation
///
/// Dropping the future loses nothing but the answer.
///
/// # Example
///
/// ```
/// use wakeline_net::fs;
/// # use wakeline_net::testing::block_on;
/// # block_on(async {
/// let this = fs::read_link("/proc/self").await?;
/// assert_eq!(this.to_str(), Some(std::process::id().to_string().as_str()));
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn read_link(path: impl AsRef<Path>) -> PoolOp<PathBuf> {
    ask("read link", path.as_ref(), |path| std::fs::read_link(path))
}

/// Changes who may do what with a file or directory.
///
/// # Errors
///
/// `PermissionDenied` if it is somebody else's, and what else the kernel says;
/// the error names the path.
///
/// # Cancellation
///
/// Dropping the future: they were changed, or they were not.
///
/// # Example
///
/// ```
/// use std::os::unix::fs::PermissionsExt;
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// let key = dir.join("key");
/// std::fs::write(&key, "secret")?;
/// fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).await?;
/// assert_eq!(fs::metadata(&key).await?.permissions().mode() & 0o777, 0o600);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> PoolOp<()> {
    ask("set the permissions of", path.as_ref(), |path| {
        std::fs::set_permissions(path, permissions)
    })
}
