//! The threads that write standard output and error where that may block.
//!
//! ```text
//!   poll_write ──▶ [ queue, 64 KiB ] ──the thread takes all──▶ write(2), in order
//!       accepted += n                                          written += n
//!
//!   poll_flush: waits until written has reached what was accepted when it began
//! ```
//!
//! An error ends the batch that it is in, and is told to the next write or
//! flush; what that batch had left is gone, as if it had been written.

use super::wait_here;
use super::waiters::{Id, Waiters};
use crate::foreign::wake_all;
use crate::per_process::{GENERATIONS, PerProcess};
use crate::sys::retry;
use rustix::event::PollFlags;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;

const QUEUE: usize = 64 << 10;

#[derive(Debug)]
struct Inner {
    queue: Vec<u8>,
    /// Bytes that came into the queue, and that the thread is done with.
    accepted: u64,
    written: u64,
    error: Option<io::Error>,
    runs: bool,
    waiters: Waiters,
}

#[derive(Debug)]
pub(super) struct ThreadOut {
    inner: Mutex<Inner>,
    work: Condvar,
    fd: fn() -> BorrowedFd<'static>,
    name: &'static str,
}

pub(super) static STDOUT: PerProcess<ThreadOut> = PerProcess::new(
    [const { ThreadOut::new(rustix::stdio::stdout, "wakeline-stdout") }; GENERATIONS],
);
pub(super) static STDERR: PerProcess<ThreadOut> = PerProcess::new(
    [const { ThreadOut::new(rustix::stdio::stderr, "wakeline-stderr") }; GENERATIONS],
);

impl ThreadOut {
    const fn new(fd: fn() -> BorrowedFd<'static>, name: &'static str) -> ThreadOut {
        ThreadOut {
            inner: Mutex::new(Inner {
                queue: Vec::new(),
                accepted: 0,
                written: 0,
                error: None,
                runs: false,
                waiters: Waiters::new(),
            }),
            work: Condvar::new(),
            fd,
            name,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No foreign code runs under the lock, so a panic has left it whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn poll_write(
        &'static self,
        id: Id,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let waker = cx.waker().clone(); // foreign code: not under the lock
        let mut inner = self.lock();
        if let Some(error) = inner.error.take() {
            return Poll::Ready(Err(error));
        }
        let n = buf.len().min(QUEUE - inner.queue.len());
        if n == 0 && !buf.is_empty() {
            let replaced = inner.waiters.list(id, waker);
            drop(inner);
            drop(replaced);
            return Poll::Pending;
        }
        if !inner.runs {
            let named = thread::Builder::new().name(self.name.into());
            if let Err(error) = named.spawn(|| self.write_on()) {
                return Poll::Ready(Err(error));
            }
            inner.runs = true;
        }
        inner.queue.extend_from_slice(&buf[..n]);
        inner.accepted += n as u64;
        self.work.notify_one();
        Poll::Ready(Ok(n))
    }

    /// Waits for what was accepted by the first poll; `until` keeps how far
    /// that is from poll to poll.
    pub(super) fn poll_flush(
        &self,
        id: Id,
        cx: &mut Context<'_>,
        until: &mut Option<u64>,
    ) -> Poll<io::Result<()>> {
        let waker = cx.waker().clone();
        let mut inner = self.lock();
        if let Some(error) = inner.error.take() {
            *until = None;
            return Poll::Ready(Err(error));
        }
        if *until.get_or_insert(inner.accepted) <= inner.written {
            *until = None;
            return Poll::Ready(Ok(()));
        }
        let replaced = inner.waiters.list(id, waker);
        drop(inner);
        drop(replaced);
        Poll::Pending
    }

    /// The handle is gone, and nobody waits by it any more.
    pub(super) fn forget(&self, id: Id) {
        let waker = self.lock().waiters.remove(id);
        drop(waker);
    }

    /// The thread: takes what is queued, writes it, and so on.
    fn write_on(&self) {
        loop {
            self.write_batch();
        }
    }

    /// Waits for something to write, and writes it.
    fn write_batch(&self) {
        let mut inner = self.lock();
        while inner.queue.is_empty() {
            inner = self
                .work
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let batch = std::mem::take(&mut inner.queue);
        // There is room again, though nothing is written yet.
        let wakers = inner.waiters.take();
        drop(inner);
        wake_all(wakers);
        let result = write_all((self.fd)(), &batch);
        let mut inner = self.lock();
        inner.written += batch.len() as u64;
        if let Err(error) = result {
            inner.error.get_or_insert(error);
        }
        let wakers = inner.waiters.take();
        drop(inner);
        wake_all(wakers);
    }

    /// For tests, which do by [`step`](ThreadOut::step) what the thread does.
    #[cfg(test)]
    pub(super) fn without_thread() -> &'static ThreadOut {
        fn nowhere() -> BorrowedFd<'static> {
            use std::os::fd::AsFd;
            static NULL: std::sync::OnceLock<std::fs::File> = std::sync::OnceLock::new();
            let open = || std::fs::File::create("/dev/null").expect("it is there");
            NULL.get_or_init(open).as_fd()
        }
        let thread = Box::leak(Box::new(ThreadOut::new(nowhere, "test")));
        thread.lock().runs = true;
        thread
    }

    #[cfg(test)]
    pub(super) fn step(&self) {
        self.write_batch();
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiters.len()
    }
}

fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match retry(|| rustix::io::write(fd, bytes)) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = &bytes[n..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait_here(fd, PollFlags::OUT)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
