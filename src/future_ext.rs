//! Limits of time as methods of every future.

use std::future::Future;
use std::time::{Duration, Instant};

use wakeline_reactor::time::{self, Timeout};

/// Timeouts as methods: `op.timeout(d)` is [`time::timeout`]`(d, op)`.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline::{FutureExt, Runtime, time::sleep};
///
/// let runtime = Runtime::builder().start_paused(true).build()?;
/// runtime.block_on(async {
///     let minute = sleep(Duration::from_secs(60));
///     assert!(minute.timeout(Duration::from_secs(1)).await.is_err());
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait FutureExt: Future + Sized {
    /// Runs the future, but not for longer than `limit`; `None` is no limit.
    ///
    /// The future is polled first, so one that is ready wins over any limit.
    /// Else it is dropped when the limit passes, and then
    /// [`Elapsed`](crate::time::Elapsed) is returned. See [`time::timeout`].
    ///
    /// # Cancellation
    ///
    /// Dropping it drops this future; what that loses is told there.
    ///
    /// # Example
    ///
    /// ```
    /// use std::future::{pending, ready};
    /// use std::time::Duration;
    /// use wakeline::FutureExt;
    ///
    /// wakeline::block_on(async {
    ///     assert_eq!(ready(7).timeout(Duration::ZERO).await, Ok(7));
    ///     assert_eq!(ready(7).timeout(None).await, Ok(7));
    ///     assert!(pending::<()>().timeout(Duration::ZERO).await.is_err());
    /// });
    /// ```
    #[track_caller]
    fn timeout(self, limit: impl Into<Option<Duration>>) -> Timeout<Self> {
        time::timeout(limit, self)
    }

    /// Runs the future, but not beyond `deadline`; else like
    /// [`timeout`](FutureExt::timeout).
    ///
    /// # Cancellation
    ///
    /// As `timeout`.
    ///
    /// # Example
    ///
    /// ```
    /// use std::future::pending;
    /// use std::time::Duration;
    /// use wakeline::{FutureExt, time};
    ///
    /// wakeline::block_on(async {
    ///     let deadline = time::now() + Duration::from_millis(1);
    ///     let (a, b) = (pending::<()>(), pending::<()>());
    ///     assert!(a.timeout_at(deadline).await.is_err());
    ///     assert!(b.timeout_at(deadline).await.is_err()); // at once: it has passed
    /// });
    /// ```
    #[track_caller]
    fn timeout_at(self, deadline: Instant) -> Timeout<Self> {
        time::timeout_at(deadline, self)
    }
}

impl<F: Future> FutureExt for F {}
