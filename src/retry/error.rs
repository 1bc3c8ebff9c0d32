//! The error of the last attempt, and why it was the last.

use std::error::Error;
use std::fmt;
use std::io;

use super::GaveUp;

/// Why [`retry`](super::retry) failed: the last error, after how many attempts,
/// and why there was no further one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryError<E> {
    pub(super) error: E,
    pub(super) attempts: u32,
    pub(super) why: GaveUp,
}

impl<E> RetryError<E> {
    /// The error of the last attempt.
    #[must_use]
    pub fn error(&self) -> &E {
        &self.error
    }

    /// The error of the last attempt.
    #[must_use]
    pub fn into_inner(self) -> E {
        self.error
    }

    /// How many attempts were made.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Why there was no further one.
    #[must_use]
    pub fn why(&self) -> &GaveUp {
        &self.why
    }
}

impl<E: fmt::Display> fmt::Display for RetryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (attempts, s) = (self.attempts, if self.attempts == 1 { "" } else { "s" });
        write!(
            f,
            "{} after {attempts} attempt{s}: {}",
            self.why, self.error
        )
    }
}

/// Without a source, as its text has the errors': so `E` may also be a `Box<dyn Error>`.
impl<E: fmt::Debug + fmt::Display> Error for RetryError<E> {}

/// Its text, with the kind of the last error.
impl<E: Into<io::Error> + fmt::Display> From<RetryError<E>> for io::Error {
    fn from(error: RetryError<E>) -> io::Error {
        let text = error.to_string();
        io::Error::new(error.into_inner().into().kind(), text)
    }
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GaveUp::NotRetryable => f.write_str("failed for good"),
            GaveUp::Attempts => f.write_str("gave up"),
            GaveUp::Deadline => f.write_str("out of time"),
            GaveUp::Cancelled(reason) => write!(f, "cancelled ({reason})"),
        }
    }
}
