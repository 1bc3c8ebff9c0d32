//! One direction of a stream in memory.
//!
//! ```text
//!           end ──▶ what is left is read, then 0; writes fail
//!   open ──┤
//!           leave_reading ──▶ what is left is dropped, writes fail
//! ```
//! Both are final, and may both happen. Each side has one waker, of its last
//! poll that found nothing to do; it is taken by what gives it something to do,
//! and by the side itself when it goes.
//! Foreign code (a waker's clone, call and drop) never runs under the lock.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read};
use std::panic::Location;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use wakeline_context::{Kind, budget, quietly, waiting_on};

/// What was done, and who can go on for it.
type Step = (io::Result<usize>, Option<Waker>);

pub(super) struct Lane {
    state: Mutex<State>,
    capacity: usize,
    made_at: &'static Location<'static>,
}

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    /// Nothing will be written any more.
    ended: bool,
    /// Nobody will read any more.
    abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Lane {
    pub(super) fn new(capacity: usize, made_at: &'static Location<'static>) -> Lane {
        Lane {
            state: Mutex::default(),
            capacity,
            made_at,
        }
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let step = |state: &mut State| state.read(bufs);
        self.poll(cx, Kind::Read, |state| &mut state.reader, step)
    }

    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let step = |state: &mut State| state.write(bufs, self.capacity);
        self.poll(cx, Kind::Write, |state| &mut state.writer, step)
    }

    fn poll(
        &self,
        cx: &mut Context<'_>,
        kind: Kind,
        side: fn(&mut State) -> &mut Option<Waker>,
        mut step: impl FnMut(&mut State) -> Option<Step>,
    ) -> Poll<io::Result<usize>> {
        let unit = ready!(budget::poll_proceed(cx));
        let mut waker = None;
        loop {
            let mut state = self.lock();
            if let Some((result, other)) = step(&mut state) {
                drop(state);
                unit.spend();
                quietly(|| drop(waker)); // bytes are in hand: a panic would cost them
                wake(other);
                return Poll::Ready(result);
            }
            if waker.is_some() {
                let old = std::mem::replace(side(&mut state), waker);
                drop(state);
                drop(old);
                unit.refund();
                waiting_on(kind, 0, self.made_at);
                return Poll::Pending;
            }
            drop(state);
            waker = Some(cx.waker().clone());
        }
    }

    /// Nothing more comes: the reader has what is left, and a write that waits fails.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        let (reader, writer) = (state.reader.take(), state.writer.take());
        drop(state);
        wake(reader);
        wake(writer);
    }

    /// The same, of a writer that goes: it waits for nothing any more.
    pub(super) fn leave_writing(&self) {
        let own = self.lock().writer.take();
        quietly(|| drop(own));
        self.end();
    }

    /// The reader goes: there is no use in writing.
    pub(super) fn leave_reading(&self) {
        let mut state = self.lock();
        state.abandoned = true;
        let bytes = std::mem::take(&mut state.bytes);
        let (own, writer) = (state.reader.take(), state.writer.take());
        drop(state);
        drop(bytes);
        quietly(|| drop(own));
        wake(writer);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Quietly: who wakes has bytes in hand, or is being dropped.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        quietly(|| waker.wake());
    }
}

impl State {
    /// `None` if there is nothing to read yet.
    fn read(&mut self, bufs: &mut [IoSliceMut<'_>]) -> Option<Step> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Some((Ok(0), None));
        }
        if self.bytes.is_empty() {
            return self.ended.then_some((Ok(0), None));
        }
        let before = self.bytes.len();
        for buf in bufs {
            let mut rest = &mut buf[..];
            // Twice, as the bytes may lie in two pieces.
            for _ in 0..2 {
                let count = self.bytes.read(rest).unwrap_or_default();
                rest = &mut rest[count..];
            }
        }
        Some((Ok(before - self.bytes.len()), self.writer.take()))
    }

    /// `None` if there is no room yet.
    fn write(&mut self, bufs: &[IoSlice<'_>], capacity: usize) -> Option<Step> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Some((Ok(0), None));
        }
        if let Some(why) = self.refuses() {
            return Some((Err(io::Error::new(ErrorKind::BrokenPipe, why)), None));
        }
        let before = self.bytes.len();
        if before == capacity {
            return None;
        }
        for buf in bufs {
            let room = buf.len().min(capacity - self.bytes.len());
            self.bytes.extend(&buf[..room]);
        }
        Some((Ok(self.bytes.len() - before), self.reader.take()))
    }

    fn refuses(&self) -> Option<&'static str> {
        if self.ended {
            Some("this stream in memory was closed for writing before")
        } else if self.abandoned {
            Some("nobody reads this stream in memory: its other end was dropped")
        } else {
            None
        }
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let (len, ended, abandoned) = (state.bytes.len(), state.ended, state.abandoned);
        drop(state); // what this is written to is foreign code
        f.debug_struct("Lane")
            .field("len", &len)
            .field("capacity", &self.capacity)
            .field("ended", &ended)
            .field("abandoned", &abandoned)
            .finish_non_exhaustive()
    }
}
