//! Handles of tasks that return a `Result`: two layers of errors made one.
//!
//! A handle resolves to `Result<Result<T, E>, JoinError>`, so `try_join!` over
//! handles ends early only when a task panics or is cancelled; that a task
//! *returned* an error looks like a success to it. [`flatten`] joins the layers.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::all::{TryJoinAll, try_join_all};
use crate::JoinError;
use crate::join_set::TaskError;

/// Joins the two layers of a handle's output: the future resolves to `Ok` only if
/// the task returned `Ok`.
///
/// # Errors
///
/// [`TaskError::Failed`] with what the task returned, [`TaskError::Join`] if it
/// panicked or was cancelled.
///
/// # Cancellation
///
/// As the handle's: dropping a `JoinHandle` detaches its task, dropping an
/// `AbortOnDrop` aborts it.
///
/// # Example
///
/// ```
/// use wakeline::{future::flatten, join_set::TaskError, spawn, try_join};
///
/// wakeline::block_on(async {
///     let good = spawn(async { Ok(1) });
///     let bad = spawn(async { Err::<(), _>("no such file") });
///     let result = try_join!(flatten(good), flatten(bad));
///     assert!(matches!(result, Err(TaskError::Failed("no such file"))));
/// });
/// ```
pub fn flatten<H, T, E>(handle: H) -> Flatten<H::IntoFuture>
where
    H: IntoFuture<Output = Result<Result<T, E>, JoinError>>,
{
    Flatten {
        handle: handle.into_future(),
    }
}

pin_project! {
    /// The future of [`flatten`].
    #[derive(Debug)]
    #[must_use = "futures do nothing until they are awaited"]
    pub struct Flatten<H> {
        #[pin]
        handle: H,
    }
}

impl<H, T, E> Future for Flatten<H>
where
    H: Future<Output = Result<Result<T, E>, JoinError>>,
{
    type Output = Result<T, TaskError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().handle.poll(cx).map(TaskError::flatten)
    }
}

/// Waits for all tasks, or for the first that returns an error, panics or is
/// cancelled.
///
/// The values come in the order of the inputs. At the first failure the other
/// handles are dropped: that detaches the tasks of `JoinHandle`s and aborts those
/// of [`AbortOnDrop`](crate::AbortOnDrop)s.
/// [`JoinSet::try_join_all`](crate::JoinSet::try_join_all) also waits until they
/// are gone.
///
/// # Errors
///
/// That of the task that failed first.
///
/// # Cancellation
///
/// Dropping it drops the handles.
///
/// # Example
///
/// ```
/// use wakeline::{future::try_join_tasks, join_set::TaskError, spawn};
///
/// wakeline::block_on(async {
///     let tasks = ["1", "two", "3"].map(|text| spawn(async move { text.parse::<u8>() }));
///     let result = try_join_tasks(tasks).await;
///     assert!(matches!(result, Err(TaskError::Failed(_))));
/// });
/// ```
pub fn try_join_tasks<I, T, E>(
    handles: I,
) -> TryJoinAll<Flatten<<I::Item as IntoFuture>::IntoFuture>, T>
where
    I: IntoIterator,
    I::Item: IntoFuture<Output = Result<Result<T, E>, JoinError>>,
{
    try_join_all(handles.into_iter().map(flatten))
}
