//! The position of a file: reads, writes and seeks there.
//!
//! ```text
//!            1 in memory                        4 room at once
//!            ┌────┐                              ┌────┐
//!            │    ▼      2 a miss                │    ▼     5 must wait
//!     read ──┴─▶ Idle ─────────────▶ Reading     write ─┴─▶ Idle ─────────▶ Writing
//!                 ▲ ▲                  │ │               ▲                   │
//!                 │ └──── 3 done ──────┘ │               └────── 6 done ─────┘
//!                 └── 7 something was written, or the position is elsewhere
//! ```
//! 1, 4 `Now`: by a plain call into, or out of, the caller's slice
//! 2 `start_read`: an operation with a chunk of its own
//! 3 what it read is in memory now, so it is read again, by 1: then no byte is
//!   older than the poll that returns it. Where 1 cannot be had, from the chunk
//! 5 `start_write`: an operation with a copy
//! 6 `settle`: the position moves by what was written
//! 7 `fresh`, `is_old`: the operation is given up, or its result, which costs
//!   nothing but its work
//!
//! What has no positions (a pipe, a terminal) gives its bytes once. So they are
//! taken by the poll that returns them, and until then `waiting` waits; what an
//! operation took all the same, where the kernel gives no other way, is kept in
//! `carry`. A FIFO is read to its end only when somebody has written to it.
//!
//! The operations are the file's, not the future's, so a dropped future leaves
//! a state, and the next call finds it. After a dropped read that is all: no
//! position has moved.
//!
//! After a dropped write the next one comes to `Writing` and waits for 6. If it
//! begins with just the bytes that were written, it is that write, polled
//! again or tried again, and has its result: so trying again writes nothing
//! twice. If not, those bytes stay, and it writes its own behind them. Whatever
//! else is done with the file in between (a flush, a close, a seek, a read that
//! moves the position, a change of its length) ends that: who has been told that all
//! is written, or was shown it, means more bytes when he writes the same ones. An
//! error of a write that nobody waited for is told to the next write, flush or close.
//!
//! Both directions may be under way at once, by the halves of a file. Those of a
//! stream have nothing to do with each other. Where there is a position, a read waits
//! for the write before it (`waits`), and leaves its result to the writer.

mod read;
mod seek;
mod waits;
mod write;

use super::file::File;
use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};
use read::{Carry, Reading};
use std::fmt;
use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use waits::Waits;
use wakeline_reactor::op::{self, InFlight};
use write::{Writing, Written};

/// For the kernel: at the position it keeps, or without one.
const NO_OFFSET: u64 = u64::MAX;

/// How many results in a row are thrown away since others have written
/// meanwhile. They may do so all the time, and a read is to end: it then gives
/// what was there while it was under way.
const AGAIN_MAX: u8 = 8;

/// Positions are the kernel's `loff_t`.
const POSITION_MAX: u64 = i64::MAX as u64;

/// When an operation was begun: what it tells is old after a later change.
#[derive(Clone, Copy)]
struct Since {
    /// The count of changes.
    changes: u64,
    /// So many results before it were old.
    again: u8,
}

impl File {
    /// Now; `old` is what is begun again.
    fn since(&self, old: Option<Since>) -> Since {
        Since {
            changes: self.changes().count(),
            again: old.map_or(0, |old| old.again + 1),
        }
    }

    fn is_old(&self, since: Since) -> bool {
        since.changes != self.changes().count() && since.again < AGAIN_MAX
    }
}

/// See the module's story.
#[derive(Default)]
pub(crate) struct Cursor {
    /// In bytes; of what has none (a pipe, a terminal) always 0.
    position: u64,
    /// It has none.
    stream: bool,
    reading: Option<Reading>,
    /// For something in a pipe to be read.
    waiting: Option<InFlight<op::Readable>>,
    /// What was taken from a stream for a larger read that was dropped.
    carry: Carry,
    writing: Option<Writing>,
    waits: Option<Arc<Waits>>,
    /// What a write came to of which nobody heard, for it may be polled again.
    written: Option<Written>,
    /// The same, where it is an error.
    failed: Option<io::Error>,
    /// How long the file is, being asked.
    sizing: Option<InFlight<op::Statx>>,
    closing: Option<InFlight<op::CloseFile>>,
}

impl Cursor {
    pub(crate) fn at(position: u64) -> Cursor {
        Cursor {
            position,
            ..Cursor::default()
        }
    }

    /// Nothing is left over from before.
    #[inline]
    fn is_idle(&self) -> bool {
        self.reading.is_none()
            && self.waiting.is_none()
            && (self.writing.is_none() || self.stream)
            && self.carry.is_empty()
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }
}

impl AsyncRead for File {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_read_here(cx, buf)
    }
}

impl AsyncWrite for File {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_here(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_flush_here(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_close_here(cx)
    }
}

impl AsyncSeek for File {
    fn poll_seek(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        self.get_mut().poll_seek_here(cx, to)
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor")
            .field("position", &self.position)
            .field("reading", &self.reading.is_some())
            .field("writing", &self.writing.is_some())
            .finish_non_exhaustive()
    }
}
