//! The error of an operation that was cancelled by a token.

use std::error::Error;
use std::{fmt, io};

use wakeline_context::Reason;

/// The token in force was cancelled, or the task aborted: the operation did not happen.
///
/// It converts into an [`io::Error`], so `?` carries it through I/O code.
///
/// # Example
///
/// ```
/// use wakeline::{CancelToken, FutureExt, checkpoint};
///
/// let token = CancelToken::new();
/// token.cancel("the client went away");
/// let error = wakeline::block_on(async { checkpoint() }.with_token(token)).unwrap_err();
/// assert_eq!(error.reason().text(), "the client went away");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelled {
    reason: Reason,
}

impl Cancelled {
    pub(crate) fn new(reason: Reason) -> Cancelled {
        Cancelled { reason }
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Why, to keep.
    #[must_use]
    pub fn into_reason(self) -> Reason {
        self.reason
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cancelled: {}", self.reason)
    }
}

impl Error for Cancelled {}

impl From<Cancelled> for io::Error {
    /// Not of kind `Interrupted`: code that meets that tries again.
    fn from(cancelled: Cancelled) -> io::Error {
        io::Error::other(cancelled)
    }
}
