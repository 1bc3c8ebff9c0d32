//! Moving the position.

use super::{File, POSITION_MAX, Since};
use std::io::{self, SeekFrom};
use std::os::fd::AsFd;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use wakeline_reactor::op::{self, InFlight};

/// How long the file is, being asked.
pub(super) struct Sizing {
    op: InFlight<op::Statx>,
    /// The count of this file's writes when it began.
    writes: u64,
    since: Since,
}

impl File {
    pub(super) fn poll_seek_here(
        &mut self,
        cx: &mut Context<'_>,
        to: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        // It may have moved the position, and may make the file longer.
        ready!(self.poll_settled(cx));
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

    fn poll_size(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let mut begun_here = false;
        let mut old = None;
        let stat = loop {
            let writes = self.writes_begun();
            // One that was begun since may have happened, and nobody heard of it.
            let begun_before = |sizing: &Sizing| sizing.writes != writes;
            if self.cursor.sizing.as_ref().is_some_and(begun_before) {
                self.cursor.sizing = None;
            }
            let now = self.since(old);
            let sizing = match &mut self.cursor.sizing {
                Some(sizing) => sizing,
                none => {
                    begun_here = true;
                    let statx = op::Statx::of(Arc::clone(&self.fd));
                    none.insert(Sizing {
                        op: op::submit_from(Location::caller(), statx),
                        writes,
                        since: now,
                    })
                }
            };
            let since = sizing.since;
            let (stat, ()) = ready!(Pin::new(&mut sizing.op).poll(cx));
            self.cursor.sizing = None;
            match stat {
                // The end of the runtime that it was begun on: begun again.
                Err(error) if op::was_stopped(&error) && !begun_here => {}
                stat if !self.is_old(since) => break stat,
                _ => old = Some(since),
            }
        };
        let stat = stat?;
        if rustix::fs::FileType::from_raw_mode(stat.mode).is_file() {
            return Poll::Ready(Ok(stat.size));
        }
        // Of a disk, and of what else has a size, a seek tells it.
        Poll::Ready(Ok(rustix::fs::seek(
            self.as_fd(),
            rustix::fs::SeekFrom::End(0),
        )?))
    }
}
