//! The error of the last attempt, and why it was the last.

use std::error::Error;
use std::fmt;

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

impl<E: Error + 'static> Error for RetryError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
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
