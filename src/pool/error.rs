//! Why there is no resource, and what a close left behind.

use std::error::Error;
use std::fmt;

/// Why a [`Pool`](super::Pool) gave no resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolError<E> {
    /// The pool was closed.
    Closed,
    /// A new one could not be made.
    Create(E),
}

impl<E: fmt::Display> fmt::Display for PoolError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PoolError::Closed => f.write_str("the pool was closed"),
            PoolError::Create(error) => write!(f, "make a resource for the pool: {error}"),
        }
    }
}

impl<E: Error + 'static> Error for PoolError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            PoolError::Closed => None,
            PoolError::Create(error) => Some(error),
        }
    }
}

/// Not everything had come back when the limit of a
/// [`close`](super::Pool::close) passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillLent {
    pub(super) resources: usize,
}

impl StillLent {
    /// How many were still lent, or being closed.
    #[must_use]
    pub fn resources(&self) -> usize {
        self.resources
    }
}

impl fmt::Display for StillLent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of the pool's resources have not come back",
            self.resources
        )
    }
}

impl Error for StillLent {}
