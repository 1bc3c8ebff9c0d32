//! `JoinError`: why a task has no output.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use wakeline_context::Reason;

use super::Id;
use crate::unobserved::Witness;

/// Why a task ended without an output: it was cancelled, it panicked, or no
/// thread could be had for it.
///
/// Of one word, so that an output costs little beside it: most tasks have one.
pub struct JoinError(Box<Inner>);

struct Inner {
    id: Id,
    name: Option<Arc<str>>,
    cause: Cause,
}

enum Cause {
    Cancelled(Reason),
    /// In a lock only to make the error `Sync`; a payload is `Send` alone.
    Panicked(Mutex<Box<dyn Any + Send>>, Witness),
    Refused(io::Error),
}

impl JoinError {
    pub(crate) fn cancelled(id: Id, name: Option<Arc<str>>, reason: Reason) -> JoinError {
        JoinError::new(id, name, Cause::Cancelled(reason))
    }

    pub(crate) fn panicked(
        id: Id,
        name: Option<Arc<str>>,
        payload: Box<dyn Any + Send>,
        witness: Witness,
    ) -> JoinError {
        JoinError::new(id, name, Cause::Panicked(Mutex::new(payload), witness))
    }

    pub(crate) fn refused(id: Id, name: Option<Arc<str>>, error: io::Error) -> JoinError {
        JoinError::new(id, name, Cause::Refused(error))
    }

    fn new(id: Id, name: Option<Arc<str>>, cause: Cause) -> JoinError {
        JoinError(Box::new(Inner { id, name, cause }))
    }

    /// Whether the task was aborted, or its runtime ended before it did.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.cause, Cause::Cancelled(_))
    }

    /// Why the task was cancelled, and by which line; nothing if it panicked.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::{Executor, spawn};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// let error = executor.block_on(async {
    ///     let handle = spawn(std::future::pending::<()>());
    ///     handle.cancel("the client went away");
    ///     handle.await.unwrap_err()
    /// });
    /// assert_eq!(error.reason().unwrap().text(), "the client went away");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        match &self.0.cause {
            Cause::Cancelled(reason) => Some(reason),
            Cause::Panicked(..) | Cause::Refused(_) => None,
        }
    }

    /// Whether the task panicked, in a poll or in a destructor.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.0.cause, Cause::Panicked(..))
    }

    /// The panic's payload, for [`std::panic::resume_unwind`].
    ///
    /// # Errors
    ///
    /// Gives the error back if the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, JoinError> {
        if !self.is_panic() {
            return Err(self);
        }
        let Cause::Panicked(payload, _) = self.0.cause else {
            unreachable!("it panicked")
        };
        Ok(payload.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// The panic's payload, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    ///
    /// If the task did not panic; [`is_panic`](JoinError::is_panic) tells.
    #[must_use]
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => {
                panic!("`into_panic` on a task that did not panic ({error}): ask `is_panic` first")
            }
        }
    }

    /// The task this is about.
    #[must_use]
    pub fn id(&self) -> Id {
        self.0.id
    }

    /// Whom to tell of a panic that nobody looks at.
    pub(crate) fn witness(&self) -> Option<&Witness> {
        match &self.0.cause {
            Cause::Panicked(_, witness) => Some(witness),
            Cause::Cancelled(_) | Cause::Refused(_) => None,
        }
    }

    fn panic_message(&self) -> Option<String> {
        let Cause::Panicked(payload, _) = &self.0.cause else {
            return None;
        };
        let payload = payload.lock().unwrap_or_else(PoisonError::into_inner);
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned())
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.0.id)?;
        if let Some(name) = &self.0.name {
            write!(f, " \"{name}\"")?;
        }
        match (&self.0.cause, self.panic_message()) {
            (Cause::Cancelled(reason), _) => {
                write!(f, " was cancelled: {reason} (at {})", reason.location())
            }
            (Cause::Panicked(..), Some(message)) => write!(f, " panicked: {message}"),
            (Cause::Panicked(..), None) => write!(f, " panicked with a payload that is no text"),
            (Cause::Refused(error), _) => write!(f, " could not be started: {error}"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl std::error::Error for JoinError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.cause {
            Cause::Refused(error) => Some(error),
            _ => None,
        }
    }
}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> io::Error {
        match &error.0.cause {
            Cause::Refused(cause) => io::Error::new(cause.kind(), error),
            _ => io::Error::other(error),
        }
    }
}
