//! `shield`: work that goes on when the one who waits for it is dropped.
//!
//! A future cannot resist being dropped, so a shield is always another owner:
//! the runtime. The waiter holds a handle; dropping that leaves the task alone.
//!
//! ```text
//!   waiter ── handle ──▶ task ──▶ output ──▶ read by the waiter
//!      ╳ dropped           │         └─────▶ nobody left: an error or a panic
//!                          └─ goes on        is told to `on_unobserved`
//! ```

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::task::{AbortHandle, Id, JoinError, JoinHandle, Origin};
use crate::unobserved::Witness;
use crate::{Handle, spawn};

/// Runs `future` to its end whatever becomes of who waits for it.
///
/// It is a task of the runtime and no part of what surrounds this call: no scope
/// and no cancel token reaches it. It inherits the values of
/// [`context_local!`](wakeline_context::context_local). A panic that nobody is
/// left to see is told to [`on_unobserved`](crate::Builder::on_unobserved);
/// [`try_shield`] does the same with errors.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// Dropping the handle leaves the task running.
///
/// # Example
///
/// ```
/// use wakeline_executor::{Executor, shield, yield_now};
///
/// let executor = Executor::builder().workers(1).build()?;
/// let (saved, is_saved) = std::sync::mpsc::channel();
/// executor.block_on(async {
///     let save = shield(async move {
///         yield_now().await;
///         saved.send("saved").unwrap();
///     });
///     drop(save);
///     while is_saved.try_recv().is_err() {
///         yield_now().await;
///     }
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn shield<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn(future)
}

/// Runs `future` to its end as [`shield`] does, and tells
/// [`on_unobserved`](crate::Builder::on_unobserved) of an error, too, if the
/// waiter has left.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// Dropping the handle leaves the task running.
///
/// # Example
///
/// ```
/// use std::sync::mpsc;
/// use wakeline_executor::{Executor, try_shield, yield_now};
///
/// let (errors, told) = mpsc::channel();
/// let executor = Executor::builder()
///     .workers(1)
///     .on_unobserved(move |error| errors.send(error.to_string()).unwrap())
///     .build()?;
/// executor.block_on(async {
///     let kept = try_shield(async { Err::<(), _>("disk full") });
///     assert_eq!(kept.await.unwrap(), Err("disk full"));
///     drop(try_shield(async { Err::<(), _>("disk full") }));
///     yield_now().await;
/// });
/// assert_eq!(told.try_recv().unwrap(), "disk full");
/// assert!(told.try_recv().is_err(), "the other was seen by its waiter");
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn try_shield<F, T, E>(future: F) -> TryShield<T, E>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    let handle = Handle::current();
    let watched = async move {
        let result = future.await;
        Watched {
            witness: result.as_ref().err().and_then(|_| Witness::here()),
            result: Some(result),
        }
    };
    TryShield {
        handle: handle.spawn_with(watched, Origin::here(Location::caller())),
    }
}

/// A result that tells of its error if nobody takes it.
struct Watched<T, E: fmt::Display> {
    result: Option<Result<T, E>>,
    witness: Option<Witness>,
}

impl<T, E: fmt::Display> Drop for Watched<T, E> {
    fn drop(&mut self) {
        if let (Some(Err(error)), Some(witness)) = (&self.result, &self.witness) {
            witness.tell(error);
        }
    }
}

/// The handle of [`try_shield`]: await it for the result.
#[must_use = "dropping this leaves the task to itself; say so with `drop`"]
pub struct TryShield<T, E: fmt::Display> {
    handle: JoinHandle<Watched<T, E>>,
}

impl<T, E: fmt::Display> TryShield<T, E> {
    /// The task's id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.handle.id()
    }

    /// What ends the shielded task after all.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        self.handle.abort_handle()
    }
}

impl<T, E: fmt::Display> Future for TryShield<T, E> {
    type Output = Result<Result<T, E>, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let joined = std::task::ready!(Pin::new(&mut self.handle).poll(cx));
        Poll::Ready(joined.map(|mut watched| {
            let result = watched.result.take();
            result.expect("it is taken here only")
        }))
    }
}

impl<T, E: fmt::Display> fmt::Debug for TryShield<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryShield")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
