//! Why there is no resource, and what a close left behind.

use std::error::Error;
use std::fmt;
use std::io;

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

/// Without a source, as its text has the errors': so `E` may also be a `Box<dyn Error>`.
impl<E: fmt::Debug + fmt::Display> Error for PoolError<E> {}

/// Its text, with the kind of the error.
impl<E: Into<io::Error> + fmt::Display> From<PoolError<E>> for io::Error {
    fn from(error: PoolError<E>) -> io::Error {
        let text = error.to_string();
        match error {
            PoolError::Closed => io::Error::other(text),
            PoolError::Create(error) => io::Error::new(error.into().kind(), text),
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
