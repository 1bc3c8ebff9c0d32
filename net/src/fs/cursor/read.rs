//! Reading at the position: edges 1, 2, 3 and 7.

use super::waits::Side;
use super::{File, NO_OFFSET, Since};
use crate::fs::chunk::{self, Chunk};
use crate::fs::now;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::io;
use std::os::fd::AsFd;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use wakeline_context::budget;
use wakeline_reactor::op::{self, InFlight};

/// A read under way, and what it was to be a read of.
pub(super) struct Reading {
    op: InFlight<op::Read<Chunk>>,
    at: u64,
    /// The count of this file's writes when it began.
    writes: u64,
    since: Since,
}

/// What came from a stream, and was more than the read asked for that takes it.
#[derive(Default)]
pub(super) struct Carry {
    chunk: Chunk,
    taken: usize,
    end: usize,
}

impl Carry {
    fn put(&mut self, chunk: Chunk, end: usize) {
        *self = Carry {
            chunk,
            taken: 0,
            end,
        };
    }

    fn take(&mut self, buf: &mut [u8]) -> usize {
        let rest = &self.chunk[self.taken..self.end];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.taken += n;
        if self.is_empty() {
            chunk::give_back(std::mem::take(self).chunk);
        }
        n
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken == self.end
    }
}

impl File {
    #[inline]
    pub(super) fn poll_read_here(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let Poll::Ready(unit) = budget::poll_proceed(cx) else {
            return Poll::Pending;
        };
        if self.cursor.is_idle()
            && let Some(result) = self.read_now(buf)
        {
            now::spend(unit, &result);
            return Poll::Ready(result);
        }
        unit.refund();
        self.poll_read_slowly(cx, buf)
    }

    /// Edge 1; `None` if what is there is not in memory.
    #[inline]
    fn read_now(&mut self, buf: &mut [u8]) -> Option<io::Result<usize>> {
        let offset = self.offset();
        let result = self.now().read(self.as_fd(), buf, offset);
        match &result {
            Some(Ok(0)) if self.is_to_be_waited_for() => return None,
            Some(Ok(n)) => {
                self.advance(*n);
            }
            Some(Err(error)) if self.turns_out_a_stream(error) => return self.read_now(buf),
            _ => {}
        }
        result
    }

    #[cold]
    fn poll_read_slowly(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if !self.cursor.stream {
            ready!(self.poll_settled(cx, Side::Behind));
        }
        if !self.cursor.carry.is_empty() {
            return Poll::Ready(Ok(self.cursor.carry.take(buf)));
        }
        let mut begun_here = false;
        let mut old = None;
        loop {
            if !self.fresh() {
                self.cursor.reading = None;
            }
            if let Err(error) = ready!(self.poll_waited(cx))
                && (begun_here || !op::was_stopped(&error))
            {
                return Poll::Ready(Err(error));
            }
            let Some(reading) = &mut self.cursor.reading else {
                if let Some(result) = self.read_now(buf) {
                    return Poll::Ready(result);
                }
                begun_here = true;
                if self.is_to_be_waited_for() {
                    self.start_wait();
                } else {
                    self.start_read(buf.len(), old.take());
                }
                continue;
            };
            let since = reading.since;
            let (result, chunk) = ready!(Pin::new(&mut reading.op).poll(cx));
            self.cursor.reading = None;
            match result {
                // The end of the runtime that it was begun on: begun again.
                Err(error) if op::was_stopped(&error) && !begun_here => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(0) if self.is_to_be_waited_for() => chunk::give_back(chunk),
                Ok(n) => match self.deliver(chunk, n, since, buf) {
                    Some(result) => return Poll::Ready(result),
                    None => old = Some(since),
                },
            }
        }
    }

    /// Whether it is a pipe with nothing to be read, not even its end: a FIFO
    /// that nobody has opened for writing yet is like that, though a read says
    /// that this is its end.
    fn is_to_be_waited_for(&self) -> bool {
        self.cursor.stream && self.is_empty_pipe()
    }

    #[cold]
    fn is_empty_pipe(&self) -> bool {
        let mut poll = [PollFd::new(self, PollFlags::IN)];
        self.is_fifo() && rustix::event::poll(&mut poll, Some(&Timespec::default())) == Ok(0)
    }

    fn start_wait(&mut self) {
        let readable = op::Readable {
            fd: Arc::clone(self.descriptor()),
        };
        self.cursor.waiting = Some(op::submit_from(Location::caller(), readable));
    }

    fn poll_waited(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(waiting) = &mut self.cursor.waiting else {
            return Poll::Ready(Ok(()));
        };
        let (result, ()) = ready!(Pin::new(waiting).poll(cx));
        self.cursor.waiting = None;
        Poll::Ready(result)
    }

    /// Whether what is being read is what a read would have to read now.
    fn fresh(&self) -> bool {
        let cursor = &self.cursor;
        let current = |reading: &Reading| {
            reading.at == cursor.position && reading.writes == self.writes_begun()
        };
        cursor.stream || cursor.reading.as_ref().is_none_or(current)
    }

    /// Edge 2.
    fn start_read(&mut self, wanted: usize, old: Option<Since>) {
        self.cursor.stream |= self.check_position().is_err();
        // Before it is begun: what changes from here on makes it old.
        let since = self.since(old);
        let read = op::Read {
            fd: Arc::clone(self.descriptor()),
            buf: chunk::take(wanted),
            offset: self.offset(),
        };
        self.cursor.reading = Some(Reading {
            op: op::submit_from(Location::caller(), read),
            at: self.cursor.position,
            writes: self.writes_begun(),
            since,
        });
    }

    /// Edge 3; `None`: what it read is old.
    fn deliver(
        &mut self,
        chunk: Chunk,
        n: usize,
        since: Since,
        buf: &mut [u8],
    ) -> Option<io::Result<usize>> {
        if self.cursor.stream {
            self.cursor.carry.put(chunk, n);
            return Some(Ok(self.cursor.carry.take(buf)));
        }
        if let Some(Ok(n)) = self.read_now(buf) {
            chunk::give_back(chunk);
            return Some(Ok(n));
        }
        if self.is_old(since) {
            chunk::give_back(chunk);
            return None;
        }
        let n = n.min(buf.len());
        buf[..n].copy_from_slice(&chunk[..n]);
        chunk::give_back(chunk);
        self.advance(n);
        Some(Ok(n))
    }

    pub(super) fn offset(&self) -> u64 {
        if self.cursor.stream {
            NO_OFFSET
        } else {
            self.cursor.position
        }
    }

    pub(super) fn advance(&mut self, n: usize) {
        if !self.cursor.stream {
            self.cursor.position += n as u64;
        }
    }

    #[cold]
    pub(super) fn turns_out_a_stream(&mut self, error: &io::Error) -> bool {
        let before = self.cursor.stream;
        self.cursor.stream |= Errno::from_io_error(error) == Some(Errno::SPIPE);
        self.cursor.stream && !before
    }
}
