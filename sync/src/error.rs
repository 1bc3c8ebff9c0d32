//! What can go wrong: the other side is gone, or it is not yet time.

use std::error::Error;
use std::fmt;

/// The primitive was closed: nothing will come any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed(pub(crate) ());

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it was closed: nothing will come any more")
    }
}

impl Error for Closed {}

/// Why no permit could be had without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryAcquireError {
    /// There are too few now, or others came first.
    NoPermits,
    /// The semaphore was closed.
    Closed,
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryAcquireError::NoPermits => "no permits are available now",
            TryAcquireError::Closed => "the semaphore was closed",
        })
    }
}

impl Error for TryAcquireError {}
