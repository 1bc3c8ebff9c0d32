//! `as_completed`: outputs one by one, as they come.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;

use super::group::Group;

/// Runs the futures at once and streams their outputs as they complete, each
/// with the index of its future.
///
/// Those that complete at the same time come in the order of their wakes. It
/// ends when all have come. To limit the time of the whole, put the loop over
/// it under a [`timeout`](crate::time::timeout).
///
/// # Panics
///
/// The panic of a future goes on where the stream is polled, once that future
/// was dropped; the stream goes on with the others if it is polled again.
///
/// # Cancellation
///
/// Dropping the future of `next` loses nothing: the iteration may be left and
/// taken up again. Dropping the stream drops the futures that are not done; of
/// handles, their tasks then go on or not, as the handle says.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline::{future::as_completed, stream::StreamExt, time::sleep};
///
/// // Paused time: the naps take none, and their order is certain.
/// let runtime = wakeline::Runtime::builder().start_paused(true).build()?;
/// runtime.block_on(async {
///     let naps = [20, 1, 10].map(|ms| async move {
///         sleep(Duration::from_millis(ms)).await;
///         ms
///     });
///     let mut completed = as_completed(naps);
///     let mut order = Vec::new();
///     while let Some((index, ms)) = completed.next().await {
///         order.push((index, ms));
///     }
///     assert_eq!(order, [(1, 1), (2, 10), (0, 20)]);
/// });
/// # std::io::Result::Ok(())
/// ```
pub fn as_completed<I>(futures: I) -> AsCompleted<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator,
    I::Item: IntoFuture,
{
    AsCompleted {
        group: Group::collect(futures),
    }
}

/// The stream of [`as_completed`].
#[must_use = "futures do nothing until the stream is polled"]
pub struct AsCompleted<F> {
    group: Group<F>,
}

impl<F> AsCompleted<F> {
    /// How many outputs are still to come.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.group.len()
    }
}

impl<F> Unpin for AsCompleted<F> {}

impl<F: Future> Stream for AsCompleted<F> {
    type Item = (usize, F::Output);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.group.poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.group.len(), Some(self.group.len()))
    }
}

impl<F: Future> FusedStream for AsCompleted<F> {
    fn is_terminated(&self) -> bool {
        self.group.len() == 0
    }
}

impl<F> fmt::Debug for AsCompleted<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("remaining", &self.group.len())
            .finish()
    }
}
