//! What stands in for a sender that was closed: the end of a pipe without a
//! reader, so that every write is the error that it should be.
//!
//! There is one for the process, for good, and it is there before the first
//! sender is: to close one must need no descriptor, or a process that has run
//! out of them could not give any back. Nothing ever waits for it.

use super::new_pair;
use crate::stream::Stream;
use crate::sys::Family;
use std::io;
use std::sync::OnceLock;

static CLOSED: OnceLock<Stream> = OnceLock::new();

/// Comes before each sender.
pub(crate) fn prepare() -> io::Result<()> {
    if CLOSED.get().is_none() {
        let (_reading, writing) = new_pair()?;
        // Another thread may have been faster; then this one closes.
        let _ours = CLOSED.set(Stream::new(writing, Family::Pipe));
    }
    Ok(())
}

pub(super) fn stream() -> &'static Stream {
    CLOSED.get().expect("it was prepared before the sender")
}
