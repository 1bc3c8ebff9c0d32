//! The thread that reads standard input where that may block.
//!
//! ```text
//!   Idle ──1──▶ Asked ──2──▶ Kept ──3──▶ Idle
//! ```
//! 1 `poll_read`  finds nothing, and asks the thread
//! 2 `read_on`    the thread's read has ended: bytes, the end, or an error
//! 3 `poll_read`  has taken all of it
//!
//! What is kept belongs to the process, not to a future or a handle: nothing is
//! lost if who asked is gone. The thread reads only when asked, so what nobody
//! wants stays for a child process to read. Nobody waits for it at the end of
//! the process.

use super::wait_here;
use super::waiters::{Id, Waiters};
use crate::foreign::wake_all;
use crate::per_process::{GENERATIONS, PerProcess};
use crate::sys::retry;
use rustix::event::PollFlags;
use rustix::io::Errno;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;

const BUFFER: usize = 64 << 10;

#[derive(Debug)]
enum State {
    Idle,
    Asked,
    /// The bytes from `.1` on are not taken yet; none at all is the end.
    Kept(Vec<u8>, usize),
    Failed(io::Error),
}

#[derive(Debug)]
struct Inner {
    state: State,
    runs: bool,
    waiters: Waiters,
}

#[derive(Debug)]
pub(super) struct ThreadIn {
    inner: Mutex<Inner>,
    asked: Condvar,
}

/// One for the process, as there is one standard input.
pub(super) static STDIN: PerProcess<ThreadIn> =
    PerProcess::new([const { ThreadIn::new() }; GENERATIONS]);

impl ThreadIn {
    const fn new() -> ThreadIn {
        ThreadIn {
            inner: Mutex::new(Inner {
                state: State::Idle,
                runs: false,
                waiters: Waiters::new(),
            }),
            asked: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No foreign code runs under the lock, so a panic has left it whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn poll_read(
        &'static self,
        id: Id,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let waker = cx.waker().clone(); // foreign code: not under the lock
        let mut inner = self.lock();
        if let State::Kept(bytes, start) = &mut inner.state {
            let left = &bytes[*start..];
            let n = left.len().min(buf.len());
            buf[..n].copy_from_slice(&left[..n]);
            *start += n;
            if *start == bytes.len() {
                inner.state = State::Idle;
            }
            return Poll::Ready(Ok(n));
        }
        match std::mem::replace(&mut inner.state, State::Asked) {
            State::Failed(error) => {
                inner.state = State::Idle;
                return Poll::Ready(Err(error));
            }
            State::Idle => {
                if !inner.runs {
                    let named = thread::Builder::new().name("wakeline-stdin".into());
                    if let Err(error) = named.spawn(|| self.read_on()) {
                        inner.state = State::Idle;
                        return Poll::Ready(Err(error));
                    }
                    inner.runs = true;
                }
                self.asked.notify_one();
            }
            State::Asked | State::Kept(..) => {}
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

    /// The thread: waits to be asked, reads once, and so on.
    fn read_on(&self) {
        loop {
            let mut inner = self.lock();
            while !matches!(inner.state, State::Asked) {
                inner = self
                    .asked
                    .wait(inner)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            drop(inner);
            self.answer(read_once());
        }
    }

    /// What was read is there for who has asked, or for anybody else.
    fn answer(&self, read: io::Result<Vec<u8>>) {
        let mut inner = self.lock();
        inner.state = match read {
            Ok(bytes) => State::Kept(bytes, 0),
            Err(error) => State::Failed(error),
        };
        let wakers = inner.waiters.take();
        drop(inner);
        wake_all(wakers);
    }

    /// For tests, which do by [`step`](ThreadIn::step) what the thread does.
    #[cfg(test)]
    pub(super) fn without_thread() -> &'static ThreadIn {
        let thread = Box::leak(Box::new(ThreadIn::new()));
        thread.lock().runs = true;
        thread
    }

    #[cfg(test)]
    pub(super) fn step(&self, read: &[u8]) {
        self.answer(Ok(read.to_vec()));
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiters.len()
    }
}

fn read_once() -> io::Result<Vec<u8>> {
    let stdin = rustix::stdio::stdin();
    let mut bytes = vec![0; BUFFER];
    let n = loop {
        match retry(|| rustix::io::read(stdin, &mut bytes)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait_here(stdin, PollFlags::IN)?;
            }
            // Closed while the process ran: std takes this for the end too.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::BADF) => break 0,
            result => break result?,
        }
    };
    bytes.truncate(n);
    bytes.shrink_to_fit();
    Ok(bytes)
}
