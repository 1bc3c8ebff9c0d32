//! The ways into a set.

use std::future::Future;

use super::JoinSet;
use crate::Handle;
use crate::task::AbortHandle;

impl<T: Send + 'static> JoinSet<T> {
    /// Spawns a task into the set, on the current runtime.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.insert(crate::spawn(future))
    }

    /// Spawns a task into the set, on the runtime of `handle`.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.insert(handle.spawn(future))
    }

    /// Runs `job` on a thread that may block, as a member of the set.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn_blocking(&mut self, job: impl FnOnce() -> T + Send + 'static) -> AbortHandle {
        self.insert(crate::spawn_blocking(job))
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns a task on this thread into the set; it need not be `Send`.
    ///
    /// # Panics
    ///
    /// Outside of a `block_on` and of a worker.
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.insert(crate::spawn_local(future))
    }
}
