//! Opens from what the kernel has cached, and no others: `openat2` with `RESOLVE_CACHED`.
//!
//! Linux 5.6 to 5.11 have the call without the flag, and say `EINVAL`; filters say `ENOSYS`
//! or `EPERM`. Flags and files have these words, too. So who hears one opens what nobody
//! refuses, and if that is refused alike nobody asks any more.

#![allow(
    unsafe_code,
    reason = "a system call that reads its own memory, and owns the descriptor that it makes"
)]

use crate::sys::check;
use std::ffi::CStr;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// The kernel, or a filter before it, does not know the call.
static UNKNOWN: AtomicBool = AtomicBool::new(false);

/// Whether it is worth asking.
pub(super) fn is_known() -> bool {
    // Relaxed: at worst it is asked once more.
    !UNKNOWN.load(Ordering::Relaxed)
}

/// Opens; `None`: it is not cached, or that cannot be said.
pub(super) fn open(
    dir: RawFd,
    path: &CStr,
    flags: i32,
    resolve: u64,
) -> Option<io::Result<OwnedFd>> {
    let error = match call(dir, path, flags, resolve) {
        Ok(fd) => return Some(Ok(fd)),
        Err(error) => error,
    };
    match error.raw_os_error()? {
        // Known for certain, also from the cache.
        libc::ENOENT
        | libc::ENOTDIR
        | libc::ELOOP
        | libc::ENAMETOOLONG
        | libc::EMFILE
        | libc::ENFILE
        | libc::EISDIR => Some(Err(error)),
        errno => {
            if is_refusal(errno) && is_refused() {
                UNKNOWN.store(true, Ordering::Relaxed); // as above
            }
            None // the plain open tells
        }
    }
}

fn is_refusal(errno: i32) -> bool {
    matches!(errno, libc::ENOSYS | libc::EINVAL | libc::EPERM)
}

/// Whether the call itself is: the root may be looked up by everybody.
#[cold]
fn is_refused() -> bool {
    let root = call(libc::AT_FDCWD, c"/", libc::O_PATH | libc::O_CLOEXEC, 0);
    root.is_err_and(|error| error.raw_os_error().is_some_and(is_refusal))
}

fn call(dir: RawFd, path: &CStr, flags: i32, resolve: u64) -> io::Result<OwnedFd> {
    // SAFETY: all zeros is a valid value of this plain structure.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = u64::from(flags.cast_unsigned());
    how.resolve = libc::RESOLVE_CACHED | resolve;
    let (path, size) = (path.as_ptr(), size_of::<libc::open_how>());
    // SAFETY: path and structure live until the call returns, and the size is the
    // structure's.
    let made = unsafe { libc::syscall(libc::SYS_openat2, dir, path, &raw const how, size) };
    let fd = check(made as libc::c_int)?;
    // SAFETY: it was made just now, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
