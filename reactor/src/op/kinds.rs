//! What an operation must be able to do: its request, its non-blocking try,
//! its blocking form, and the parting with what it owns. The operations
//! themselves are in `file.rs`, `open.rs`, `stat.rs` and `socket.rs`.
//!
//! | memory or fd           | who may touch it                | until                     |
//! |------------------------|---------------------------------|---------------------------|
//! | buffers that are read into | the kernel, through the request | `OpCell::complete` is run |
//! | buffers that are written, lists of buffers | the kernel reads | `OpCell::complete` is run |
//! | path, address          | the kernel reads                | `OpCell::complete` is run |
//! | record of `Statx`      | the kernel, through the request | `OpCell::complete` is run |
//! | fd named by a request  | stays open: the operation owns it | `OpCell::complete` is run |
//!
//! The driver calls `complete` at the terminal completion and never before it;
//! where that does not come, the cell is leaked (`Driver::leak`).

#![allow(
    unsafe_code,
    reason = "one poll(2) on the stack, one fcntl(2) of integers"
)]

use super::cell::Attempt;
use super::descriptor::Descriptor;
use crate::faults;
use crate::state::Direction;
use crate::sys::check;
use io_uring::squeue::Entry;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// The most that one call moves, as the kernel has it.
pub(super) const LENGTH_MAX: usize = 0x7fff_f000;

/// `offset` for the file's own position, or for what has none.
pub(super) const NO_OFFSET: u64 = u64::MAX;

/// A one-shot operation; see [`submit`](super::submit). Sealed.
pub trait Op: sealed::Steps {}

pub(crate) mod sealed {
    use super::{Attempt, Direction, Entry, OwnedFd, RawFd, io};

    /// What the drivers need of an operation.
    pub trait Steps: Send + Unpin + Sized + 'static {
        /// What it yields.
        type Output: Send;
        /// What it gives back whether or not it succeeded.
        type Back: Send + Default;

        /// The opcode of the request, where not every kernel that has rings has
        /// it: what it lacks runs in the blocking form.
        const OPCODE: Option<u8> = None;
        /// The outcome, if it can be had without blocking: then no driver ever
        /// hears of it.
        fn at_once(&mut self) -> Option<io::Result<u32>> {
            None
        }
        /// Whether it may begin again when a signal has interrupted it: nothing
        /// has happened then.
        const RESTARTS: bool = true;
        /// Whether the kernel may be asked to stop it. If not, each of its results is
        /// one of having been done; but for the one of `driver/uring/no_thread.rs`.
        const STOPS: bool = true;
        /// Whether this result only says that it would have to wait for what no
        /// driver can watch: then its blocking form does it, on the pool.
        fn must_block(&self, _: &io::Result<u32>) -> bool {
            false
        }
        /// The request, which points into memory that `self` owns.
        fn entry(&mut self) -> Entry;
        /// The request that `entry` made last was not sent.
        fn unsent(&mut self) {}
        /// A try without blocking.
        fn attempt(&mut self) -> Attempt;
        /// Whether what it takes cannot be had again: then only the poll that
        /// hands it out may take it, and the driver just waits.
        fn takes_for_good(&self) -> bool {
            false
        }
        /// The blocking form.
        fn block(&mut self) -> io::Result<u32>;
        /// The blocking form has no thread, for this reason.
        fn without_thread(&mut self, why: io::Error) -> io::Result<u32> {
            Err(why)
        }
        /// Where it waits if the descriptor is in non-blocking mode. A file is
        /// always ready, so there is nothing to wait for.
        fn direction(&self) -> Option<Direction> {
            None
        }
        /// Whether it ends by itself: what waits for a peer takes as long as that
        /// likes.
        fn ends(&self) -> bool {
            self.direction().is_none()
        }
        /// The descriptor to watch, where it waits.
        fn raw_fd(&self) -> RawFd {
            unreachable!("it never waits for readiness")
        }
        /// A second descriptor of that file.
        fn duplicate_fd(&self) -> io::Result<OwnedFd> {
            unreachable!("it never waits for readiness")
        }
        /// The kernel is done with it: takes the parts that go to the caller.
        /// It is called once, where nothing is borrowed or locked.
        fn finish(&mut self, result: io::Result<u32>) -> (io::Result<Self::Output>, Self::Back);
    }
}

/// Whether a read came to nothing for want of `RWF_NOWAIT`, but waits without it in no
/// case: inotify, a terminal, and before Linux 6.4 pipes, in non-blocking mode. Then
/// nobody else has to take what cannot be had again.
pub(super) fn never_waits(result: &io::Result<usize>, fd: &Descriptor) -> bool {
    let refused = matches!(result, Err(error) if is_refusal(error));
    refused && fd.heeds_non_blocking() && is_non_blocking(fd.as_raw_fd())
}

