//! Writing at the position, and closing: edges 4, 5 and 6.

use super::waits::Side;
use super::{File, NO_OFFSET};
use crate::fs::chunk::{self, Chunk};
use crate::fs::{close, now};
use rustix::fs::OFlags;
use std::io;
use std::os::fd::AsFd;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use wakeline_context::budget;
use wakeline_reactor::op::{self, InFlight};

/// A write under way.
pub(super) struct Writing {
    op: InFlight<op::Write<Chunk>>,
    /// The count of writes, with this one.
    writes: u64,
}

/// What a write has written.
pub(super) struct Written {
    chunk: Chunk,
    /// So many bytes of it.
    n: usize,
    /// The position behind them.
    end: u64,
    writes: u64,
}

impl File {
    pub(super) fn poll_write_here(
        &mut self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut begun_here = false;
        loop {
            ready!(self.poll_settled(cx, Side::Writer));
            match self.cursor.failed.take() {
                // The end of the runtime that it was begun on: it has not happened.
                Some(error) if op::was_stopped(&error) && !begun_here => {}
                Some(error) => return Poll::Ready(Err(error)),
                None => {}
            }
            if let Some(n) = self.is_written(buf, begun_here) {
                return Poll::Ready(Ok(n));
            }
            let Poll::Ready(unit) = budget::poll_proceed(cx) else {
                return Poll::Pending;
            };
            self.note_write();
            if let Some(result) = self.write_now(buf) {
                now::spend(unit, &result);
                return Poll::Ready(result);
            }
            unit.refund();
            begun_here = true;
            self.start_write(buf);
        }
    }

    /// Whether an operation has written what is at the beginning of `buf`, just
    /// before the position, and nobody has been told yet; and how much that is.
    #[inline]
    fn is_written(&mut self, buf: &[u8], begun_here: bool) -> Option<usize> {
        let Written {
            chunk,
            n,
            end,
            writes,
        } = self.cursor.written.take()?;
        let here = end == self.cursor.position && writes == self.writes_begun();
        let same = here && buf.starts_with(&chunk[..n]);
        chunk::give_back(chunk);
        (begun_here || (same && n > 0)).then_some(n)
    }

    /// Edge 4; `None` if that would have to wait.
    fn write_now(&mut self, buf: &[u8]) -> Option<io::Result<usize>> {
        let offset = self.write_offset();
        let result = self.now().write(self.as_fd(), buf, offset);
        if result.is_some() {
            self.changes().note();
        }
        match &result {
            Some(Ok(n)) => self.advance_written(*n),
            Some(Err(error)) if self.turns_out_a_stream(error) => return self.write_now(buf),
            _ => {}
        }
        result
    }

    /// Edge 5.
    fn start_write(&mut self, buf: &[u8]) {
        self.cursor.stream |= self.check_position().is_err();
        self.changes().note(); // for its clones: nobody may hear of its end
        let write = op::Write {
            fd: Arc::clone(self.descriptor()),
            buf: chunk::filled(buf),
            offset: self.write_offset(),
        };
        self.cursor.writing = Some(Writing {
            op: op::submit_from(Location::caller(), write),
            writes: self.writes_begun(),
        });
    }

    /// Edge 6: waits for the write that is under way, if there is one.
    #[inline]
    pub(super) fn poll_settled(&mut self, cx: &Context<'_>, side: Side) -> Poll<()> {
        if self.cursor.writing.is_none() {
            return Poll::Ready(());
        }
        self.settle(cx, side)
    }

    fn settle(&mut self, cx: &Context<'_>, side: Side) -> Poll<()> {
        let Some(Writing { op, writes }) = &mut self.cursor.writing else {
            return Poll::Ready(());
        };
        let (result, chunk) = ready!(self.cursor.waits.get_or_insert_default().poll(cx, side, op));
        let writes = *writes;
        self.cursor.writing = None;
        self.changes().note();
        match result {
            Ok(n) => {
                self.advance_written(n);
                self.cursor.written = Some(Written {
                    chunk,
                    n,
                    end: self.cursor.position,
                    writes,
                });
            }
            Err(error) => {
                chunk::give_back(chunk);
                self.cursor.failed = Some(error);
            }
        }
        Poll::Ready(())
    }

    fn appends(&self) -> bool {
        self.flags().contains(OFlags::APPEND)
    }

    /// The kernel finds the end for who appends, and keeps it as its position.
    fn write_offset(&self) -> u64 {
        if self.appends() {
            NO_OFFSET
        } else {
            self.offset()
        }
    }

    fn advance_written(&mut self, n: usize) {
        self.advance(n);
        if self.appends() && !self.cursor.stream {
            // A regular file has a position, so that it is always told.
            let end = rustix::fs::tell(self.as_fd());
            self.cursor.position = end.unwrap_or(self.cursor.position);
        }
    }

    /// All that was written has left; or the error of what has not.
    pub(crate) fn poll_flush_here(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_settled(cx, Side::Writer));
        // It is told: the same bytes again are another write.
        self.cursor.written = None;
        Poll::Ready(self.cursor.failed.take().map_or(Ok(()), Err))
    }

    /// Closes a duplicate, which tells what the last close would have to tell.
    pub(super) fn poll_close_here(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush_here(cx))?;
        if !self.is_writable() {
            return Poll::Ready(Ok(()));
        }
        let mut begun_here = false;
        loop {
            let closing = match &mut self.cursor.closing {
                Some(closing) => closing,
                none => {
                    begun_here = true;
                    let Some(duplicate) = close::duplicate(&self.fd)? else {
                        return Poll::Ready(Ok(()));
                    };
                    none.insert(op::submit_from(
                        Location::caller(),
                        op::CloseFile::new(duplicate),
                    ))
                }
            };
            let (result, ()) = ready!(Pin::new(closing).poll(cx));
            self.cursor.closing = None;
            match result {
                // The end of the runtime that it was begun on: begun again.
                Err(error) if op::was_stopped(&error) && !begun_here => {}
                result => return Poll::Ready(result),
            }
        }
    }
}
