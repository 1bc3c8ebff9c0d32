//! Reads and writes that do not wait: what is in the page cache, at once.
//!
//! `RWF_NOWAIT` says "not, if it would block". Three kernel traps:
//!
//! - A file system may not know the flag (`EOPNOTSUPP`): it is not asked again.
//!   ext4 knows it for reads but not for writes.
//! - With `O_DIRECT` it speaks of locks, and the call waits for the disk all the
//!   same. So such files are never tried.
//! - Linux 5.9 and 5.10 may say 0 bytes, that is the end of the file, where they
//!   mean "not in memory". So an end is believed only where the file ends, and of
//!   a disk, which tells no size, not at all.

use rustix::fs::{AtFlags, FileType, OFlags, RawMode, StatxFlags};
use rustix::io::{Errno, ReadWriteFlags};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use wakeline_context::budget::Unit;
use wakeline_reactor::faults;

/// The most that is moved at once, in bytes: about 20 us of copying.
pub(crate) const NOW_MAX: usize = 256 << 10;

/// So many bytes copied are a unit of the poll's budget: a poll reads 2 MiB at
/// most, about 200 us of copying, before others have their turn.
const BYTES_PER_UNIT: usize = 16 << 10;

/// The poll made progress by as many bytes as this says.
#[inline]
pub(crate) fn spend(unit: Unit, result: &io::Result<usize>) {
    unit.spend_with(result.as_ref().map_or(0, |n| n / BYTES_PER_UNIT));
}

/// What is known of a file about calls that do not wait.
#[derive(Debug)]
pub(crate) struct Now {
    reads: AtomicBool,
    writes: AtomicBool,
    /// The file ended there, in bytes, when somebody looked.
    length: Option<u64>,
}

impl Now {
    /// Of a file that was opened with these flags.
    pub(crate) fn new(flags: OFlags) -> Now {
        let tried = !flags.contains(OFlags::DIRECT);
        Now {
            reads: AtomicBool::new(tried),
            writes: AtomicBool::new(tried),
            length: None,
        }
    }

    /// A regular file had this length, in bytes, since who reads it began.
    pub(crate) fn note_length(&mut self, length: u64) {
        self.length = Some(length);
    }

    /// Reads what is in memory; `None`: that takes an operation.
    #[inline]
    pub(crate) fn read(
        &self,
        fd: BorrowedFd<'_>,
        buf: &mut [u8],
        offset: u64,
    ) -> Option<io::Result<usize>> {
        // Relaxed, here and below: at worst it is tried in vain.
        if !self.reads.load(Ordering::Relaxed) || faults::spurious() {
            return None;
        }
        let most = faults::length(buf.len().min(NOW_MAX));
        let mut bufs = [IoSliceMut::new(&mut buf[..most])];
        match rustix::io::preadv2(fd, &mut bufs, offset, ReadWriteFlags::NOWAIT) {
            Ok(0) if most > 0 && self.length != Some(offset) && !is_at_end(fd, offset) => None,
            result => outcome(result, &self.reads),
        }
    }

    /// Writes what there is room for; `None`: that takes an operation.
    #[inline]
    pub(crate) fn write(
        &self,
        fd: BorrowedFd<'_>,
        buf: &[u8],
        offset: u64,
    ) -> Option<io::Result<usize>> {
        if !self.writes.load(Ordering::Relaxed) || faults::spurious() {
            return None;
        }
        let most = faults::length(buf.len().min(NOW_MAX));
        let bufs = [IoSlice::new(&buf[..most])];
        let result = rustix::io::pwritev2(fd, &bufs, offset, ReadWriteFlags::NOWAIT);
        outcome(result, &self.writes)
    }
}

#[inline]
fn outcome(result: rustix::io::Result<usize>, tried: &AtomicBool) -> Option<io::Result<usize>> {
    match result {
        Ok(n) => Some(Ok(n)),
        // EINVAL is an old kernel's word for the flag, or about the arguments:
        // then the operation will say so again.
        Err(Errno::AGAIN | Errno::INTR | Errno::INVAL) => None,
        // EPERM is a sandbox's, or a sealed file's: the operation tells that one.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => {
            tried.store(false, Ordering::Relaxed);
            None
        }
        Err(errno) => Some(Err(errno.into())),
    }
}

/// Whether a read of nothing at `offset` is the end, as far as memory tells.
#[cold]
fn is_at_end(fd: impl AsFd, offset: u64) -> bool {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let stat = rustix::fs::statx(fd, c"", flags, StatxFlags::TYPE | StatxFlags::SIZE);
    // Where a filter refuses to tell, an operation does.
    stat.is_ok_and(|stat| ends_at(stat.stx_mode.into(), stat.stx_size, offset))
}

/// A disk's size is told as 0. What has no pages (a FIFO, /dev/null) says itself
/// where it ends, and is told as 0, too.
fn ends_at(mode: RawMode, size: u64, offset: u64) -> bool {
    !FileType::from_raw_mode(mode).is_block_device() && size <= offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_believed_where_the_file_ends_and_not_of_a_disk() {
        for (kind, size, offset, ends) in [
            (FileType::RegularFile, 10, 9, false),
            (FileType::RegularFile, 10, 10, true),
            (FileType::RegularFile, 0, 0, true),
            (FileType::BlockDevice, 0, 0, false),
            (FileType::BlockDevice, 0, 4096, false),
            (FileType::CharacterDevice, 0, 0, true),
            (FileType::Fifo, 0, u64::MAX, true),
        ] {
            let mode = kind.as_raw_mode() | 0o644;
            assert_eq!(
                ends_at(mode, size, offset),
                ends,
                "{kind:?} {size} {offset}"
            );
        }
    }
}
