//! `FlowExt`: how many items at once, and how fast.

use std::future::Future;
use std::time::Duration;

use futures_core::Stream;

use super::{BufferUnordered, Buffered, ChunksTimeout, ItemTimeout, Merge, Throttle};

/// Concurrency and time as methods of every stream; see also
/// [`StreamExt`](super::StreamExt) for what needs neither.
///
/// Beside the trait of the same purpose in the `futures` crate `buffered` and
/// `buffer_unordered` are ambiguous: say `FlowExt::buffered(stream, 8)`, or import the other
/// one as `use futures::StreamExt as _` only where nothing of this one is called.
pub trait FlowExt: Stream + Sized {
    /// Runs the futures of this stream, at most `limit` at once, and gives their
    /// outputs in the order of the futures.
    ///
    /// With `map` before it this is a concurrent map. An output that is ready
    /// before its turn counts towards the limit until it is given.
    ///
    /// # Panics
    ///
    /// If `limit` is zero. The panic of a future goes on where the stream is polled,
    /// when it is that future's turn; the stream goes on if it is polled again.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline::stream::{FlowExt, StreamExt, iter};
    ///
    /// wakeline::block_on(async {
    ///     let squares: Vec<u32> =
    ///         iter(1..=4).map(|n| async move { n * n }).buffered(2).collect().await;
    ///     assert_eq!(squares, [1, 4, 9, 16]);
    /// });
    /// ```
    #[track_caller]
    fn buffered(self, limit: usize) -> Buffered<Self>
    where
        Self::Item: Future,
    {
        Buffered::new(self, limit)
    }

    /// Runs the futures of this stream, at most `limit` at once, and gives their
    /// outputs as they come.
    ///
    /// # Panics
    ///
    /// If `limit` is zero. The panic of a future goes on where the stream is polled.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline::stream::{FlowExt, StreamExt, iter};
    /// use wakeline::time::sleep;
    ///
    /// // Paused time: the naps take none, and their order is certain.
    /// let runtime = wakeline::Runtime::builder().start_paused(true).build()?;
    /// runtime.block_on(async {
    ///     let naps = iter([20, 1]).map(|ms| async move {
    ///         sleep(Duration::from_millis(ms)).await;
    ///         ms
    ///     });
    ///     assert_eq!(naps.buffer_unordered(2).collect::<Vec<_>>().await, [1, 20]);
    /// });
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    fn buffer_unordered(self, limit: usize) -> BufferUnordered<Self>
    where
        Self::Item: Future,
    {
        BufferUnordered::new(self, limit)
    }

    /// The items of both streams, as they come; ends when both have ended.
    ///
    /// If both always have an item, they take turns.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline::stream::{FlowExt, StreamExt, iter};
    ///
    /// wakeline::block_on(async {
    ///     let merged: Vec<u8> = iter([1, 3]).merge(iter([2, 4])).collect().await;
    ///     assert_eq!(merged, [1, 2, 3, 4]);
    /// });
    /// ```
    fn merge<B>(self, other: B) -> Merge<Self, B>
    where
        B: Stream<Item = Self::Item>,
    {
        Merge::new(self, other)
    }

    /// The same items, after each of which at least `period` passes before the
    /// next one is asked for.
    ///
    /// # Panics
    ///
    /// Polling it panics on a thread where no runtime is.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use wakeline::stream::{FlowExt, StreamExt, iter};
    ///
    /// wakeline::block_on(async {
    ///     let start = Instant::now();
    ///     let paced = iter(0..3).throttle(Duration::from_millis(1));
    ///     assert_eq!(paced.collect::<Vec<_>>().await, [0, 1, 2]);
    ///     assert!(start.elapsed() >= Duration::from_millis(2));
    /// });
    /// ```
    #[track_caller]
    fn throttle(self, period: Duration) -> Throttle<Self> {
        Throttle::new(self, period)
    }

    /// The same items as `Ok`, and one `Err` for each that takes longer than
    /// `limit` from when it was asked for.
    ///
    /// The stream goes on after an error: the item comes when it is ready. To give
    /// up instead, stop at the error.
    ///
    /// # Panics
    ///
    /// Polling it panics on a thread where no runtime is.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline::stream::{FlowExt, StreamExt, pending};
    ///
    /// wakeline::block_on(async {
    ///     let mut silent = pending::<()>().item_timeout(Duration::from_millis(1));
    ///     assert!(silent.next().await.expect("a report").is_err());
    /// });
    /// ```
    #[track_caller]
    fn item_timeout(self, limit: Duration) -> ItemTimeout<Self> {
        ItemTimeout::new(self, limit)
    }

    /// Items in chunks of `most`, or of fewer when `limit` has passed since the
    /// first of the chunk, or at the end.
    ///
    /// # Panics
    ///
    /// If `most` is zero. Polling it panics on a thread where no runtime is.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline::stream::{FlowExt, StreamExt, iter};
    ///
    /// wakeline::block_on(async {
    ///     let chunks = iter(0..5).chunks_timeout(2, Duration::from_secs(1));
    ///     assert_eq!(chunks.collect::<Vec<_>>().await, [vec![0, 1], vec![2, 3], vec![4]]);
    /// });
    /// ```
    #[track_caller]
    fn chunks_timeout(self, most: usize, limit: Duration) -> ChunksTimeout<Self> {
        ChunksTimeout::new(self, most, limit)
    }
}

impl<S: Stream> FlowExt for S {}
