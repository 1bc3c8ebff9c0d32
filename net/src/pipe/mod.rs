//! Pipes: anonymous ones by [`pipe`], those with a name by [`OpenOptions`].
//!
//! ```text
//!   Sender ──write──▶ [ the kernel's buffer, 64 KiB ] ──read──▶ Receiver
//!     │ drop or close: the reader gets the end, after the last byte
//!     │                                       drop: BrokenPipe ◀──┘
//! ```
//!
//! Each end is a [`Source`](wakeline_reactor::Source) like a socket: it waits
//! for readiness and then calls the kernel, so **a dropped read has taken
//! nothing** and a dropped write has written nothing.
//!
//! | question | answer |
//! |---|---|
//! | Two writers at once? | A write of at most [`PIPE_BUF`] bytes goes whole or not at all, never mixed with another's. Longer ones may go in parts. |
//! | The last reader is gone? | A write is the error `BrokenPipe`. It is never the signal `SIGPIPE`, which every Rust program ignores from its start; one that restores its default is ended by it. |
//! | The last writer is gone? | Reads give what is left, then 0 bytes, again and again. A FIFO gives bytes again when somebody opens it for writing. |
//! | Non-blocking? | Yes, and that belongs to the *open file description*: whoever shares it with us (by `dup`, or a child that inherits this very end) finds it non-blocking too. [`into_blocking_fd`](Receiver::into_blocking_fd) ends that. The other end has a description of its own. |
//!
//! # Example
//!
//! ```
//! use wakeline_net::io::{AsyncReadExt, AsyncWriteExt};
//! use wakeline_net::pipe;
//!
//! # wakeline_net::testing::block_on(async {
//! let (mut sender, mut receiver) = pipe::pipe()?;
//! sender.write_all(b"hello").await?;
//! drop(sender); // so that there is an end
//! let mut text = String::new();
//! receiver.read_to_string(&mut text).await?;
//! assert_eq!(text, "hello");
//! # std::io::Result::Ok(())
//! # })?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Read in this order
//!
//! `receiver.rs`, `sender.rs`, `closed.rs`, `open.rs`, `stdio.rs`; what they share with sockets is in
//! `stream.rs`.

mod closed;
mod open;
mod receiver;
mod sender;
mod stdio;

pub(crate) use closed::prepare;
pub use open::OpenOptions;
pub use receiver::Receiver;
pub use sender::Sender;

use crate::error::{self, Context};
use crate::sys::Family;
use rustix::fs::{FileType, OFlags};
use rustix::pipe::PipeFlags;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// A write of so many bytes at most is never mixed with another's.
pub const PIPE_BUF: usize = rustix::pipe::PIPE_BUF;

/// Makes a pipe: what is written to the first is read from the second.
///
/// Neither end is inherited by child processes.
///
/// # Errors
///
/// The kernel's, with what to try: mostly that descriptors have run out.
///
/// # Example
///
/// ```
/// # wakeline_net::testing::block_on(async {
/// let (sender, receiver) = wakeline_net::pipe::pipe()?;
/// assert_eq!(sender.write(b"hello").await?, 5);
/// assert_eq!(&receiver.read_pooled().await?[..], b"hello");
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn pipe() -> io::Result<(Sender, Receiver)> {
    let (reading, writing) = new_pair()?;
    Ok((
        Sender::new(writing, Family::Pipe)?,
        Receiver::new(reading, Family::Pipe),
    ))
}

/// Reading end, writing end; both non-blocking.
pub(crate) fn new_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(|errno| {
        let hint = error::limits(Some(errno));
        Context::with_hint("make a pipe", hint, errno.into())
    })
}

/// Which end a descriptor must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Reading,
    Writing,
}

/// Refuses what is no pipe, or its other end.
fn check(fd: impl AsFd, end: End) -> io::Result<()> {
    let stat = rustix::fs::fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo {
        return Err(invalid(
            "this is no pipe: for a socket or a terminal there is `io::AsyncFd`, for a file `fs::File`",
        ));
    }
    let mode = rustix::fs::fcntl_getfl(&fd)? & OFlags::RWMODE;
    match end {
        _ if mode == OFlags::RDWR => Ok(()),
        End::Reading if mode == OFlags::RDONLY => Ok(()),
        End::Writing if mode == OFlags::WRONLY => Ok(()),
        End::Reading => Err(invalid(
            "this end of the pipe is for writing: make it a `Sender`",
        )),
        End::Writing => Err(invalid(
            "this end of the pipe is for reading: make it a `Receiver`",
        )),
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
