//! `join_all` and `try_join_all`: all of as many futures as there are.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::group::Group;

/// Waits for all of the futures, at once, and gives their outputs in the order
/// of the inputs.
///
/// It takes as long as the longest; of none, an empty `Vec` comes at once. The
/// futures run in turns inside of the current task. Only those that were woken
/// are polled, so that one that is woken costs one poll, not one for each.
///
/// # Panics
///
/// The panic of a future goes on here, once that future was dropped.
///
/// # Cancellation
///
/// Dropping it drops all futures, and the outputs of those that are done.
///
/// # Example
///
/// ```
/// use wakeline::future::join_all;
///
/// wakeline::block_on(async {
///     let squares = join_all((1..=4).map(|n| async move { n * n })).await;
///     assert_eq!(squares, [1, 4, 9, 16]);
/// });
/// ```
pub fn join_all<I>(futures: I) -> JoinAll<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator,
    I::Item: IntoFuture,
{
    let group = Group::collect(futures);
    JoinAll {
        outputs: (0..group.len()).map(|_| None).collect(),
        group,
    }
}

/// The future of [`join_all`].
#[must_use = "futures do nothing until they are awaited"]
pub struct JoinAll<F: Future> {
    group: Group<F>,
    outputs: Vec<Option<F::Output>>,
}

impl<F: Future> Unpin for JoinAll<F> {}

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        while let Some((index, output)) = ready!(self.group.poll_next(cx)) {
            self.outputs[index] = Some(output);
        }
        self.group.end();
        let outputs = std::mem::take(&mut self.outputs);
        Poll::Ready(in_order(outputs))
    }
}

fn in_order<T>(outputs: Vec<Option<T>>) -> Vec<T> {
    let taken = |output: Option<T>| output.expect("the group is empty, so each has one");
    outputs.into_iter().map(taken).collect()
}

impl<F: Future> fmt::Debug for JoinAll<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinAll")
            .field("pending", &self.group.len())
            .finish_non_exhaustive()
    }
}

/// Waits for all of the futures, at once, or for the first error.
///
/// The values come in the order of the inputs. The first `Err` is returned at
/// once; the other futures are dropped before that. Else like [`join_all`].
///
/// For handles of tasks see [`try_join_tasks`](super::try_join_tasks).
///
/// # Errors
///
/// That of the future that failed first.
///
/// # Panics
///
/// The panic of a future goes on here, once that future was dropped.
///
/// # Cancellation
///
/// Dropping it drops all futures, and the values of those that are done.
///
/// # Example
///
/// ```
/// use wakeline::future::try_join_all;
///
/// async fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
///     text.parse()
/// }
/// wakeline::block_on(async {
///     assert_eq!(try_join_all(["1", "2"].map(parse)).await, Ok(vec![1, 2]));
///     assert!(try_join_all(["1", "two"].map(parse)).await.is_err());
/// });
/// ```
pub fn try_join_all<I, T, E>(futures: I) -> TryJoinAll<<I::Item as IntoFuture>::IntoFuture, T>
where
    I: IntoIterator,
    I::Item: IntoFuture<Output = Result<T, E>>,
{
    let group = Group::collect(futures);
    TryJoinAll {
        values: (0..group.len()).map(|_| None).collect(),
        group,
    }
}

/// The future of [`try_join_all`].
#[must_use = "futures do nothing until they are awaited"]
pub struct TryJoinAll<F, T> {
    group: Group<F>,
    values: Vec<Option<T>>,
}

impl<F, T> Unpin for TryJoinAll<F, T> {}

impl<F: Future<Output = Result<T, E>>, T, E> Future for TryJoinAll<F, T> {
    type Output = Result<Vec<T>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        while let Some((index, output)) = ready!(self.group.poll_next(cx)) {
            match output {
                Ok(value) => self.values[index] = Some(value),
                Err(error) => {
                    // Before the caller sees the error.
                    self.group.end();
                    self.values.clear();
                    return Poll::Ready(Err(error));
                }
            }
        }
        self.group.end();
        let values = std::mem::take(&mut self.values);
        Poll::Ready(Ok(in_order(values)))
    }
}

impl<F, T> fmt::Debug for TryJoinAll<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryJoinAll")
            .field("pending", &self.group.len())
            .finish_non_exhaustive()
    }
}
