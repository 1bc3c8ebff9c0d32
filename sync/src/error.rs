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

/// Permits were not added: there would be more than there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBound {
    pub(crate) added: usize,
    pub(crate) issued: usize,
    pub(crate) bound: usize,
}

impl fmt::Display for OverBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OverBound {
            added,
            issued,
            bound,
        } = self;
        write!(
            f,
            "{added} permits more than {issued} are too many for a semaphore: at most {bound}"
        )
    }
}

impl Error for OverBound {}

/// A lock could not be had without waiting: somebody has it, or others came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TryLockError(pub(crate) ());

impl fmt::Display for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lock is held, or others came first")
    }
}

impl Error for TryLockError {}

/// The barrier was aborted, or reset while somebody waited at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken(pub(crate) ());

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier is broken: not all will come")
    }
}

impl Error for Broken {}
