//! Why there is no child, or nothing of it.

use std::error::Error;
use std::fmt;
use std::io;

use wakeline_context::Reason;

/// Why a child has no value.
///
/// # Example
///
/// ```
/// use wakeline::{ChildError, ScopeError, scope};
///
/// let result: Result<(), ScopeError<&str>> = wakeline::block_on(scope(|s| async move {
///     s.cancel("closing time");
///     let late = s.spawn(async { Ok(1) });
///     let Err(ChildError::Cancelled(reason)) = late.await else { panic!() };
///     assert_eq!(reason.text(), "closing time");
///     Ok(())
/// }));
/// assert!(result.is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildError {
    /// It returned an error or panicked; the scope has that, and reports it.
    Failed,
    /// It was cancelled, or never started.
    Cancelled(Reason),
}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChildError::Failed => f.write_str("the child failed: its scope reports the error"),
            ChildError::Cancelled(reason) => write!(f, "the child was cancelled: {reason}"),
        }
    }
}

impl Error for ChildError {}

/// The scope takes no more children; the future comes back unpolled.
pub struct SpawnError<F> {
    pub(in crate::scope) future: F,
    pub(in crate::scope) reason: Option<Reason>,
}

impl<F> SpawnError<F> {
    /// The future, which was never polled.
    #[must_use]
    pub fn into_inner(self) -> F {
        self.future
    }

    /// Why the scope is cancelled; none if it has ended.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        self.reason.as_ref()
    }
}

impl<F> fmt::Display for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => write!(f, "the scope takes no more children: cancelled: {reason}"),
            None => f.write_str("the scope takes no more children: it has ended"),
        }
    }
}

impl<F> fmt::Debug for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpawnError({self})")
    }
}

impl<F> Error for SpawnError<F> {}

/// Why a child did not become ready; see [`Scope::start`](crate::Scope::start).
///
/// # Example
///
/// ```
/// use wakeline::{ScopeError, StartError, scope};
///
/// let result: Result<(), ScopeError<&str>> = wakeline::block_on(scope(|s| async move {
///     let start = s.start::<(), _, _>(|_ready| async { Err("no port") });
///     assert_eq!(start.await, Err(StartError::Failed("no port")));
///     Ok(()) // it is the caller's error, not the scope's
/// }));
/// assert!(result.is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError<E> {
    /// It failed before it was ready.
    Failed(E),
    /// It ended, or let go of its [`Ready`](crate::scope::Ready), without being ready.
    NotReady,
    /// The scope takes no more children.
    Refused,
}

impl<E: fmt::Display> fmt::Display for StartError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Failed(error) => write!(f, "the child failed before it was ready: {error}"),
            StartError::NotReady => f.write_str("the child ended without being ready"),
            StartError::Refused => f.write_str("the scope takes no more children"),
        }
    }
}

/// Without a source, as its text has the errors': so `E` may also be a `Box<dyn Error>`.
impl<E: fmt::Debug + fmt::Display> Error for StartError<E> {}

/// Its text, with the kind of the child's error.
impl<E: Into<io::Error> + fmt::Display> From<StartError<E>> for io::Error {
    fn from(error: StartError<E>) -> io::Error {
        let text = error.to_string();
        match error {
            StartError::Failed(error) => io::Error::new(error.into().kind(), text),
            StartError::NotReady | StartError::Refused => io::Error::other(text),
        }
    }
}
