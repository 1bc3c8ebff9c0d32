//! Changes of names, each one operation of the driver: remove, rename, make,
//! link. `work.rs` has their future, `reactor/src/op/path/` the calls.

use super::doing::Doing;
use super::work::{NameOp, c_path};
use rustix::fs::{AtFlags, RenameFlags};
use std::io;
use std::path::Path;
use wakeline_reactor::op::{LinkAt, MkdirAt, RenameAt, SymlinkAt, UnlinkAt};

/// Removes a file: its name at once, its content when nobody has it open.
///
/// A symbolic link is removed itself, not what it leads to.
///
/// # Errors
///
/// `NotFound`, `IsADirectory`, `PermissionDenied` and what else the kernel
/// says; the error names the path.
///
/// # Cancellation
///
/// Dropping the future: the file is removed, or it is not; maybe only after the
/// drop, as [`NameOp`] says.
///
/// # Example
///
/// ```
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// let path = dir.join("old.log");
/// std::fs::write(&path, "lines")?;
/// fs::remove_file(&path).await?;
/// let error = fs::remove_file(&path).await.unwrap_err();
/// assert!(error.to_string().starts_with("remove file \"/"));
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn remove_file(path: impl AsRef<Path>) -> NameOp<UnlinkAt> {
    unlink("remove file", path.as_ref(), AtFlags::empty())
}

/// Removes an empty directory.
///
/// # Errors
///
/// `DirectoryNotEmpty`, `NotADirectory` (also for a symbolic link to one) and
/// what else the kernel says; the error names the path.
///
/// # Cancellation
///
/// Dropping the future: the directory is removed, or it is not; maybe only after
/// the drop, as [`NameOp`] says.
///
/// # Example
///
/// ```
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// let path = dir.join("empty");
/// fs::create_dir(&path).await?;
/// fs::remove_dir(&path).await?;
/// assert!(!fs::try_exists(&path).await?);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn remove_dir(path: impl AsRef<Path>) -> NameOp<UnlinkAt> {
    unlink("remove directory", path.as_ref(), AtFlags::REMOVEDIR)
}

#[track_caller]
fn unlink(verb: &'static str, path: &Path, flags: AtFlags) -> NameOp<UnlinkAt> {
    let op = c_path(path).map(|c_path| UnlinkAt {
        dir: None,
        path: c_path,
        flags: flags.bits() as i32,
    });
    NameOp::new(Doing::one(verb, path), op)
}

/// Gives a file or directory another name, in one step; what had that name is
/// replaced.
///
/// # Errors
///
/// `NotFound`, `CrossesDevices` between file systems, `DirectoryNotEmpty` if a
/// directory with something in it has the name, and what else the kernel says;
/// the error names both paths.
///
/// # Cancellation
///
/// Dropping the future: it is renamed as a whole, or not at all; maybe only
/// after the drop, as [`NameOp`] says.
///
/// # Example
///
/// ```
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// std::fs::write(dir.join("new.conf"), "b")?;
/// std::fs::write(dir.join("conf"), "a")?;
/// fs::rename(dir.join("new.conf"), dir.join("conf")).await?;
/// assert_eq!(std::fs::read_to_string(dir.join("conf"))?, "b");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> NameOp<RenameAt> {
    rename_with(
        "rename",
        from.as_ref(),
        "to",
        to.as_ref(),
        RenameFlags::empty(),
    )
}

/// The same, if nothing has the new name.
///
/// # Errors
///
/// `AlreadyExists`; `InvalidInput` on file systems that cannot promise it; and
/// those of [`rename`].
///
/// # Cancellation
///
/// As that of [`rename`].
///
/// # Example
///
/// ```
/// use std::io::ErrorKind;
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// std::fs::write(dir.join("a"), "a")?;
/// std::fs::write(dir.join("b"), "b")?;
/// let error = fs::rename_noreplace(dir.join("a"), dir.join("b")).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::AlreadyExists);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn rename_noreplace(from: impl AsRef<Path>, to: impl AsRef<Path>) -> NameOp<RenameAt> {
    let flags = RenameFlags::NOREPLACE;
    rename_with(
        "rename",
        from.as_ref(),
        "without replacing",
        to.as_ref(),
        flags,
    )
}

