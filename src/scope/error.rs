//! What a scope, a child and a start return when there is no value.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

use wakeline_context::Reason;
use wakeline_sync::children::Payload;

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
    /// Its own deadline passed.
    Elapsed,
}

impl<E> ScopeError<E> {
    /// The errors, if the scope failed.
    #[must_use]
    pub fn errors(&self) -> Option<&Errors<E>> {
        match self {
            ScopeError::Failed(errors) => Some(errors),
            ScopeError::Cancelled(_) | ScopeError::Elapsed => None,
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
        matches!(self, ScopeError::Elapsed)
    }
}

impl<E: fmt::Display> fmt::Display for ScopeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScopeError::Failed(errors) => errors.fmt(f),
            ScopeError::Cancelled(reason) => write!(f, "the scope was cancelled: {reason}"),
            ScopeError::Elapsed => f.write_str("the scope's deadline passed"),
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
            ScopeError::Elapsed => io::Error::new(io::ErrorKind::TimedOut, text),
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
    pub(super) future: F,
    pub(super) reason: Option<Reason>,
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

/// Why a child did not become ready; see [`Scope::start`](super::Scope::start).
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
    /// It ended, or let go of its [`Ready`](super::Ready), without being ready.
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