/// Whether `RWF_NOWAIT` is unknown: to the file, to the kernel, or to a sandbox, which does
/// not know the call. The last two are words for other things as well: then who may block
/// is told them again.
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL | libc::EPERM)
    )
}

/// Whether no call waits.
pub(super) fn is_non_blocking(fd: RawFd) -> bool {
    // SAFETY: takes integers.
    check(unsafe { libc::fcntl(fd, libc::F_GETFL) })
        .is_ok_and(|flags| flags & libc::O_NONBLOCK != 0)
}

/// What a call with `RWF_NOWAIT` came to; `direction` is where it waits.
pub(super) fn attempt_of(result: io::Result<usize>, direction: Option<Direction>) -> Attempt {
    match result {
        Err(error) => match (error.raw_os_error(), direction) {
            (Some(libc::EAGAIN), Some(direction)) => Attempt::Wait(direction),
            // A file that is not in memory, or a signal: who may block will do.
            (Some(libc::EAGAIN | libc::EINTR), _) => Attempt::Block,
            _ if is_refusal(&error) => Attempt::Block,
            _ => Attempt::Done(Err(error)),
        },
        Ok(n) => Attempt::Done(Ok(n as u32)),
    }
}

/// The same of a read that had room, or not.
pub(super) fn read_attempt_of(
    result: io::Result<usize>,
    room: bool,
    direction: Option<Direction>,
) -> Attempt {
    match result {
        // Linux 5.9 and 5.10 say so of a file, too, that is just not in memory:
        // a read that may block knows whether it is the end.
        Ok(0) if room && direction.is_none() => Attempt::Block,
        result => attempt_of(result, direction),
    }
}

/// The most that the next call moves.
pub(super) fn length_max(room: usize) -> usize {
    faults::length(room.min(LENGTH_MAX))
}

/// Repeats `call` while a signal interrupts it.
pub(super) fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<u32> {
    loop {
        if faults::interrupts() {
            continue;
        }
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(|n| n as u32),
        }
    }
}

/// Waits on a pool thread until a non-blocking descriptor may go on.
pub(super) fn wait_for(fd: RawFd, events: libc::c_short) -> io::Result<()> {
    match poll(fd, events, -1) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

/// Whether it may go on now; also when it cannot be told.
pub(super) fn is_ready(fd: RawFd, events: libc::c_short) -> bool {
    poll(fd, events, 0).ok() != Some(0)
}

fn poll(fd: RawFd, events: libc::c_short, timeout_ms: libc::c_int) -> io::Result<i32> {
    let mut poll = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    // SAFETY: one writable `pollfd` for the length of the call.
    check(unsafe { libc::poll(&mut poll, 1, timeout_ms) })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn error(errno: i32) -> io::Result<usize> {
        Err(io::Error::from_raw_os_error(errno))
    }

    #[test]
    fn a_file_never_waits_for_readiness_and_its_end_is_asked_for_again() {
        for errno in [libc::EAGAIN, libc::EINTR, libc::EOPNOTSUPP] {
            let attempt = read_attempt_of(error(errno), true, None);
            assert!(matches!(attempt, Attempt::Block), "{attempt:?}");
        }
        let at_end = |room| read_attempt_of(Ok(0), room, None);
        assert!(matches!(at_end(true), Attempt::Block));
        assert!(matches!(at_end(false), Attempt::Done(Ok(0))));
        let some = read_attempt_of(Ok(3), true, None);
        assert!(matches!(some, Attempt::Done(Ok(3))));
    }

    /// It is for the driver of a device to say what the mode means, if anything.
    #[test]
    fn of_devices_only_terminals_are_known_to_heed_their_mode() {
        use std::os::unix::fs::OpenOptionsExt;
        let refused = error(libc::EOPNOTSUPP);
        for (path, heeds) in [("/dev/null", false), ("/dev/ptmx", true)] {
            let mut options = std::fs::File::options();
            let opened = options.read(true).custom_flags(libc::O_NONBLOCK).open(path);
            let fd = Descriptor::from(opened.unwrap());
            assert_eq!(never_waits(&refused, &fd), heeds, "{path}");
            assert_eq!(fd.request_flags().is_empty(), heeds, "{path}");
        }
        let (pipe, _writer) = io::pipe().unwrap();
        assert!(
            !never_waits(&refused, &pipe.into()),
            "it is in blocking mode"
        );
    }

    #[test]
    fn a_stream_waits_and_its_end_is_the_end() {
        let read = Some(Direction::Read);
        let attempt = read_attempt_of(error(libc::EAGAIN), true, read);
        assert!(matches!(attempt, Attempt::Wait(Direction::Read)));
        let at_end = read_attempt_of(Ok(0), true, read);
        assert!(matches!(at_end, Attempt::Done(Ok(0))));
    }
}
