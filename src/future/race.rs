//! `race` and `race_ok`: the first of as many futures as there are.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::group::Group;

/// Waits for the first of the futures and gives its index and its output; the
/// others are dropped before that.
///
/// `None` if there is no future. If several are ready at once, the one that
/// wins is drawn.
///
/// # Panics
///
/// The panic of a future goes on here, once that future was dropped.
///
/// # Cancellation
///
/// Dropping it drops all futures. What a loser loses by its drop is told there.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline::{future::race, time::sleep};
///
/// let winner = wakeline::block_on(async {
///     race([60_000, 0].map(|ms| sleep(Duration::from_millis(ms)))).await
/// });
/// assert_eq!(winner, Some((1, ())));
/// ```
pub fn race<I>(futures: I) -> Race<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator,
    I::Item: IntoFuture,
{
    Race {
        group: Group::collect_from_any(futures),
    }
}

/// The future of [`race`].
#[must_use = "futures do nothing until they are awaited"]
pub struct Race<F> {
    group: Group<F>,
}

impl<F> Unpin for Race<F> {}

impl<F: Future> Future for Race<F> {
    type Output = Option<(usize, F::Output)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let winner = ready!(self.group.poll_next(cx));
        // Before the caller sees the winner.
        self.group.end();
        Poll::Ready(winner)
    }
}

impl<F> fmt::Debug for Race<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race")
            .field("pending", &self.group.len())
            .finish_non_exhaustive()
    }
}

/// Waits for the first of the futures that succeeds and gives its index and its
/// value; the others are dropped before that.
///
/// # Errors
///
/// If all have failed: their errors, in the order of the inputs; none if there
/// is no future.
///
/// # Panics
///
/// The panic of a future goes on here, once that future was dropped.
///
/// # Cancellation
///
/// Dropping it drops all futures, and the errors so far.
///
/// # Example
///
/// ```
/// use wakeline::future::race_ok;
///
/// async fn ask(server: &str) -> Result<u32, String> {
///     if server == "up" { Ok(7) } else { Err(format!("{server} is down")) }
/// }
/// wakeline::block_on(async {
///     assert_eq!(race_ok(["a", "up", "b"].map(ask)).await, Ok((1, 7)));
///     let errors = race_ok(["a", "b"].map(ask)).await.unwrap_err();
///     assert_eq!(errors, ["a is down", "b is down"]);
/// });
/// ```
pub fn race_ok<I, T, E>(futures: I) -> RaceOk<<I::Item as IntoFuture>::IntoFuture, E>
where
    I: IntoIterator,
    I::Item: IntoFuture<Output = Result<T, E>>,
{
    let group = Group::collect_from_any(futures);
    RaceOk {
        errors: (0..group.len()).map(|_| None).collect(),
        group,
    }
}

/// The future of [`race_ok`].
#[must_use = "futures do nothing until they are awaited"]
pub struct RaceOk<F, E> {
    group: Group<F>,
    errors: Vec<Option<E>>,
}

impl<F, E> Unpin for RaceOk<F, E> {}

impl<F: Future<Output = Result<T, E>>, T, E> Future for RaceOk<F, E> {
    type Output = Result<(usize, T), Vec<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        while let Some((index, output)) = ready!(self.group.poll_next(cx)) {
            match output {
                Err(error) => self.errors[index] = Some(error),
                Ok(value) => {
                    self.group.end();
                    self.errors.clear();
                    return Poll::Ready(Ok((index, value)));
                }
            }
        }
        self.group.end();
        let errors = std::mem::take(&mut self.errors);
        Poll::Ready(Err(errors.into_iter().flatten().collect()))
    }
}

impl<F, E> fmt::Debug for RaceOk<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaceOk")
            .field("pending", &self.group.len())
            .finish_non_exhaustive()
    }
}
