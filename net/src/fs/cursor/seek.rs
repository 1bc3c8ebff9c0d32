//! Moving the position.

use super::waits::Side;
use super::{File, POSITION_MAX};
use rustix::fs::{AtFlags, FileType, StatxFlags};
use std::io::{self, SeekFrom};
use std::os::fd::AsFd;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use wakeline_context::budget;
use wakeline_reactor::op;

impl File {
    pub(super) fn poll_seek_here(
        &mut self,
        cx: &mut Context<'_>,
        to: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        // It may have moved the position, and may make the file longer.
        ready!(self.poll_settled(cx, Side::Behind));
        // It waits for nothing, mostly, and must not keep the thread for that.
        ready!(budget::poll_proceed(cx)).spend();
        self.cursor.written = None;
        self.check_position()?;
        let position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.cursor.position.checked_add_signed(by),
            SeekFrom::End(by) => ready!(self.poll_size(cx))?.checked_add_signed(by),
        };
        let Some(position) = position.filter(|at| *at <= POSITION_MAX) else {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "a file has no position {to:?}: it is before the beginning, or beyond what a file may have"
                ),
            )));
        };
        self.cursor.position = position;
        Poll::Ready(Ok(position))
    }

    /// How long the file is: an operation brings that to memory, and what is there then
    /// is told. For the operation may be one of a dropped seek, and its answer old.
    fn poll_size(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let mut begun_here = false;
        let stat = loop {
            let sizing = match &mut self.cursor.sizing {
                Some(sizing) => sizing,
                none => {
                    begun_here = true;
                    let statx = op::Statx::of(Arc::clone(&self.fd));
                    none.insert(op::submit_from(Location::caller(), statx))
                }
            };
            let (stat, ()) = ready!(Pin::new(sizing).poll(cx));
            self.cursor.sizing = None;
            match stat {
                // The end of the runtime that it was begun on: begun again.
                Err(error) if op::was_stopped(&error) && !begun_here => {}
                stat => break stat?,
            }
        };
        if FileType::from_raw_mode(stat.mode).is_file() {
            let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
            let now = rustix::fs::statx(self.as_fd(), c"", flags, StatxFlags::SIZE);
            // Where that call is refused, what was told just now is all there is.
            return Poll::Ready(Ok(now.map_or(stat.size, |now| now.stx_size)));
        }
        // Of a disk, and of what else has a size, a seek tells it.
        Poll::Ready(Ok(rustix::fs::seek(
            self.as_fd(),
            rustix::fs::SeekFrom::End(0),
        )?))
    }
}
