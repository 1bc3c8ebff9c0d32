//! A resource in the hands of a user, and the mark that says whether it is fit
//! for the next.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::resume_unwind;

use wakeline_executor::Handle;

use super::Manager;
use super::state::{Fate, Slot, give_back, give_back_in_background};

/// A resource of a [`Pool`](super::Pool), given back when this is dropped.
///
/// Dropped clean, it is recycled in the background and lent again. It is closed
/// and replaced instead if it was [marked](Lease::mark_broken), if the user
/// panicked, or if an operation that was [begun](Lease::begin) did not end: a
/// future that is dropped in the middle of a query leaves a connection of which
/// nobody knows what it will read next.
///
/// What is done through plain deref is not watched: use [`run`](Lease::run) or
/// [`begin`](Lease::begin) around what must not be cut in two.
#[must_use = "a lease that is dropped gives the resource back"]
pub struct Lease<M: Manager> {
    /// Both until it is given back.
    held: Option<(Slot<M>, M::Resource)>,
    /// Begun and not ended.
    in_use: bool,
    broken: bool,
    /// Where it is given back, also if the drop is elsewhere.
    handle: Option<Handle>,
}

impl<M: Manager> Lease<M> {
    pub(super) fn new(slot: Slot<M>, resource: M::Resource) -> Lease<M> {
        Lease {
            held: Some((slot, resource)),
            in_use: false,
            broken: false,
            handle: Handle::try_current(),
        }
    }

    /// Marks the resource as unfit: it will be closed and replaced.
    pub fn mark_broken(&mut self) {
        self.broken = true;
    }

    /// Whether the resource would be closed if the lease were dropped now.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken || self.in_use
    }

    /// Begins an operation: until it is [finished](Operation::finish) the
    /// resource counts as broken, also when this lease or the future it lives
    /// in is dropped.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline::pool::{Lease, Manager};
    ///
    /// async fn transfer<M: Manager<Resource = Vec<u8>>>(lease: &mut Lease<M>) {
    ///     let mut connection = lease.begin();
    ///     connection.push(1);
    ///     wakeline::yield_now().await; // dropped here, it is not lent again
    ///     connection.push(2);
    ///     connection.finish();
    /// }
    /// ```
    pub fn begin(&mut self) -> Operation<'_, M> {
        self.in_use = true;
        Operation { lease: self }
    }

    /// Runs an operation: the resource is fit for the next user only if it
    /// came to its end, with whatever result.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the operation, and leaves the resource broken.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline::pool::{Lease, Manager};
    ///
    /// async fn ping<M: Manager<Resource = Vec<u8>>>(lease: &mut Lease<M>) -> usize {
    ///     lease
    ///         .run(async |connection| {
    ///             connection.push(0);
    ///             wakeline::yield_now().await;
    ///             connection.len()
    ///         })
    ///         .await
    /// }
    /// ```
    pub async fn run<T>(&mut self, operation: impl AsyncFnOnce(&mut M::Resource) -> T) -> T {
        let mut begun = self.begin();
        let result = operation(&mut begun).await;
        begun.finish();
        result
    }

    /// Takes the resource out of the pool for good; its slot is free at once.
    #[must_use = "dropping the resource does not close it"]
    pub fn detach(mut self) -> M::Resource {
        match self.held.take() {
            Some((_slot, resource)) => resource,
            None => unreachable!("only what consumes the lease takes it"),
        }
    }

    /// Closes the resource and waits for that; its slot comes back, unless the
    /// runtime ends meanwhile.
    ///
    /// # Panics
    ///
    /// If the manager does; the slot is free then.
    pub(super) async fn close(mut self) -> Option<Slot<M>> {
        let (slot, resource) = self.held.take()?;
        let closing = give_back(slot, resource, Fate::Close);
        match &self.handle {
            // On its own: it comes to its end also if the waiter gives up.
            Some(handle) => match handle.spawn_cleanup(closing).await {
                Ok(slot) => slot,
                Err(error) => match error.try_into_panic() {
                    Ok(payload) => resume_unwind(payload),
                    Err(_) => None,
                },
            },
            None => closing.await,
        }
    }

    fn resource(&self) -> &M::Resource {
        match &self.held {
            Some((_, resource)) => resource,
            None => unreachable!("only what consumes the lease takes it"),
        }
    }

    fn resource_mut(&mut self) -> &mut M::Resource {
        match &mut self.held {
            Some((_, resource)) => resource,
            None => unreachable!("only what consumes the lease takes it"),
        }
    }
}

impl<M: Manager> Deref for Lease<M> {
    type Target = M::Resource;

    fn deref(&self) -> &M::Resource {
        self.resource()
    }
}

impl<M: Manager> DerefMut for Lease<M> {
    fn deref_mut(&mut self) -> &mut M::Resource {
        self.resource_mut()
    }
}

impl<M: Manager> Drop for Lease<M> {
    fn drop(&mut self) {
        let Some((slot, resource)) = self.held.take() else {
            return;
        };
        let fate = if self.is_broken() || std::thread::panicking() {
            Fate::Close
        } else {
            Fate::Recycle
        };
        give_back_in_background(self.handle.as_ref(), slot, resource, fate);
    }
}

impl<M: Manager> fmt::Debug for Lease<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("in_use", &self.in_use)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

/// A resource in the middle of an operation: broken until this is finished.
#[must_use = "an operation that is dropped without `finish` breaks the resource"]
pub struct Operation<'a, M: Manager> {
    lease: &'a mut Lease<M>,
}

impl<M: Manager> Operation<'_, M> {
    /// The operation came to its end: the resource is fit for the next user.
    pub fn finish(self) {
        self.lease.in_use = false;
    }
}

impl<M: Manager> Deref for Operation<'_, M> {
    type Target = M::Resource;

    fn deref(&self) -> &M::Resource {
        self.lease.resource()
    }
}

impl<M: Manager> DerefMut for Operation<'_, M> {
    fn deref_mut(&mut self) -> &mut M::Resource {
        self.lease.resource_mut()
    }
}

impl<M: Manager> fmt::Debug for Operation<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").finish_non_exhaustive()
    }
}
