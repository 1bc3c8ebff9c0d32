//! The futures that take a set and give everything at once.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use wakeline_context::{Cause, Reason};

use super::JoinSet;
use super::entries::{DROPPED, tell_of_panic};
use crate::task::JoinError;

impl<T> JoinSet<T> {
    /// Waits for all and gives their values, in the order in which they were
    /// spawned.
    ///
    /// # Panics
    ///
    /// The first panic of a task goes on here, and so does a cancelled task; the
    /// others are then aborted. [`join_all_results`](JoinSet::join_all_results)
    /// gives them as errors.
    ///
    /// # Cancellation
    ///
    /// Dropping the future aborts all tasks.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::{Executor, JoinSet};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// executor.block_on(async {
    ///     let mut set = JoinSet::new();
    ///     for word in ["a", "b", "c"] {
    ///         set.spawn(async move { word });
    ///     }
    ///     assert_eq!(set.join_all().await, ["a", "b", "c"]);
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn join_all(self) -> JoinAll<T> {
        JoinAll::new(self, Location::caller())
    }

    /// Waits for all and gives their results, in the order in which they were
    /// spawned: a panic or a cancelled task is an error at its own place, and the
    /// others go on.
    ///
    /// # Cancellation
    ///
    /// Dropping the future aborts all tasks; of panics that it has taken the
    /// runtime is told ([`Builder::on_unobserved`](crate::Builder::on_unobserved)).
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::{Executor, JoinSet};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// let results = executor.block_on(async {
    ///     let mut set: JoinSet<u32> = JoinSet::new();
    ///     set.spawn(async { 0 });
    ///     set.spawn(std::future::pending()).abort();
    ///     set.spawn(async { 2 });
    ///     set.join_all_results().await
    /// });
    /// assert_eq!((results[0].as_ref().ok(), results[2].as_ref().ok()), (Some(&0), Some(&2)));
    /// assert!(results[1].as_ref().is_err_and(|error| error.is_cancelled()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn join_all_results(self) -> JoinAllResults<T> {
        JoinAllResults::new(self, Location::caller())
    }
}

impl<T, E> JoinSet<Result<T, E>> {
    /// Waits for all and gives their values in the order in which they were
    /// spawned, or the first error.
    ///
    /// When a task has returned an error, panicked or was cancelled, the others
    /// are aborted, and waited for until they are gone; then that error is
    /// returned. A blocking job that runs cannot be aborted and is waited for.
    ///
    /// # Errors
    ///
    /// That of the task that failed first; of panics of others the runtime is told.
    ///
    /// # Cancellation
    ///
    /// Dropping the future aborts all tasks.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::{Executor, JoinSet, join_set::TaskError};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// let result = executor.block_on(async {
    ///     let mut set: JoinSet<Result<(), &str>> = JoinSet::new();
    ///     set.spawn(std::future::pending());
    ///     set.spawn(async { Err("no such host") });
    ///     set.try_join_all().await
    /// });
    /// assert!(matches!(result, Err(TaskError::Failed("no such host"))));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn try_join_all(self) -> TryJoinAll<T, E> {
        TryJoinAll::new(self, Location::caller())
    }
}

/// Outputs until all are there, each with its place.
#[derive(Debug)]
struct Collected<T>(Vec<(u64, T)>);

impl<T> Unpin for Collected<T> {}

impl<T> Collected<T> {
    /// In the order in which the tasks were spawned.
    fn take(&mut self) -> Vec<T> {
        let mut collected = std::mem::take(&mut self.0);
        collected.sort_unstable_by_key(|&(nth, _)| nth);
        collected.into_iter().map(|(_, value)| value).collect()
    }
}

/// The future of [`JoinSet::join_all`].
#[derive(Debug)]
#[must_use = "dropping this aborts the tasks"]
pub struct JoinAll<T> {
    set: JoinSet<T>,
    values: Collected<T>,
    location: &'static Location<'static>,
}

impl<T> JoinAll<T> {
    pub(super) fn new(set: JoinSet<T>, location: &'static Location<'static>) -> JoinAll<T> {
        let values = Collected(Vec::with_capacity(set.len()));
        JoinAll {
            set,
            values,
            location,
        }
    }
}

impl<T> Future for JoinAll<T> {
    type Output = Vec<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<T>> {
        let this = &mut *self;
        while let Some(ended) = ready!(this.set.poll_take(cx, this.location)) {
            match ended.result {
                Ok(value) => this.values.0.push((ended.nth, value)),
                Err(error) => {
                    this.set
                        .cancel_all(Reason::at(Cause::Sibling, this.location));
                    match error.try_into_panic() {
                        Ok(payload) => resume_unwind(payload),
                        Err(error) => panic!(
                            "{error}, and `join_all` has no value for it: \
                             `join_all_results` gives errors too"
                        ),
                    }
                }
            }
        }
        Poll::Ready(this.values.take())
    }
}

