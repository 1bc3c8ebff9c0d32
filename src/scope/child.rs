//! `Child`: the handle of a child, and the way its value takes.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use wakeline_context::Reason;
use wakeline_sync::oneshot;

use super::error::ChildError;
use super::link::Link;
use super::shared::reason_of;

/// A child of a scope: await it for its value, or leave it to the scope.
///
/// Dropping it changes nothing: the scope waits for the child either way, and
/// its error is the scope's.
///
/// # Errors
///
/// The output is [`ChildError::Failed`] if the child failed or panicked: the
/// error itself is the scope's to report. It is [`ChildError::Cancelled`] if the
/// child was dropped, or never started.
///
/// # Cancellation
///
/// Dropping `&mut child` as a future loses nothing.
///
/// # Panics
///
/// If it is polled again after it gave the value.
///
/// # Example
///
/// ```
/// use wakeline::{ScopeError, scope};
///
/// let words = ["a", "bc"];
/// let total: Result<usize, ScopeError<()>> = wakeline::block_on(scope(|s| {
///     let words = &words;
///     async move {
///         let (one, two) = (
///             s.spawn(async { Ok(words[0].len()) }),
///             s.spawn(async { Ok(words[1].len()) }),
///         );
///         Ok(one.await.unwrap() + two.await.unwrap())
///     }
/// }));
/// assert_eq!(total.unwrap(), 3);
/// ```
pub struct Child<T> {
    id: u64,
    link: Arc<Link>,
    value: oneshot::Receiver<Result<T, ()>>,
    refused: Option<Reason>,
    /// The line of the first abort.
    aborted: OnceLock<&'static Location<'static>>,
    location: &'static Location<'static>,
}

impl<T> Child<T> {
    /// A child and the end through which its value comes.
    #[track_caller]
    pub(super) fn new(link: &Arc<Link>) -> (Child<T>, Report<T>) {
        let (sender, value) = oneshot::channel();
        let child = Child {
            id: link.next_id(),
            link: Arc::clone(link),
            value,
            refused: None,
            aborted: OnceLock::new(),
            location: Location::caller(),
        };
        (child, Report(Some(sender)))
    }

    /// The handle of a child that never ran.
    #[track_caller]
    pub(super) fn refused(link: &Arc<Link>, reason: Option<Reason>) -> Child<T> {
        let (mut child, _report) = Child::new(link);
        child.refused = Some(reason.unwrap_or_else(|| Reason::new("the scope has ended")));
        child
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    fn why_dropped(&self) -> Reason {
        let aborted = self.aborted.get().copied();
        reason_of(&self.link, aborted.unwrap_or(self.location))
    }

    /// Drops the child where it stands, and nothing else: its scope goes on.
    ///
    /// It happens when the scope is polled next. A child that is done keeps its
    /// value. A task is aborted; a blocking job that runs goes on to its end, or until
    /// it asks [`checkpoint`](crate::checkpoint).
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline::{ChildError, ScopeError, scope};
    ///
    /// let result: Result<(), ScopeError<()>> = wakeline::block_on(scope(|s| async move {
    ///     let child = s.spawn(std::future::pending::<Result<(), ()>>());
    ///     child.abort();
    ///     assert!(matches!(child.await, Err(ChildError::Cancelled(_))));
    ///     Ok(()) // it was no failure
    /// }));
    /// assert!(result.is_ok());
    /// ```
    #[track_caller]
    pub fn abort(&self) {
        let here = Location::caller();
        let _ = self.aborted.set(here);
        self.link.abort(self.id, here);
    }
}

impl<T> Future for Child<T> {
    type Output = Result<T, ChildError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(reason) = &self.refused {
            return Poll::Ready(Err(ChildError::Cancelled(reason.clone())));
        }
        Poll::Ready(match ready!(Pin::new(&mut self.value).poll(cx)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(())) => Err(ChildError::Failed),
            Err(_dropped) => Err(ChildError::Cancelled(self.why_dropped())),
        })
    }
}

impl<T> fmt::Debug for Child<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id)
            .field("location", &format_args!("{}", self.location))
            .finish_non_exhaustive()
    }
}

/// Where a child puts its value; dropped empty by a panic, it says so.
pub(super) struct Report<T>(Option<oneshot::Sender<Result<T, ()>>>);

impl<T> Report<T> {
    /// The value goes to the handle, the error to the scope.
    pub(super) fn split<E>(mut self, result: Result<T, E>) -> Result<(), E> {
        let (value, result) = match result {
            Ok(value) => (Ok(value), Ok(())),
            Err(error) => (Err(()), Err(error)),
        };
        if let Some(sender) = self.0.take() {
            // Nobody may be interested: then the value is dropped here.
            drop(sender.send(value));
        }
        result
    }
}

impl<T> Drop for Report<T> {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(sender) = self.0.take()
        {
            drop(sender.send(Err(())));
        }
    }
}
