//! Standard input.

use super::thread_in::{STDIN, ThreadIn};
use super::waiters::Id;
use super::{Try, knows_no_try, watched};
use crate::io::parked_at;
use crate::sys::{look_for_more, retry};
use futures_io::AsyncRead;
use rustix::io::ReadWriteFlags;
use rustix::net::RecvFlags;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, budget};
use wakeline_reactor::{Direction, Done, Source, is_at_mark};

/// Standard input, from [`stdin`].
///
/// It reads what it is given: wrap it into a [`BufReader`](crate::io::BufReader)
/// for lines.
#[derive(Debug)]
pub struct Stdin {
    /// `None`: by the thread.
    watched: Option<(Source, Try)>,
    thread: &'static ThreadIn,
    id: Id,
}

impl Stdin {
    #[cfg(test)]
    pub(super) fn by_thread_only(thread: &'static ThreadIn) -> Stdin {
        Stdin {
            watched: None,
            thread,
            id: Id::new(),
        }
    }
}

/// The standard input of this process, for reading without blocking a worker.
///
/// Any number of handles may be made; each byte goes to one of them. Reads are
/// those of [`AsyncReadExt`](crate::io::AsyncReadExt). On a terminal the end
/// (`Ctrl-D`) is given once, and later reads ask again. What standard input is
/// decides how a handle reads, and is looked at when the handle is made: after
/// descriptor 0 was replaced (`dup2`), make a new one.
///
/// # Cancellation
///
/// A dropped read loses no byte. It may leave a thread waiting for one on a
/// terminal, which then keeps what comes for the next read, and holds up
/// nothing: neither the runtime's end nor that of the process.
///
/// # Example
///
/// ```no_run
/// use wakeline_net::io::{self, BufReader};
///
/// # async fn example() -> std::io::Result<()> {
/// let mut lines = BufReader::new(io::stdin());
/// let mut name = String::new();
/// lines.read_line(&mut name).await?;
/// println!("Hello, {}", name.trim_end());
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn stdin() -> Stdin {
    Stdin {
        watched: watched(rustix::stdio::stdin()),
        thread: STDIN.get(),
        id: Id::new(),
    }
}

impl AsyncRead for Stdin {
    #[track_caller]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if let Some((source, how)) = &self.watched {
            let how = *how;
            match ready!(source.poll_io(cx, Direction::Read, |fd| try_read(fd, how, buf))) {
                Err(error) if knows_no_try(&error) => self.watched = None,
                result => return Poll::Ready(result),
            }
        }
        let Poll::Ready(unit) = budget::poll_proceed(cx) else {
            parked_at(Kind::Yield, Location::caller());
            return Poll::Pending;
        };
        let poll = self.thread.poll_read(self.id, cx, buf);
        if poll.is_pending() {
            unit.refund();
            parked_at(Kind::Read, Location::caller());
        } else {
            unit.spend();
        }
        poll
    }
}

fn try_read(fd: BorrowedFd<'_>, how: Try, buf: &mut [u8]) -> io::Result<Done<usize>> {
    let wanted = buf.len();
    let n = match how {
        Try::Pipe => {
            // From where it stands, which a pipe does not do otherwise.
            let here = u64::MAX;
            let mut bufs = [IoSliceMut::new(buf)];
            retry(|| rustix::io::preadv2(fd, &mut bufs, here, ReadWriteFlags::NOWAIT))?
        }
        Try::Socket => retry(|| rustix::net::recv(fd, &mut *buf, RecvFlags::DONTWAIT))?.0,
    };
    let done = look_for_more(fd, n, wanted);
    // A read stops at an urgent mark, and there the kernel tells of nothing behind it.
    let at_mark = how == Try::Socket && matches!(done, Done::Short(_)) && is_at_mark(fd);
    Ok(if at_mark { Done::Full(n) } else { done })
}

impl Drop for Stdin {
    fn drop(&mut self) {
        self.thread.forget(self.id);
    }
}

impl AsFd for Stdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        rustix::stdio::stdin()
    }
}

impl AsRawFd for Stdin {
    fn as_raw_fd(&self) -> RawFd {
        rustix::stdio::stdin().as_raw_fd()
    }
}
