//! Standard input, output and error, none of which may hold up a worker.
//!
//! They are shared: with std, with child processes, on a terminal with the
//! shell. So `O_NONBLOCK`, which would be set on what all of them share, is
//! never set. What they are decides how they are used, looked at when a handle
//! is made, each for itself: one that waits does so on a duplicate, and stays
//! with that if the descriptor is replaced, while a thread uses what is there.
//!
//! | it is                       | reading                          | writing                          |
//! |-----------------------------|----------------------------------|----------------------------------|
//! | a pipe, a FIFO              | waits, `preadv2(RWF_NOWAIT)`     | waits, `pwritev2(RWF_NOWAIT)`    |
//! | a socket                    | waits, `recv(MSG_DONTWAIT)`      | waits, `send(MSG_DONTWAIT)`      |
//! | a terminal, a file, a device| a thread of its own: `thread_in` | a thread of its own: `thread_out`|
//! | closed                      | std has opened `/dev/null` there | the same                         |
//!
//! Where the kernel knows no such try (an old one), the thread is used too.
//!
//! | question                | by waiting                  | by the thread                                      |
//! |-------------------------|-----------------------------|----------------------------------------------------|
//! | a dropped read          | has taken nothing           | what comes is kept, and the next read of any handle gets it |
//! | read ahead              | nothing                     | one read of at most 64 KiB, only after a read has asked |
//! | a write that is ready   | is in the kernel            | is in a queue of 64 KiB: `flush` waits for the kernel |
//! | an error of a write     | at once                     | at the next write or flush                         |
//! | the end of the process  | waits for nothing           | waits for nothing: `flush` first                   |
//!
//! Not mixed are std's buffers and ours: what `std::io::stdin()` has read ahead
//! is not seen here, and `println!` and [`stdout()`] have no order between them.

mod input;
mod output;
mod thread_in;
mod thread_out;
mod waiters;

pub use input::{Stdin, stdin};
pub use output::{Stderr, Stdout, stderr, stdout};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::io;
use std::os::fd::BorrowedFd;
use wakeline_reactor::Source;

/// How a try that does not block is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Try {
    Pipe,
    Socket,
}

/// What can be waited for, as a source of this handle's own; `None`: by thread.
fn watched(fd: BorrowedFd<'_>) -> Option<(Source, Try)> {
    let stat = rustix::fs::fstat(fd).ok()?;
    let how = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo => Try::Pipe,
        FileType::Socket => Try::Socket,
        _ => return None,
    };
    // Without a descriptor to spare, the thread will do.
    let duplicate = fd.try_clone_to_owned().ok()?;
    Some((Source::new(duplicate), how))
}

/// The kernel knows no try that does not block, on this descriptor.
fn knows_no_try(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::OPNOTSUPP | Errno::NOSYS))
}

/// For a thread that met `WouldBlock`: somebody else has made it non-blocking.
fn wait_here(fd: BorrowedFd<'_>, flags: PollFlags) -> io::Result<()> {
    crate::sys::retry(|| poll(&mut [PollFd::from_borrowed_fd(fd, flags)], None)).map(drop)
}

#[cfg(test)]
mod tests;
