//! `Pool`: a few resources that are costly to make, lent to many.
//!
//! ```text
//!   acquire ──▶ line of waiters ──▶ idle one, or a new one ──▶ Lease
//!                     ▲                                          │ drop
//!                     │               ┌─ clean: recycle ◀────────┤
//!                     └── slot free ◀─┴─ broken: close ◀─────────┘
//! ```
//!
//! What makes, checks, recycles and closes a resource is a [`Manager`]. All of
//! that may wait; what happens after a lease is dropped runs in the background,
//! on the runtime of the one who acquired it, and its shutdown waits for it.
//!
//! `manager.rs` says what it is asked, `state.rs` has the journey of a slot, `lease.rs`
//! the marks.

mod error;
mod lease;
mod manager;
mod state;

pub use error::{PoolError, StillLent};
pub use lease::{Lease, Operation};
pub use manager::Manager;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use wakeline_executor::Handle;
use wakeline_reactor::time::timeout;

use state::{Fate, Inner, give_back_in_background};

/// At most so many resources, made when they are needed and lent one after the
/// other.
///
/// Clones share them. Dropping the last one, and the last lease, drops what is
/// idle; [`close`](Pool::close) closes it.
///
/// # Example
///
/// ```
/// use std::convert::Infallible;
/// use std::time::Duration;
/// use wakeline::{Pool, pool::Manager};
///
/// struct Buffers;
///
/// impl Manager for Buffers {
///     type Resource = Vec<u8>;
///     type Error = Infallible;
///
///     async fn create(&self) -> Result<Vec<u8>, Infallible> {
///         Ok(Vec::with_capacity(4096))
///     }
///
///     async fn recycle(&self, buffer: &mut Vec<u8>) -> Result<(), Infallible> {
///         buffer.clear();
///         Ok(())
///     }
/// }
///
/// wakeline::block_on(async {
///     let pool = Pool::new(Buffers, 2);
///     let mut buffer = pool.acquire().await.expect("it is open");
///     buffer.extend(b"some bytes");
///     drop(buffer); // comes back, and is cleared
///     pool.close(Duration::from_secs(1)).await.expect("nothing is lent");
/// });
/// ```
pub struct Pool<M: Manager> {
    inner: Arc<Inner<M>>,
}

impl<M: Manager> Pool<M> {
    /// A pool of at most `size` resources; none is made yet.
    ///
    /// # Panics
    ///
    /// If `size` is zero: nothing could ever be lent; or above
    /// [`Semaphore::MAX_PERMITS`](crate::sync::Semaphore::MAX_PERMITS).
    #[must_use]
    #[track_caller]
    pub fn new(manager: M, size: usize) -> Pool<M> {
        assert!(
            size != 0,
            "a pool of nothing lends nothing: give it at least 1"
        );
        Pool {
            inner: Arc::new(Inner::new(manager, size)),
        }
    }

    /// Borrows a resource, once there is one or room to make one.
    ///
    /// Those who wait are served in the order in which they came.
    ///
    /// # Errors
    ///
    /// [`PoolError::Create`] if a new one could not be made, which concerns
    /// this caller only; [`PoolError::Closed`].
    ///
    /// # Panics
    ///
    /// If the manager does while it makes or checks a resource for this caller,
    /// or closes one that failed the check; the slot is free then.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives up the place in line; a slot that it had goes
    /// to the next. A resource that it was checking is closed.
    #[track_caller]
    pub fn acquire(
        &self,
    ) -> impl Future<Output = Result<Lease<M>, PoolError<M::Error>>> + Send + use<'_, M> {
        let permit = Arc::clone(&self.inner.slots).acquire_owned();
        async move {
            let permit = permit.await.map_err(|_| PoolError::Closed)?;
            let (mut slot, idle) = self.inner.slot(permit).ok_or(PoolError::Closed)?;
            let manager = &self.inner.manager;
            if let Some(idle) = idle {
                let mut lease = Lease::new(slot, idle);
                if lease
                    .run(async |idle| manager.check(idle).await)
                    .await
                    .is_ok()
                {
                    return self.unless_closed(lease);
                }
                slot = lease.close().await.ok_or(PoolError::Closed)?;
            }
            let resource = manager.create().await.map_err(PoolError::Create)?;
            self.unless_closed(Lease::new(slot, resource))
        }
    }

    /// A lease, if the pool was not closed while it was made; otherwise it is
    /// dropped, and the resource closed.
    fn unless_closed(&self, lease: Lease<M>) -> Result<Lease<M>, PoolError<M::Error>> {
        if self.inner.is_closed() {
            return Err(PoolError::Closed);
        }
        Ok(lease)
    }

    /// Closes the pool: those who wait fail, idle resources are closed, and
    /// lent ones when they come back. Waits for that, but no longer than `limit`.
    ///
    /// # Errors
    ///
    /// [`StillLent`] if the limit passed. What comes back later is closed all
    /// the same, and another `close` waits for it again.
    ///
    /// # Panics
    ///
    /// Polling it panics on a thread where no runtime is.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the pool closed, if it was polled.
    #[track_caller]
    pub fn close(
        &self,
        limit: Duration,
    ) -> impl Future<Output = Result<(), StillLent>> + Send + use<'_, M> {
        let empty = timeout(limit, self.inner.empty.wait());
        async move {
            let handle = Handle::try_current();
            for (slot, resource) in self.inner.close() {
                give_back_in_background(handle.as_ref(), slot, resource, Fate::Close);
            }
            match empty.await {
                Ok(()) => Ok(()),
                Err(_) => Err(StillLent {
                    resources: self.inner.counts().1,
                }),
            }
        }
    }

    /// Whether the pool was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// How many resources there may be.
    #[must_use]
    pub fn size(&self) -> usize {
        self.inner.size
    }

    /// How many resources wait to be lent.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.inner.counts().0
    }

    /// How many are lent, being made, recycled or closed. One that is given back is
    /// recycled by a task, so it is busy until that has run.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.inner.counts().1
    }
}

impl<M: Manager> Clone for Pool<M> {
    fn clone(&self) -> Pool<M> {
        Pool {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<M: Manager> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("size", &self.size())
            .field("idle", &self.idle())
            .field("busy", &self.busy())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
