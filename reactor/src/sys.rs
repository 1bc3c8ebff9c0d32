//! System calls that neither std nor mio has: eventfd, timerfd, limits, fork.
//!
//! All of them take descriptors by `BorrowedFd` and memory by reference, so
//! that the functions are safe to call; what the kernel may do with their
//! arguments ends when the call returns.

#![allow(unsafe_code, reason = "raw system calls; each ends before it returns")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// -1 becomes the thread's errno.
pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The same for calls that return a length.
pub(crate) fn check_len(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn own(fd: libc::c_int) -> OwnedFd {
    // SAFETY: every caller passes what a system call has just returned as a
    // new descriptor, and passes it once.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// A counter that ends a sleep in the kernel when it is written to.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: takes two integers.
    check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }).map(own)
}

/// Adds 1. It fails only when 2^64 - 2 rings have added up, and then the
/// reader has been rung anyway.
pub(crate) fn ring(eventfd: BorrowedFd<'_>) {
    let one = 1_u64.to_ne_bytes();
    // SAFETY: `one` is 8 readable bytes for the length of the call.
    let _ = unsafe { libc::write(eventfd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
}

/// An alarm clock with nanoseconds.
pub(crate) fn timerfd() -> io::Result<OwnedFd> {
    let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
    // SAFETY: takes two integers.
    check(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) }).map(own)
}

/// Rings once, `nanos` from now; 0 is as soon as possible.
pub(crate) fn set_alarm(timerfd: BorrowedFd<'_>, nanos: u64) -> io::Result<()> {
    let nanos = nanos.max(1); // zero would switch it off
    let spec = libc::itimerspec {
        it_interval: libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        },
        it_value: libc::timespec {
            tv_sec: (nanos / 1_000_000_000) as libc::time_t,
            tv_nsec: (nanos % 1_000_000_000) as libc::c_long,
        },
    };
    // SAFETY: `spec` is read during the call; the old value is not asked for.
    check(unsafe { libc::timerfd_settime(timerfd.as_raw_fd(), 0, &spec, std::ptr::null_mut()) })?;
    Ok(())
}

/// Sets `revents` of each as it is now, and waits for nothing.
pub(crate) fn poll_now(polls: &mut [libc::pollfd]) -> io::Result<()> {
    loop {
        // SAFETY: so many writable entries for the length of the call.
        let result = unsafe { libc::poll(polls.as_mut_ptr(), polls.len() as libc::nfds_t, 0) };
        match check(result) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(drop),
        }
    }
}

/// A soft limit in words, for an error message.
pub(crate) fn limit(resource: libc::__rlimit_resource_t) -> String {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is writable for the length of the call.
    match check(unsafe { libc::getrlimit(resource, &mut limit) }) {
        Ok(_) if limit.rlim_cur == libc::RLIM_INFINITY => "unlimited".into(),
        Ok(_) => limit.rlim_cur.to_string(),
        Err(_) => "unknown".into(),
    }
}

/// Makes this thread's sleeps end on time: by default the kernel may add 50 us
/// to each, so as to wake several threads at once.
pub(crate) fn sharpen_sleep() {
    // SAFETY: takes integers. It can only fail on a kernel without the option.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_usize, 0_usize, 0_usize, 0_usize) };
}

/// How often this process image has been forked, counted in the children.
static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count_fork() {
    // Relaxed: a child starts with this one thread.
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// A number that differs between a process and its forked children.
#[inline]
pub(crate) fn process_generation() -> u32 {
    // Relaxed: it changes only while a process has a single thread.
    FORKS.load(Ordering::Relaxed)
}

/// The same, for what a process has once: it counts from the first call on.
#[must_use]
pub fn generation() -> u32 {
    watch_forks();
    process_generation()
}

/// From now on, [`process_generation`] counts.
pub(crate) fn watch_forks() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: `count_fork` adds to an atomic and does nothing else, which
        // is allowed in the child of a fork.
        unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
    });
}
