//! Operations on names: remove, rename, make a directory, link.
//!
//! ```text
//!   UnlinkAt { dir, path, flags } ── ring: IORING_OP_UNLINKAT ─┐
//!        │                                                     ├──▶ (), or errno
//!        └── epoll, or a kernel without it: unlinkat on the pool ┘
//! ```
//!
//! Each owns its paths, as C strings in its slot, until the kernel is done with
//! them: `kinds.rs` has the table. None can be tried without blocking, and none
//! has anything to give back. All of them either happen as a whole or not at
//! all, so a dropped future leaves one of two states.
//!
//! A path of a user becomes a C string by [`c_path`], which refuses NUL bytes.

#![allow(
    unsafe_code,
    reason = "system calls on the operation's own paths; see kinds.rs"
)]

mod links;
mod names;

pub use links::{LinkAt, SymlinkAt};
pub use names::{MkdirAt, RenameAt, UnlinkAt};

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// The number for "relative to `dir`", or to the working directory.
fn at(dir: Option<&Arc<OwnedFd>>) -> RawFd {
    dir.map_or(libc::AT_FDCWD, |dir| dir.as_raw_fd())
}

/// `path` as the kernel takes it.
///
/// # Errors
///
/// `InvalidInput`, naming the path, if there is a NUL byte in it: the kernel
/// would take the part before it for the whole.
///
/// # Example
///
/// ```
/// use std::io::ErrorKind;
/// use std::path::Path;
/// use wakeline_reactor::op::c_path;
///
/// assert_eq!(c_path(Path::new("/tmp"))?, c"/tmp".to_owned());
/// let error = c_path(Path::new("a\0b")).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// assert!(error.to_string().contains(r#""a\0b""#));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|error| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "the path {path:?} has a NUL byte at position {}: no file can have such a name",
                error.nul_position()
            ),
        )
    })
}
