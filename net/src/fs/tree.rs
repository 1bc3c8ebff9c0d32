//! Directories with their parents, and with what is in them.
//!
//! On the blocking pool, by `std`: several calls each, which one hop covers.
//! `std` removes a tree by descriptors, not by names, and never follows a link:
//! whoever swaps a directory for a link meanwhile has nothing removed elsewhere.

use super::doing::Doing;
use super::work::PoolOp;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Makes a directory and those of its parents that are missing.
///
/// It may exist; so many may do this at once.
///
/// # Errors
///
/// `NotADirectory` if a parent is a file, `AlreadyExists` if it is one itself,
/// and what else the kernel says; the error names the path.
///
/// # Cancellation
///
/// Dropping the future: all, some or none of them were made.
///
/// # Example
///
/// ```
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// let deep = dir.join("a/b/c");
/// fs::create_dir_all(&deep).await?;
/// fs::create_dir_all(&deep).await?;
/// assert!(fs::metadata(&deep).await?.is_dir());
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn create_dir_all(path: impl AsRef<Path>) -> PoolOp<()> {
    DirBuilder::new().recursive(true).create(path)
}

/// Removes a directory with all that is in it; links are removed, not followed.
///
/// # Errors
///
/// `NotFound`, `NotADirectory` for what is none (a link is removed alone), and
/// what else the kernel says; the error names the path. What was removed before
/// the error stays removed.
///
/// # Cancellation
///
/// Dropping the future before a thread took the job keeps it all; after that
/// the removal runs to its end.
///
/// # Example
///
/// ```
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// fs::create_dir_all(dir.join("a/b/c")).await?;
/// fs::remove_dir_all(dir.join("a")).await?;
/// assert!(!fs::try_exists(dir.join("a")).await?);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn remove_dir_all(path: impl AsRef<Path>) -> PoolOp<()> {
    let path = path.as_ref();
    let owned = path.to_path_buf();
    PoolOp::new(Doing::one("remove all of", path), move |_stop| {
        std::fs::remove_dir_all(owned)
    })
}

/// Makes directories with chosen permissions.
///
/// # Example
///
/// ```
/// use std::os::unix::fs::PermissionsExt;
/// use wakeline_net::fs::{self, DirBuilder};
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// DirBuilder::new().recursive(true).mode(0o700).create(dir.join("a/b")).await?;
/// let mode = fs::metadata(dir.join("a/b")).await?.permissions().mode();
/// assert_eq!(mode & 0o777, 0o700);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it makes nothing until `create`"]
pub struct DirBuilder {
    recursive: bool,
    mode: u32,
}

impl Default for DirBuilder {
    fn default() -> DirBuilder {
        DirBuilder::new()
    }
}

impl DirBuilder {
    /// One directory, with the permissions that the umask leaves.
    pub fn new() -> DirBuilder {
        DirBuilder {
            recursive: false,
            mode: 0o777,
        }
    }

    /// Whether missing parents are made too, and one that exists is no error.
    pub fn recursive(&mut self, recursive: bool) -> &mut DirBuilder {
        self.recursive = recursive;
        self
    }

    /// The permissions, before the umask; the default is `0o777`.
    pub fn mode(&mut self, mode: u32) -> &mut DirBuilder {
        self.mode = mode;
        self
    }

    /// Makes the directory.
    ///
    /// # Errors
    ///
    /// Those of [`create_dir`](super::create_dir) or [`create_dir_all`].
    ///
    /// # Cancellation
    ///
    /// As that of [`create_dir_all`].
    ///
    /// # Example
    ///
    /// See [`DirBuilder`].
    #[track_caller]
    pub fn create(&self, path: impl AsRef<Path>) -> PoolOp<()> {
        let path = path.as_ref();
        let DirBuilder { recursive, mode } = *self;
        let (verb, owned) = ("create directory", path.to_path_buf());
        PoolOp::new(Doing::one(verb, path), move |_stop| {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(recursive).mode(mode).create(owned)
        })
    }
}