/// The future of [`JoinSet::join_all_results`].
#[derive(Debug)]
#[must_use = "dropping this aborts the tasks"]
pub struct JoinAllResults<T> {
    set: JoinSet<T>,
    results: Collected<Result<T, JoinError>>,
    location: &'static Location<'static>,
}

impl<T> JoinAllResults<T> {
    pub(super) fn new(set: JoinSet<T>, location: &'static Location<'static>) -> JoinAllResults<T> {
        let results = Collected(Vec::with_capacity(set.len()));
        JoinAllResults {
            set,
            results,
            location,
        }
    }
}

impl<T> Drop for JoinAllResults<T> {
    /// Panics that it has taken and nobody has seen.
    fn drop(&mut self) {
        for (_, result) in &self.results.0 {
            tell_of_panic(result.as_ref().err(), DROPPED);
        }
    }
}

impl<T> Future for JoinAllResults<T> {
    type Output = Vec<Result<T, JoinError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while let Some(ended) = ready!(this.set.poll_take(cx, this.location)) {
            this.results.0.push((ended.nth, ended.result));
        }
        Poll::Ready(this.results.take())
    }
}

/// The future of [`JoinSet::try_join_all`].
#[derive(Debug)]
#[must_use = "dropping this aborts the tasks"]
pub struct TryJoinAll<T, E> {
    set: JoinSet<Result<T, E>>,
    values: Collected<T>,
    /// The first failure, while the others are waited for.
    failure: Option<TaskError<E>>,
    location: &'static Location<'static>,
}

impl<T, E> Unpin for TryJoinAll<T, E> {}

impl<T, E> TryJoinAll<T, E> {
    pub(super) fn new(
        set: JoinSet<Result<T, E>>,
        location: &'static Location<'static>,
    ) -> TryJoinAll<T, E> {
        let values = Collected(Vec::with_capacity(set.len()));
        TryJoinAll {
            set,
            values,
            failure: None,
            location,
        }
    }
}

impl<T, E> Drop for TryJoinAll<T, E> {
    fn drop(&mut self) {
        let failure = self.failure.as_ref().and_then(TaskError::join_error);
        tell_of_panic(failure, DROPPED);
    }
}

impl<T, E> Future for TryJoinAll<T, E> {
    type Output = Result<Vec<T>, TaskError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while let Some(ended) = ready!(this.set.poll_take(cx, this.location)) {
            match TaskError::flatten(ended.result) {
                Ok(value) => this.values.0.push((ended.nth, value)),
                // Those after the first were aborted, or too late.
                Err(other) if this.failure.is_some() => {
                    tell_of_panic(other.join_error(), "has reported another failure");
                }
                Err(failure) => {
                    this.failure = Some(failure);
                    this.set
                        .cancel_all(Reason::at(Cause::Sibling, this.location));
                }
            }
        }
        Poll::Ready(match this.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(this.values.take()),
        })
    }
}

/// Why a task that returns a `Result` gave no value.
///
/// # Example
///
/// ```
/// use wakeline_executor::{Executor, join_set::TaskError};
///
/// let executor = Executor::builder().workers(1).build()?;
/// let result = executor.block_on(wakeline_executor::Handle::spawn(
///     &executor.handle(),
///     async { Err::<(), _>("refused") },
/// ));
/// assert!(matches!(TaskError::flatten(result), Err(TaskError::Failed("refused"))));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub enum TaskError<E> {
    /// It returned this error.
    Failed(E),
    /// It returned nothing: it panicked or was cancelled.
    Join(JoinError),
}

impl<E> TaskError<E> {
    /// The two layers of what a task that returns a `Result` resolves to, as one.
    ///
    /// # Errors
    ///
    /// The task's own, or why it has none.
    pub fn flatten<T>(result: Result<Result<T, E>, JoinError>) -> Result<T, TaskError<E>> {
        match result {
            Ok(result) => result.map_err(TaskError::Failed),
            Err(error) => Err(TaskError::Join(error)),
        }
    }

    /// The error that the task returned, if it returned one.
    pub fn failed(self) -> Option<E> {
        match self {
            TaskError::Failed(error) => Some(error),
            TaskError::Join(_) => None,
        }
    }

    fn join_error(&self) -> Option<&JoinError> {
        match self {
            TaskError::Failed(_) => None,
            TaskError::Join(error) => Some(error),
        }
    }

    /// Whether the task was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, TaskError::Join(error) if error.is_cancelled())
    }
}

impl<E: fmt::Display> fmt::Display for TaskError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskError::Failed(error) => error.fmt(f),
            TaskError::Join(error) => error.fmt(f),
        }
    }
}

/// Without a source, as `E` may also be a `Box<dyn Error>`.
impl<E: fmt::Debug + fmt::Display> Error for TaskError<E> {}

/// The task's own error, or why it has none.
impl<E: Into<io::Error>> From<TaskError<E>> for io::Error {
    fn from(error: TaskError<E>) -> io::Error {
        match error {
            TaskError::Failed(error) => error.into(),
            TaskError::Join(error) => error.into(),
        }
    }
}
