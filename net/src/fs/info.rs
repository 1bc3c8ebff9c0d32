//! What is asked about a path: on the blocking pool, by `std`.
//!
//! A ring has `statx`, but `Metadata` can be made by `std` alone, and the other
//! calls have no request. One hop to the pool is what they cost.

use super::doing::Doing;
use super::work::PoolOp;
use std::fs::{Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

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
pub fn metadata(path: impl AsRef<Path>) -> PoolOp<Metadata> {
    ask("look at", path.as_ref(), |path| std::fs::metadata(path))
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
pub fn symlink_metadata(path: impl AsRef<Path>) -> PoolOp<Metadata> {
    ask("look at", path.as_ref(), |path| {
        std::fs::symlink_metadata(path)
    })
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
pub fn try_exists(path: impl AsRef<Path>) -> PoolOp<bool> {
    ask("look for", path.as_ref(), Path::try_exists)
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
