//! Who is at the other end of a Unix socket: one call that no safe wrapper in
//! the tree makes soundly.
//!
//! rustix gives the process as a number that cannot be zero; the kernel gives
//! zero for a process of a namespace that is not seen from here.

#![allow(unsafe_code, reason = "a raw system call that ends before it returns")]

use crate::sys::check;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The peer's process, user and group, as of the `connect`; the process is 0
/// if it cannot be named here.
///
/// # Errors
///
/// The kernel's: on what is not a connected Unix socket.
///
/// # Example
///
/// ```
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
/// use wakeline_reactor::peer_credentials;
///
/// let (a, _b) = UnixStream::pair()?;
/// let (process, _user, _group) = peer_credentials(a.as_fd())?;
/// assert_eq!(u32::try_from(process), Ok(std::process::id()));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn peer_credentials(fd: BorrowedFd<'_>) -> io::Result<(i32, u32, u32)> {
    // SAFETY: `ucred` consists of three integers, for which zero is a value.
    let mut cred: libc::ucred = unsafe { mem::zeroed() };
    let mut length = size_of_val(&cred) as libc::socklen_t;
    // SAFETY: `cred` and `length` are borrowed mutably until the call returns,
    // and `length` is how much there is room for.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut cred).cast(),
            &raw mut length,
        )
    })?;
    Ok((cred.pid, cred.uid, cred.gid))
}
