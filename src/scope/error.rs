//! What a scope, a child and a start return when there is no value.

mod child;

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

use wakeline_context::Reason;
use wakeline_sync::children::Payload;

use crate::time::Elapsed;

pub use child::{ChildError, SpawnError, StartError};

/// Why a scope has no value.
///
/// # Example
///
/// ```
/// use wakeline::{ScopeError, scope};
///
/// let result = wakeline::block_on(scope(|s| async move {
///     s.spawn(async { Err::<(), _>("disk full") });
///     s.spawn(async { std::future::pending::<Result<(), _>>().await }); // is dropped
///     Ok(())
/// }));
/// let Err(ScopeError::Failed(errors)) = result else { panic!() };
/// assert_eq!(errors.iter().collect::<Vec<_>>(), [&"disk full"]);
/// ```
#[derive(Debug)]
pub enum ScopeError<E> {
    /// The body or a child failed; all errors are here.
    Failed(Errors<E>),
    /// It was cancelled, by itself or from outside.
    Cancelled(Reason),
    /// Its own deadline passed; with the line that set it.
    Elapsed(Elapsed),
}

impl<E> ScopeError<E> {
    /// The errors, if the scope failed.
    #[must_use]
    pub fn errors(&self) -> Option<&Errors<E>> {
        match self {
            ScopeError::Failed(errors) => Some(errors),
            ScopeError::Cancelled(_) | ScopeError::Elapsed(_) => None,
        }
    }

    /// Whether the scope was cancelled without a failure.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, ScopeError::Cancelled(_))
    }

    /// Whether the scope's own deadline passed.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        matches!(self, ScopeError::Elapsed(_))
    }
}

impl<E: fmt::Display> fmt::Display for ScopeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScopeError::Failed(errors) => errors.fmt(f),
            ScopeError::Cancelled(reason) => write!(f, "the scope was cancelled: {reason}"),
            ScopeError::Elapsed(elapsed) => elapsed.fmt(f),
        }
    }
}

/// Without a source, as its text has the errors': so `E` may also be a `Box<dyn Error>`.
impl<E: fmt::Debug + fmt::Display> Error for ScopeError<E> {}

/// Its text, with the kind of the first error; of one error alone that error itself.
///
/// # Example
///
/// ```
/// use std::io::{Error, ErrorKind};
/// use wakeline::scope;
///
/// let copied: std::io::Result<()> = wakeline::block_on(async {
///     scope(|s| async move {
///         s.spawn(async { Err::<(), _>(Error::from(ErrorKind::AddrInUse)) });
///         Err(Error::other("no port"))
///     })
///     .await?;
///     Ok(())
/// });
/// let error = copied.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Other); // of the body's, which is the first
/// assert_eq!(error.to_string(), "2 failures: no port; address in use");
/// ```
impl<E: Into<io::Error> + fmt::Display> From<ScopeError<E>> for io::Error {
    fn from(error: ScopeError<E>) -> io::Error {
        let text = error.to_string();
        match error {
            ScopeError::Failed(errors) => {
                let alone = errors.count() == 1;
                match errors.into_iter().next().map(Into::into) {
                    Some(first) if alone => first,
                    Some(first) => io::Error::new(first.kind(), text),
                    None => io::Error::other(text),
                }
            }
            ScopeError::Cancelled(_) => io::Error::other(text),
            ScopeError::Elapsed(elapsed) => elapsed.into(),
        }
    }
}

/// All that went wrong in a scope: the body's error first, then those of the
/// children in the order in which they came.
///
/// # Example
///
/// ```
/// use wakeline::{ScopeError, scope};
///
/// let result: Result<(), ScopeError<&str>> = wakeline::block_on(scope(|s| async move {
///     s.spawn(async { Err::<(), _>("child") });
///     Err("body")
/// }));
/// let Err(ScopeError::Failed(errors)) = result else { panic!() };
/// assert_eq!(errors.to_string(), "2 failures: body; child");
/// assert_eq!(errors.into_iter().collect::<Vec<_>>(), ["body", "child"]);
/// ```
#[derive(Debug)]
pub struct Errors<E> {
    pub(super) errors: Vec<E>,
    pub(super) panics: Vec<Panicked>,
    pub(super) unfinished: Vec<&'static Location<'static>>,
    pub(super) reason: Option<Reason>,
}

impl<E> Errors<E> {
    /// How many errors there are; panics and unfinished cleanup not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.errors.len()
    }

    /// All failures.
    fn count(&self) -> usize {
        self.errors.len() + self.panics.len() + self.unfinished.len()
    }

    /// Whether there is no error: then there is a panic, or unfinished cleanup.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// The first error: the body's, if it has one.
    #[must_use]
    pub fn first(&self) -> Option<&E> {
        self.errors.first()
    }

    /// The errors in order.
    pub fn iter(&self) -> std::slice::Iter<'_, E> {
        self.errors.iter()
    }

    /// The panics, where they are [collected](super::OnPanic::Collect).
    #[must_use]
    pub fn panics(&self) -> &[Panicked] {
        &self.panics
    }

    /// The panics, to resume or to look into.
    #[must_use]
    pub fn take_panics(&mut self) -> Vec<Panicked> {
        std::mem::take(&mut self.panics)
    }

    /// The lines of the guards whose finalizers did not finish within the
    /// cleanup grace.
    #[must_use]
    pub fn unfinished(&self) -> &[&'static Location<'static>] {
        &self.unfinished
    }

    /// Why the scope was cancelled beside its failures; none if the failures
    /// are why.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        self.reason.as_ref()
    }
}

impl<E> IntoIterator for Errors<E> {
    type Item = E;
    type IntoIter = std::vec::IntoIter<E>;

    fn into_iter(self) -> Self::IntoIter {
        self.errors.into_iter()
    }
}

impl<'a, E> IntoIterator for &'a Errors<E> {
    type Item = &'a E;
    type IntoIter = std::slice::Iter<'a, E>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<E: fmt::Display> fmt::Display for Errors<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count();
        if count != 1 {
            write!(f, "{count} failures: ")?;
        }
        let mut between = "";
        for error in &self.errors {
            write!(f, "{between}{error}")?;
            between = "; ";
        }
        for panic in &self.panics {
            write!(f, "{between}{panic}")?;
            between = "; ";
        }
        for location in &self.unfinished {
            write!(
                f,
                "{between}the cleanup of the guard made at {location} did not finish"
            )?;
            between = "; ";
        }
        Ok(())
    }
}

/// Without a source, as its text has the errors': so `E` may also be a `Box<dyn Error>`.
impl<E: fmt::Debug + fmt::Display> Error for Errors<E> {}

/// A panic that a scope has collected.
pub struct Panicked {
    /// In a lock only to make the error `Sync`; a payload is `Send` alone.
    payload: Mutex<Payload>,
}

impl Panicked {
    pub(super) fn new(payload: Payload) -> Panicked {
        Panicked {
            payload: Mutex::new(payload),
        }
    }

    /// The payload, for [`std::panic::resume_unwind`].
    #[must_use]
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The message, if the payload is text.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        let payload = self.payload.lock().unwrap_or_else(PoisonError::into_inner);
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned())
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            Some(message) => write!(f, "a panic: {message}"),
            None => f.write_str("a panic with a payload that is no text"),
        }
    }
}

impl fmt::Debug for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Panicked({self})")
    }
}

impl Error for Panicked {}
