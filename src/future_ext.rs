//! Limits of time and of a token, as methods of every future.

use std::future::Future;
use std::time::{Duration, Instant};

use wakeline_reactor::time::{self, Timeout};

use crate::cancel::{CancelToken, OrCancelled, WithToken};

/// Timeouts as methods: `op.timeout(d)` is [`time::timeout`]`(d, op)`; and what
/// a future does about its [token](crate::cancel).
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
    /// A [`scope`](crate::scope()) has a [`timeout`](crate::ScopeFut::timeout) of its own, which
    /// cancels it and waits for its cleanups; this one, around something that has a scope
    /// inside, drops that as well.
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

    /// Stops for the token that is in force when this is first polled.
    ///
    /// At the first poll the token is looked at first: in cancelled code nothing
    /// new begins, not even what would be ready at once. Later the future is
    /// polled first: if it is ready in the same poll that finds the cancel, its
    /// output counts. When the token stops it, it is dropped before the error is
    /// returned.
    ///
    /// # Errors
    ///
    /// The future's output is [`Cancelled`](crate::Cancelled) if the token
    /// stopped it.
    ///
    /// # Panics
    ///
    /// If it is polled after it was ready; if the token has a deadline and there
    /// is no runtime on the thread.
    ///
    /// # Cancellation
    ///
    /// As that of the future itself.
    ///
    /// # Example
    ///
    /// ```
    /// use std::future::ready;
    /// use wakeline::{CancelToken, FutureExt};
    ///
    /// wakeline::block_on(async {
    ///     let token = CancelToken::new();
    ///     let one = ready(1).or_cancelled().with_token(token.clone());
    ///     assert_eq!(one.await.unwrap(), 1);
    ///     token.cancel("no more");
    ///     let two = ready(2).or_cancelled().with_token(token);
    ///     assert!(two.await.is_err());
    /// });
    /// ```
    #[track_caller]
    fn or_cancelled(self) -> OrCancelled<Self> {
        OrCancelled::new(self)
    }

    /// Puts `token` in force while this future is polled and while it is
    /// dropped.
    ///
    /// That alone stops nothing: the code inside looks at
    /// [`current_token`](crate::current_token) where it wants to.
    ///
    /// Tasks that are [spawned](crate::spawn) inside are none of it, and do not hear it, nor of its
    /// deadline: give them one, by `.with_token(current_token())`, or make them children of
    /// a [`scope`](crate::scope()), which do.
    ///
    /// # Cancellation
    ///
    /// As that of the future itself; its destructors see the token.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline::{CancelToken, Cancelled, FutureExt, time::sleep};
    ///
    /// let token = CancelToken::new().with_timeout(Duration::from_millis(1));
    /// let work = async {
    ///     sleep(Duration::from_secs(3600)).or_cancelled().await?;
    ///     Ok::<_, Cancelled>("done")
    /// };
    /// let result = wakeline::block_on(work.with_token(token));
    /// assert_eq!(result.unwrap_err().reason().text(), "the deadline passed");
    /// ```
    fn with_token(self, token: CancelToken) -> WithToken<Self> {
        WithToken::new(self, &token)
    }
}

impl<F: Future> FutureExt for F {}
