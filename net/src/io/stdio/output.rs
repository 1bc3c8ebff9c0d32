//! Standard output and standard error.

use super::thread_out::{STDERR, STDOUT, ThreadOut};
use super::waiters::Id;
use super::{Try, knows_no_try, watched};
use crate::io::parked_at;
use crate::sys::retry;
use futures_io::AsyncWrite;
use rustix::io::ReadWriteFlags;
use rustix::net::SendFlags;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, budget};
use wakeline_reactor::{Direction, Done, Source};

#[derive(Debug)]
pub(super) struct Output {
    /// `None`: by the thread.
    watched: Option<(Source, Try)>,
    thread: &'static ThreadOut,
    id: Id,
    /// How far the flush in progress goes.
    flush_until: Option<u64>,
}

impl Output {
    fn new(fd: BorrowedFd<'static>, thread: &'static ThreadOut) -> Output {
        Output {
            watched: watched(fd),
            thread,
            id: Id::new(),
            flush_until: None,
        }
    }

    #[cfg(test)]
    pub(super) fn by_thread_only(thread: &'static ThreadOut) -> Output {
        Output {
            watched: None,
            thread,
            id: Id::new(),
            flush_until: None,
        }
    }

    #[track_caller]
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some((source, how)) = &self.watched {
            let how = *how;
            match ready!(source.poll_io(cx, Direction::Write, |fd| try_write(fd, how, buf))) {
                Err(error) if knows_no_try(&error) => self.watched = None,
                result => return Poll::Ready(result),
            }
        }
        let (thread, id) = (self.thread, self.id);
        let poll = by_thread(cx, |cx| thread.poll_write(id, cx, buf));
        if poll.is_ready() {
            // A flush that was dropped knew nothing of these bytes.
            self.flush_until = None;
        }
        poll
    }

    #[track_caller]
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.watched.is_some() {
            return Poll::Ready(Ok(()));
        }
        let (thread, id, until) = (self.thread, self.id, &mut self.flush_until);
        by_thread(cx, |cx| thread.poll_flush(id, cx, until))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.thread.forget(self.id);
    }
}

#[track_caller]
fn by_thread<T>(cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    let Poll::Ready(unit) = budget::poll_proceed(cx) else {
        parked_at(Kind::Yield, Location::caller());
        return Poll::Pending;
    };
    let poll = poll(cx);
    if poll.is_pending() {
        unit.refund();
        parked_at(Kind::Write, Location::caller());
    } else {
        unit.spend();
    }
    poll
}

fn try_write(fd: BorrowedFd<'_>, how: Try, buf: &[u8]) -> io::Result<Done<usize>> {
    let n = match how {
        Try::Pipe => {
            // Where it stands, which a pipe does not do otherwise.
            let here = u64::MAX;
            let bufs = [IoSlice::new(buf)];
            retry(|| rustix::io::pwritev2(fd, &bufs, here, ReadWriteFlags::NOWAIT))?
        }
        Try::Socket => {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            retry(|| rustix::net::send(fd, buf, flags))?
        }
    };
    Ok(if n < buf.len() {
        Done::Short(n)
    } else {
        Done::Full(n)
    })
}

macro_rules! outputs {
    ($($(#[$doc:meta])* $type:ident, $make:ident, $thread:ident;)*) => { $(
        $(#[$doc])*
        ///
        /// Any number of handles may be made. A write that is ready has been
        /// accepted, and what is accepted keeps its order; on a terminal or a
        /// file it may still wait for its thread, so
        /// [`flush`](crate::io::AsyncWriteExt::flush) before the process ends.
        /// What it is, is looked at when the handle is made: make a new one
        /// after the descriptor was replaced (`dup2`).
        ///
        /// # Errors
        ///
        /// A write is `BrokenPipe` when nobody reads any more, never a signal.
        /// On a terminal or a file an error may come one write late, or by
        /// `flush`.
        ///
        /// # Cancellation
        ///
        /// A dropped write has written nothing, a dropped flush takes nothing
        /// back.
        ///
        /// # Example
        ///
        /// ```
        /// use wakeline_net::io::{self, AsyncWriteExt};
        ///
        /// # wakeline_net::testing::block_on(async {
        #[doc = concat!("let mut out = io::", stringify!($make), "();")]
        /// out.write_all(b"hello\n").await?;
        /// out.flush().await?;
        /// # std::io::Result::Ok(())
        /// # })?;
        /// # Ok::<(), std::io::Error>(())
        /// ```
        #[must_use]
        pub fn $make() -> $type {
            $type(Output::new(rustix::stdio::$make(), $thread.get()))
        }

        #[doc = concat!("The handle from [`", stringify!($make), "`].")]
        ///
        /// To close it is to flush it: the descriptor stays open, as others
        /// write there too.
        #[derive(Debug)]
        pub struct $type(Output);

        impl AsyncWrite for $type {
            #[track_caller]
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.0.poll_write(cx, buf)
            }

            #[track_caller]
            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.0.poll_flush(cx)
            }

            #[track_caller]
            fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.0.poll_flush(cx)
            }
        }

        impl AsFd for $type {
            fn as_fd(&self) -> BorrowedFd<'_> {
                rustix::stdio::$make()
            }
        }

        impl AsRawFd for $type {
            fn as_raw_fd(&self) -> RawFd {
                rustix::stdio::$make().as_raw_fd()
            }
        }
    )* };
}

outputs! {
    /// The standard output of this process, for writing without blocking a
    /// worker.
    Stdout, stdout, STDOUT;
    /// The standard error of this process, for writing without blocking a
    /// worker. Unlike std's it may hold bytes back until its thread has written
    /// them: before a panic or an exit, flush.
    Stderr, stderr, STDERR;
}