/// Exchanges the names of two files or directories, in one step.
///
/// # Errors
///
/// `NotFound` unless both exist; `InvalidInput` on file systems that cannot do
/// it; and those of [`rename`].
///
/// # Cancellation
///
/// Dropping the future: both change names, or neither; maybe only after the
/// drop, as [`NameOp`] says.
///
/// # Example
///
/// ```
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// std::fs::write(dir.join("blue"), "1")?;
/// std::fs::write(dir.join("green"), "2")?;
/// fs::rename_exchange(dir.join("blue"), dir.join("green")).await?;
/// assert_eq!(std::fs::read_to_string(dir.join("blue"))?, "2");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn rename_exchange(a: impl AsRef<Path>, b: impl AsRef<Path>) -> NameOp<RenameAt> {
    let flags = RenameFlags::EXCHANGE;
    rename_with(
        "exchange the names of",
        a.as_ref(),
        "and",
        b.as_ref(),
        flags,
    )
}

#[track_caller]
fn rename_with(
    verb: &'static str,
    from: &Path,
    link: &'static str,
    to: &Path,
    flags: RenameFlags,
) -> NameOp<RenameAt> {
    NameOp::new(Doing::two(verb, from, link, to), rename_op(from, to, flags))
}

fn rename_op(from: &Path, to: &Path, flags: RenameFlags) -> io::Result<RenameAt> {
    Ok(RenameAt {
        from_dir: None,
        from: c_path(from)?,
        to_dir: None,
        to: c_path(to)?,
        flags: flags.bits(),
    })
}

/// Makes an empty directory, with the permissions that the umask leaves.
///
/// # Errors
///
/// `AlreadyExists`, `NotFound` if its parent is missing, and what else the
/// kernel says; the error names the path.
///
/// # Cancellation
///
/// Dropping the future: the directory is made, or it is not; maybe only after
/// the drop, as [`NameOp`] says.
///
/// # Example
///
/// ```
/// use std::io::ErrorKind;
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// fs::create_dir(dir.join("a")).await?;
/// let again = fs::create_dir(dir.join("a")).await.unwrap_err();
/// assert_eq!(again.kind(), ErrorKind::AlreadyExists);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn create_dir(path: impl AsRef<Path>) -> NameOp<MkdirAt> {
    let path = path.as_ref();
    let op = c_path(path).map(|c_path| MkdirAt {
        dir: None,
        path: c_path,
        mode: 0o777,
    });
    NameOp::new(Doing::one("create directory", path), op)
}

/// Gives a file a second name; a symbolic link is linked itself.
///
/// # Errors
///
/// `AlreadyExists`, `CrossesDevices`, `PermissionDenied` for directories, and
/// what else the kernel says; the error names both paths.
///
/// # Cancellation
///
/// Dropping the future: the name is made, or it is not; maybe only after the
/// drop, as [`NameOp`] says.
///
/// # Example
///
/// ```
/// use std::os::unix::fs::MetadataExt;
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// std::fs::write(dir.join("a"), "one")?;
/// fs::hard_link(dir.join("a"), dir.join("b")).await?;
/// assert_eq!(fs::metadata(dir.join("b")).await?.nlink(), 2);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> NameOp<LinkAt> {
    let (from, to) = (original.as_ref(), link.as_ref());
    let op = c_path(from).and_then(|c_from| {
        Ok(LinkAt {
            from_dir: None,
            from: c_from,
            to_dir: None,
            to: c_path(to)?,
            flags: 0,
        })
    });
    NameOp::new(Doing::two("link", from, "as", to), op)
}

/// Makes a symbolic link at `link` that says `original`; nobody looks whether
/// that exists.
///
/// # Errors
///
/// `AlreadyExists`, `NotFound` if the parent of `link` is missing, and what
/// else the kernel says; the error names both paths.
///
/// # Cancellation
///
/// Dropping the future: the link is made, or it is not; maybe only after the
/// drop, as [`NameOp`] says.
///
/// # Example
///
/// ```
/// use std::path::Path;
/// use wakeline_net::fs;
/// # use wakeline_net::testing::{Scratch, block_on};
/// # let dir = Scratch::new();
/// # block_on(async {
/// fs::symlink("version-2", dir.join("current")).await?;
/// assert_eq!(fs::read_link(dir.join("current")).await?, Path::new("version-2"));
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> NameOp<SymlinkAt> {
    let (target, link) = (original.as_ref(), link.as_ref());
    let op = c_path(target).and_then(|c_target| {
        Ok(SymlinkAt {
            target: c_target,
            dir: None,
            path: c_path(link)?,
        })
    });
    NameOp::new(Doing::two("symlink", target, "at", link), op)
}
